//! Lines that a peer can provoke as often as it likes: of each kind a few are written, and the others are counted.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// So many lines of a kind a session writes; the listening process, which outlives its clients, so many each [`WINDOW`].
const MOST: u32 = 20;

/// After this time the listening process writes lines of a kind again.
const WINDOW: Duration = Duration::from_secs(60);

/// What a line that a peer can provoke is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provoked {
    /// A command that was refused.
    Command,
    /// A login that the server refused.
    Login,
    /// A server that a client named in forward mode and that is not dialled.
    Destination,
    /// PORT, EPRT or 227 that names another host than its sender.
    ThirdParty,
    /// A reply to PASV or EPSV that is of no use.
    PassiveReply,
    /// A data connection from another host than the expected one.
    DataConnection,
    /// A data connection that was not prepared or not opened.
    NoData,
    /// A client that the listening process itself turned away.
    Client,
    /// A session that a signal ended.
    Session,
}

const KINDS: usize = Provoked::Session as usize + 1;

impl Provoked {
    /// In the plural.
    fn name(self) -> &'static str {
        match self {
            Provoked::Command => "refused commands",
            Provoked::Login => "refused logins",
            Provoked::Destination => "refused servers",
            Provoked::ThirdParty => "addresses of other hosts",
            Provoked::PassiveReply => "passive replies of no use",
            Provoked::DataConnection => "refused data connections",
            Provoked::NoData => "failed data connections",
            Provoked::Client => "refused clients",
            Provoked::Session => "sessions ended by a signal",
        }
    }

    /// Only the listening process writes it.
    fn has_window(self) -> bool {
        matches!(self, Provoked::Client | Provoked::Session)
    }
}

/// What was provoked in this process.
#[derive(Default)]
pub(super) struct Counts(RefCell<[Count; KINDS]>);

#[derive(Clone, Copy, Default)]
struct Count {
    kind: Option<Provoked>,
    written: u32,
    withheld: u64,
    since: Option<Instant>,
}

/// What is to be written: what was withheld before, the line itself, and that the next ones are withheld.
pub(super) struct Verdict {
    pub(super) sum: Option<String>,
    pub(super) line: bool,
    pub(super) notice: Option<String>,
}

impl Counts {
    /// Counts one more at this time.
    pub(super) fn add(&self, kind: Provoked, now: Instant) -> Verdict {
        let mut counts = self.0.borrow_mut();
        let count = &mut counts[kind as usize];
        let since = *count.since.get_or_insert(now);
        let mut sum = None;
        if kind.has_window() && now.saturating_duration_since(since) >= WINDOW {
            sum = count.sum();
            *count = Count {
                since: Some(now),
                ..Count::default()
            };
        }
        count.kind = Some(kind);
        let line = count.written < MOST;
        if line {
            count.written += 1;
        } else {
            count.withheld += 1;
        }
        let name = kind.name();
        let notice = (line && count.written == MOST)
            .then(|| format!("further {name} are counted and not logged"));
        Verdict { sum, line, notice }
    }

    /// What was withheld and has not been told, a line for each kind. Tells it once.
    pub(super) fn sums(&self) -> Vec<String> {
        let mut counts = self.0.borrow_mut();
        let sums = counts.iter_mut().filter_map(|count| {
            let sum = count.sum();
            count.withheld = 0;
            sum
        });
        sums.collect()
    }

    pub(super) fn clear(&self) {
        *self.0.borrow_mut() = Default::default();
    }
}

impl Count {
    fn sum(&self) -> Option<String> {
        let name = self.kind.filter(|_| self.withheld > 0)?.name();
        Some(format!("{} more {name} were not logged", self.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_session_logs_the_first_of_a_kind_and_their_sum() {
        let (counts, now) = (Counts::default(), now());
        for n in 1..=1000 {
            let verdict = counts.add(Provoked::Command, now + WINDOW * n);
            assert_eq!(verdict.line, n <= MOST, "{n}");
            assert_eq!(verdict.notice.is_some(), n == MOST, "{n}");
            assert!(verdict.sum.is_none());
        }
        assert!(
            counts.add(Provoked::ThirdParty, now).line,
            "of another kind"
        );
        assert_eq!(counts.sums(), ["980 more refused commands were not logged"]);
        assert!(counts.sums().is_empty(), "told once");
    }

    #[test]
    fn the_listening_process_logs_a_few_a_minute() {
        let (counts, now) = (Counts::default(), now());
        for _ in 0..100 {
            counts.add(Provoked::Client, now);
        }
        assert!(!counts.add(Provoked::Client, now + WINDOW / 2).line);
        let verdict = counts.add(Provoked::Client, now + WINDOW);
        let sum = "81 more refused clients were not logged";
        assert!(verdict.line && verdict.sum.as_deref() == Some(sum));
        assert!(counts.sums().is_empty());
    }

    #[test]
    fn a_child_begins_to_count_anew() {
        let counts = Counts::default();
        for _ in 0..100 {
            counts.add(Provoked::Client, now());
        }
        counts.clear();
        assert!(counts.add(Provoked::Client, now()).line && counts.sums().is_empty());
    }
}
