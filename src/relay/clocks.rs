//! What must happen within a time, and what is done when it has not.

use std::time::{Duration, Instant};

use super::Relay;
use crate::ftp::{DataEnd, End, Session};

/// How long the server may take to speak of a data connection that failed, before the client hears of it from us.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a data connection may take to turn up after the server has called its transfer done.
const LATE_DATA_TIMEOUT: Duration = Duration::from_secs(2);

/// How long commands wait behind an ABOR for its answer.
const ABOR_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a session that is over may go without moving a byte while there are some left to write.
const LINGER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a session may take. `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `--max-queue`: bytes waiting for one side at which the other is no longer read.
    pub queue: usize,
    /// `-t`: how long nothing may move.
    pub idle: Option<Duration>,
    /// The same without `-t`. The time does not count while a transfer may be under way.
    pub quiet: Option<Duration>,
    /// `--login-timeout`: how long the client may take to be let in by the server.
    pub login: Option<Duration>,
    /// `--accept-timeout`: how long a data connection is waited for.
    pub accept: Option<Duration>,
    /// `--stall-timeout`: how long nothing may move on a data connection.
    pub stall: Option<Duration>,
}

/// The moments at which something is due.
pub(super) struct Clocks {
    pub(super) now: Instant,
    /// The last time that something moved: a whole line of either side, bytes of data, or bytes that had to wait until a
    /// peer would take them. A part of a line is nothing: whoever drips one keeps no session alive.
    pub(super) active: Instant,
    /// A transfer has been asked for.
    asked: bool,
    verdict: Clock,
    late_data: Clock,
    abor: Clock,
    login: Clock,
    pub(super) accept: Clock,
    pub(super) stall: Clock,
}

/// Runs while something is waited for.
#[derive(Default)]
pub(super) struct Clock(Option<Instant>);

impl Clock {
    /// `true` when it has been `waiting` for so long.
    fn has_run_out(&mut self, waiting: bool, now: Instant, limit: Option<Duration>) -> bool {
        let Some(limit) = limit.filter(|_| waiting) else {
            self.restart();
            return false;
        };
        *self.0.get_or_insert(now + limit) <= now
    }

    /// What has been waited for so far counts no more.
    pub(super) fn restart(&mut self) {
        self.0 = None;
    }
}

impl Clocks {
    pub(super) fn start(now: Instant) -> Self {
        Clocks {
            now,
            active: now,
            asked: false,
            verdict: Clock::default(),
            late_data: Clock::default(),
            abor: Clock::default(),
            login: Clock::default(),
            accept: Clock::default(),
            stall: Clock::default(),
        }
    }
}

impl Relay<'_> {
    /// Looks at the clocks.
    pub(super) fn check(&mut self, clocks: &mut Clocks, over: bool) {
        let now = clocks.now;
        let still = now.saturating_duration_since(clocks.active);
        if let Some(patience) =
            patience(&self.session, &self.limits).filter(|p| !over && still >= *p)
        {
            let seconds = patience.as_secs();
            self.log
                .info(format_args!("timeout: no data for {seconds} seconds"));
            self.session
                .stop("Timeout: nothing has moved for too long.");
        }
        let login = self.limits.login;
        let outside = !over && !self.session.is_logged_in();
        if clocks.login.has_run_out(outside, now, login) {
            let seconds = login.unwrap_or_default().as_secs();
            self.log
                .info(format_args!("timeout: no login within {seconds} seconds"));
            self.session
                .stop("Timeout: there was no login for too long.");
        }
        let awaited = self.session.awaits_verdict();
        let verdict = Some(VERDICT_TIMEOUT);
        if clocks.verdict.has_run_out(awaited, now, verdict) {
            self.session.server_is_silent();
        }
        let late = self.session.holds_reply() && !self.data.is_connected();
        let late_data = Some(LATE_DATA_TIMEOUT);
        if clocks.late_data.has_run_out(late, now, late_data) {
            self.session.data_ended(DataEnd::Unopened);
        }
        let awaited = self.session.awaits_abor();
        if clocks.abor.has_run_out(awaited, now, Some(ABOR_TIMEOUT)) {
            self.session.abor_is_unanswered();
        }
        self.check_data(clocks, over);
    }

    /// A data connection that nobody comes to, or that stands still, is not kept.
    fn check_data(&mut self, clocks: &mut Clocks, over: bool) {
        let asked = self.session.is_transferring();
        if asked && !std::mem::replace(&mut clocks.asked, asked) {
            clocks.accept.restart(); // only now has anybody a reason to come
        }
        clocks.asked = asked;
        let now = clocks.now;
        let (accept, stall) = (self.limits.accept, self.limits.stall);
        let listening = !over && self.data.is_listening();
        let connected = self.data.is_connected();
        if clocks.accept.has_run_out(listening, now, accept)
            | clocks.stall.has_run_out(connected, now, stall)
        {
            let ended = self.data.give_up(now);
            self.report();
            if let Some(end) = ended {
                self.session.data_ended(end);
            }
        }
    }

    /// The session is over; is there anything left to do for it?
    pub(super) fn is_done(&self, end: End, clocks: &Clocks) -> bool {
        let written = self.client.is_written();
        let by_server = matches!(end, End::Server | End::ServerLost);
        // Without the server's 1xx nothing more may go to the client.
        let begun = self.session.is_transferring() && self.session.data_may_flow();
        let data = by_server && begun && self.data.is_connected();
        let patience = clocks.now.saturating_duration_since(clocks.active) >= LINGER_TIMEOUT;
        written && !data || patience
    }

    pub(super) fn due(&self, over: bool, clocks: &Clocks) -> Option<Instant> {
        let patience = if over {
            Some(LINGER_TIMEOUT)
        } else {
            patience(&self.session, &self.limits)
        };
        let all = [
            patience.map(|patience| clocks.active + patience),
            clocks.verdict.0,
            clocks.late_data.0,
            clocks.abor.0,
            clocks.login.0,
            clocks.accept.0,
            clocks.stall.0,
            self.data.deadline(),
        ];
        all.into_iter().flatten().min()
    }
}

/// How long nothing may move: `-t`, and less once nobody but the server could move anything.
fn patience(session: &Session, limits: &Limits) -> Option<Duration> {
    if session.data_moves_unseen() {
        return None;
    }
    // A server may take long over the end of a transfer, whoever still listens.
    let winding_up = match (session.is_winding_up(), session.is_transferring()) {
        (true, true) => limits.stall,
        (true, false) => Some(LINGER_TIMEOUT),
        (false, _) => None,
    };
    let quiet = limits.quiet.filter(|_| !session.may_be_transferring());
    [limits.idle, quiet, winding_up].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::{Side, Terms};

    const QUIET: Limits = Limits {
        queue: 65536,
        idle: None,
        quiet: Some(Duration::from_secs(3600)),
        login: None,
        accept: None,
        stall: None,
    };

    /// A session that has been greeted, with or without `-n`, after these bytes of client and server in turn.
    fn session_after(nat_mode: bool, said: &[&str]) -> Session {
        let client = [192, 0, 2, 1].into();
        let terms = Terms {
            nat_mode,
            ..Terms::of(client)
        };
        let mut session = Session::new(terms, Some([198, 51, 100, 1].into()));
        let sides = [Side::Server, Side::Client].into_iter().cycle();
        for (side, line) in sides.zip(["220 hi\r\n"].iter().chain(said)) {
            session.receive(side, line.as_bytes());
            while session.poll().is_some() {}
        }
        session
    }

    #[test]
    fn without_t_only_a_session_between_transfers_is_idle() {
        let patience_of = |said: &[&str]| patience(&session_after(false, said), &QUIET);
        assert_eq!(patience_of(&[]), QUIET.quiet);
        assert_eq!(patience_of(&["NOOP\r\n"]), QUIET.quiet);
        assert_eq!(patience_of(&["RETR a\r\n"]), None);
        assert_eq!(patience_of(&["RETR a\r\n", "150 here\r\n"]), None);
        let done = ["RETR a\r\n", "150 here\r\n", "", "226 done\r\n"];
        assert_eq!(patience_of(&done), QUIET.quiet);
    }

    #[test]
    fn a_transfer_that_cannot_be_seen_is_not_idle() {
        let limits = Limits {
            idle: Some(Duration::from_secs(60)),
            quiet: None,
            ..QUIET
        };
        let patience_of = |nat, said: &[&str]| patience(&session_after(nat, said), &limits);
        let passive = [
            "PASV\r\n",
            "227 (198,51,100,1,200,1)\r\n",
            "RETR a\r\n",
            "150 here\r\n",
        ];
        assert_eq!(patience_of(true, &passive), None, "with -n");
        assert_eq!(patience_of(true, &passive[..2]), limits.idle);
        assert_eq!(patience_of(false, &passive[2..]), limits.idle);
        let encrypted = session_after(true, &["AUTH TLS\r\n", "234 go\r\n"]);
        assert_eq!(patience(&encrypted, &QUIET), None);
    }

    #[test]
    fn a_clock_runs_only_while_something_is_waited_for_and_begins_anew() {
        let mut clock = Clock::default();
        let begun = super::super::now();
        let limit = Some(Duration::from_secs(10));
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!clock.has_run_out(true, at(0), limit));
        assert!(!clock.has_run_out(true, at(9), limit));
        assert!(clock.has_run_out(true, at(10), limit));
        assert!(!clock.has_run_out(false, at(11), limit));
        assert!(!clock.has_run_out(true, at(12), limit));
        clock.restart();
        assert!(!clock.has_run_out(true, at(21), limit));
        assert!(!clock.has_run_out(true, at(30), limit));
        assert!(clock.has_run_out(true, at(31), limit));
    }

    #[test]
    fn a_clock_without_a_limit_never_runs_out() {
        let mut clock = Clock::default();
        let begun = super::super::now();
        assert!(!clock.has_run_out(true, begun, None));
        assert!(!clock.has_run_out(true, begun + Duration::from_secs(1 << 30), None));
        assert!(clock.0.is_none());
    }
}
