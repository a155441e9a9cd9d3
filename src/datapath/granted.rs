//! A grant of the packet filter, as a data path holds it.

use std::io;
use std::time::{Duration, Instant};

use crate::broker::{Broker, Wanted};
use crate::log::{Log, Provoked};

/// How long a grant that is no longer needed may stay. Where the next one comes at once it takes the place of the
/// former, which is cheaper than to take that away first; and it can be used by nobody but the same two hosts.
const GRACE: Duration = Duration::from_secs(1);

/// Ports that are tried before the packet filter is believed to be in our way.
pub(super) const TRIES: u32 = 16;

/// At most one grant at a time.
#[derive(Debug)]
pub(super) struct Granted {
    broker: Broker,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Nothing,
    Needed,
    /// To be taken back then, if nothing has taken its place.
    Left(Instant),
}

impl Granted {
    pub(super) fn new(broker: Broker) -> Self {
        Granted {
            broker,
            state: State::Nothing,
        }
    }

    /// Asks for this one, in place of any before.
    ///
    /// # Errors
    /// As [`Broker::grant`].
    pub(super) fn ask(&mut self, wanted: &Wanted) -> io::Result<()> {
        self.state = State::Nothing;
        self.broker.grant(wanted)?;
        self.state = State::Needed;
        Ok(())
    }

    /// It is not needed any more.
    pub(super) fn leave(&mut self, now: Instant) {
        if let State::Needed = self.state {
            self.state = State::Left(now + GRACE);
        }
    }

    /// When to call [`Granted::turn`] at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Left(deadline) => Some(deadline),
            State::Nothing | State::Needed => None,
        }
    }

    pub(super) fn turn(&mut self, now: Instant, log: &Log) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.state = State::Nothing;
            // A broker that is gone has done so itself.
            if let Err(error) = self.broker.revoke() {
                log.provoked(Provoked::NoData, |log| {
                    log.error(format_args!("cannot take a grant back: {error}"));
                });
            }
        }
    }
}
