//! The one loop of a session, and its only reads and writes: poll, hand bytes to the [`Session`], do what it says.

#![forbid(unsafe_code)]

mod control;

use std::io;
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

pub use control::Control;

use crate::datapath::{DataPath, Ready, Source, Totals, Watch};
use crate::endpoint::HostPort;
use crate::ftp::{Action, DataEnd, End, Note, Session, Side};
use crate::log::{Log, escaped};
use crate::privs::Dropped;
use crate::signals::Signals;

/// How long the server may take to speak of a data connection that failed, before the client hears of it from us.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a data connection may take to turn up after the server has called its transfer done.
const LATE_DATA_TIMEOUT: Duration = Duration::from_secs(2);

/// How long commands wait behind an ABOR for its answer.
const ABOR_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a session that is over may go without moving a byte while there are some left to write.
const LINGER_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes waiting for one side at which the other is no longer read.
const QUEUE_MAX: usize = 64 * 1024;

/// Bytes read from a control connection at once.
const READ_MAX: usize = 4096;

/// What dialling for a client in forward mode came to.
pub enum Dialled {
    /// A server, and the data path that leads to it from now on.
    Connected(TcpStream, IpAddr),
    /// None; the session is over.
    Unreachable(&'static str),
    /// Not this one; the client may name another.
    Forbidden(&'static str),
}

/// Everything that a session's loop needs.
pub struct Relay<'a> {
    /// What to do.
    pub session: Session,
    /// The client.
    pub client: Control,
    /// The server, unless the client has yet to name it.
    pub server: Option<Control>,
    /// Who stands in for data connections.
    pub data: Box<dyn DataPath + 'a>,
    /// Dials the server that the client names.
    pub dial: &'a mut dyn FnMut(&HostPort, &mut (dyn DataPath + 'a)) -> Dialled,
    /// `-t`: the session ends when nothing moves for so long.
    pub idle: Option<Duration>,
    /// The way to be told to stop.
    pub signals: &'a Signals,
    /// Where to write what happened.
    pub log: &'a Log,
}

/// How a session went.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Why it ended.
    pub end: End,
    /// What its data connections carried.
    pub totals: Totals,
    /// How long it took.
    pub time: Duration,
}

/// The moments at which something is due.
struct Clocks {
    now: Instant,
    /// The last time that a byte moved.
    active: Instant,
    verdict: Option<Instant>,
    late_data: Option<Instant>,
    abor: Option<Instant>,
}

impl Relay<'_> {
    /// Carries the session to its end. `_` is the proof that root is gone.
    ///
    /// # Errors
    /// poll(2) failed: the system is in trouble and the session lost.
    pub fn run(mut self, _: &Dropped) -> io::Result<Summary> {
        let began = now();
        let mut clocks = Clocks {
            now: began,
            active: began,
            verdict: None,
            late_data: None,
            abor: None,
        };
        let mut end = None;
        loop {
            self.obey(&mut end, clocks.now);
            // What has just been said may have set a clock, and what a clock says is to be done at once.
            self.check(&mut clocks, end.is_some());
            self.obey(&mut end, clocks.now);
            let lost = self.write(Side::Client) | self.write(Side::Server);
            if lost {
                continue; // the session has something to say to that
            }
            if end.is_some_and(|end| self.is_done(end, &clocks)) {
                break;
            }
            let ready = match self.wait(end.is_some(), &clocks) {
                Ok(ready) => ready,
                Err(error) => {
                    self.abandon(clocks.now);
                    return Err(error);
                }
            };
            clocks.now = now();
            self.turn(&ready, end.is_some(), &mut clocks);
        }
        self.data.discard(clocks.now);
        self.client.farewell();
        Ok(Summary {
            end: end.unwrap_or(End::Stopped),
            totals: self.data.totals(),
            time: clocks.now.saturating_duration_since(began),
        })
    }

    /// Says why, as far as that can be done without waiting.
    fn abandon(&mut self, now: Instant) {
        self.session.stop("The proxy is in trouble.");
        self.obey(&mut None, now);
        self.write(Side::Client);
        self.data.discard(now);
        self.client.farewell();
    }

    /// Does what the session says.
    fn obey(&mut self, end: &mut Option<End>, now: Instant) {
        while let Some(action) = self.session.poll() {
            match action {
                Action::Send(side, bytes) => self.tell(side, |c| c.send(bytes)),
                Action::Urgent(side, bytes) => self.tell(side, |c| c.send_urgent(bytes)),
                Action::Finish(side) => self.tell(side, Control::finish),
                Action::Prepare(plan) => match self.data.prepare(&plan, now) {
                    Ok(at) => self.session.prepared(at),
                    Err(why) => {
                        self.log
                            .error(format_args!("cannot prepare a data connection: {why}"));
                        self.session.unprepared(why.reason());
                    }
                },
                Action::Discard => self.data.discard(now),
                Action::Dial(server) => self.dial_server(&server),
                Action::Note(note) => self.note(&note),
                Action::End(why) => *end = Some(why),
            }
        }
    }

    fn tell(&mut self, side: Side, act: impl FnOnce(&mut Control)) {
        if let Some(control) = self.control(side) {
            act(control);
        }
    }

    /// `None`: the server that the client has yet to name.
    fn control(&mut self, side: Side) -> Option<&mut Control> {
        match side {
            Side::Client => Some(&mut self.client),
            Side::Server => self.server.as_mut(),
        }
    }

    fn dial_server(&mut self, server: &HostPort) {
        match (self.dial)(server, &mut *self.data) {
            Dialled::Connected(stream, address) => match Control::new(stream) {
                Ok(control) => {
                    self.server = Some(control);
                    self.session.connected(address);
                }
                Err(_) => self
                    .session
                    .unreachable("The server has gone away already."),
            },
            Dialled::Unreachable(why) => self.session.unreachable(why),
            Dialled::Forbidden(why) => self.session.forbidden(why),
        }
    }

    /// The session is over; is there anything left to do for it?
    fn is_done(&self, end: End, clocks: &Clocks) -> bool {
        let written = self.client.is_written();
        let by_server = matches!(end, End::Server | End::ServerLost);
        // Without the server's 1xx nothing more may go to the client.
        let begun = self.session.is_transferring() && self.session.data_may_flow();
        let data = by_server && begun && self.data.is_connected();
        let patience = clocks.now.saturating_duration_since(clocks.active) >= LINGER_TIMEOUT;
        written && !data || patience
    }

    fn wait(&self, over: bool, clocks: &Clocks) -> io::Result<Ready> {
        let mut watch = Watch::default();
        watch.add(Source::Signals, self.signals.fd(), true, false);
        let room = |other: Option<&Control>| other.is_none_or(|c| c.queued() < QUEUE_MAX);
        let wants = |side| !over && self.session.wants_bytes(side);
        let reading = wants(Side::Client) && room(self.server.as_ref()) && room(Some(&self.client));
        self.client.watch(Side::Client, reading, &mut watch);
        if let Some(server) = &self.server {
            let reading = wants(Side::Server) && room(Some(&self.client));
            server.watch(Side::Server, reading, &mut watch);
        }
        self.data.watch(self.may_flow(), &mut watch);
        let due = self.due(over, clocks);
        let timeout = due.map(|due| due.saturating_duration_since(clocks.now));
        // Rounded up: a turn too early would find nothing due and come again at once.
        let timeout = timeout.map(|t| t + Duration::from_millis(1));
        watch.wait(timeout.map_or(PollTimeout::NONE, |t| {
            PollTimeout::try_from(t).unwrap_or(PollTimeout::MAX)
        }))
    }

    /// Data may go to the client once it has been told so, and that has left our hands.
    fn may_flow(&self) -> bool {
        self.session.data_may_flow() && self.client.is_written()
    }

    fn due(&self, over: bool, clocks: &Clocks) -> Option<Instant> {
        let patience = if over {
            Some(LINGER_TIMEOUT)
        } else {
            self.patience()
        };
        let all = [
            patience.map(|patience| clocks.active + patience),
            clocks.verdict,
            clocks.late_data,
            clocks.abor,
            self.data.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// How long nothing may move: `-t`, and less once nobody but the server could move anything.
    fn patience(&self) -> Option<Duration> {
        if self.session.data_moves_unseen() {
            return None;
        }
        let winding_up = self.session.is_winding_up().then_some(LINGER_TIMEOUT);
        self.idle.into_iter().chain(winding_up).min()
    }

    fn turn(&mut self, ready: &Ready, over: bool, clocks: &mut Clocks) {
        if ready.has(Source::Signals) && self.signals.take().term {
            self.session.stop("The proxy is being shut down.");
        }
        // Data first: what the server says of a transfer is about bytes that came before its words.
        let mut ends = Vec::new();
        let flow = self.may_flow();
        let mut moved = self.data.turn(ready, flow, clocks.now, &mut ends);
        ends.into_iter().for_each(|e| self.session.data_ended(e));
        for side in [Side::Client, Side::Server] {
            if ready.has(Source::Control(side)) {
                moved = true;
                if !over && self.session.wants_bytes(side) {
                    self.read(side);
                }
            }
        }
        if moved {
            clocks.active = clocks.now;
        }
    }

    fn read(&mut self, side: Side) {
        let mut buffer = [0; READ_MAX];
        let Some(control) = self.control(side) else {
            return;
        };
        match control.read(&mut buffer) {
            Ok(None) => {}
            Ok(Some(0)) => self.session.closed(side),
            Ok(Some(n)) => {
                self.log
                    .debug(3, format_args!("{n} bytes from {}", side.name()));
                self.session.receive(side, &buffer[..n]);
            }
            Err(error) => self.lost(side, &error),
        }
    }

    /// Writes what there is for this side; `true` if the connection was lost over it.
    fn write(&mut self, side: Side) -> bool {
        match self.control(side).map(Control::write) {
            Some(Err(error)) => {
                self.lost(side, &error);
                true
            }
            _ => false,
        }
    }

    /// A control connection broke. The server hears of the client's end by the end of its own connection.
    fn lost(&mut self, side: Side, error: &io::Error) {
        let who = side.name();
        self.log
            .info(format_args!("control connection lost, {who}: {error}"));
        match side {
            Side::Client => self.session.client_lost(),
            Side::Server => self.session.closed(side),
        }
    }

    /// Looks at the clock.
    fn check(&mut self, clocks: &mut Clocks, over: bool) {
        let now = clocks.now;
        let still = now.saturating_duration_since(clocks.active);
        if let Some(patience) = self.patience().filter(|p| !over && still >= *p) {
            let seconds = patience.as_secs();
            self.log
                .info(format_args!("timeout: no data for {seconds} seconds"));
            self.session
                .stop("Timeout: nothing has moved for too long.");
        }
        if due(
            &mut clocks.verdict,
            self.session.awaits_verdict(),
            now,
            VERDICT_TIMEOUT,
        ) {
            self.session.server_is_silent();
        }
        let late = self.session.holds_reply() && !self.data.is_connected();
        if due(&mut clocks.late_data, late, now, LATE_DATA_TIMEOUT) {
            self.session.data_ended(DataEnd::Unopened);
        }
        if due(
            &mut clocks.abor,
            self.session.awaits_abor(),
            now,
            ABOR_TIMEOUT,
        ) {
            self.session.abor_is_unanswered();
        }
    }

    fn note(&self, note: &Note) {
        match note {
            Note::Command(line) => self.verbatim("client", line),
            Note::Reply(line) => self.verbatim("server", line),
            Note::Said(side, line) => {
                let to = side.name();
                self.log
                    .debug(1, format_args!("to {to} (proxy): {}", escaped(line)));
            }
            Note::Refused(why, line) => {
                self.log
                    .warning(format_args!("refused command, {why}: {}", escaped(line)));
            }
            Note::ForeignPassive(named) => {
                self.log.notice(format_args!(
                    "server named {named} for passive data, using its own address"
                ));
            }
            Note::BadPassive(line) => {
                self.log
                    .warning(format_args!("passive reply of no use: {}", escaped(line)));
            }
        }
    }

    /// A line of a peer: with `-V` for the operator, with `-D` for whoever looks for a fault.
    fn verbatim(&self, who: &str, line: &[u8]) {
        if self.log.verbose() {
            self.log.info(format_args!("{who}: {}", escaped(line)));
        } else {
            self.log.debug(2, format_args!("{who}: {}", escaped(line)));
        }
    }
}

/// Keeps a deadline while `waiting`; `true` when it has passed.
fn due(deadline: &mut Option<Instant>, waiting: bool, now: Instant, timeout: Duration) -> bool {
    if !waiting {
        *deadline = None;
        return false;
    }
    *deadline.get_or_insert(now + timeout) <= now
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that reads the clock, once a turn"
)]
fn now() -> Instant {
    Instant::now()
}
