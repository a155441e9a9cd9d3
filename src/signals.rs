//! Signals as something to poll: TERM, INT, HUP and CHLD set a flag and put a byte into a pipe.

#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};

use crate::sys::caught;

/// Those that are caught.
const CAUGHT: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGCHLD,
];

/// The signals of this process while it lives. Only one at a time makes sense: a child of fork(2) lets go of its parent's
/// and makes its own.
pub struct Signals {
    pipe: UnixStream,
    /// The end that the handlers write to.
    _told: UnixStream,
}

/// What came since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// SIGTERM or SIGINT: end now.
    pub term: bool,
    /// SIGHUP: take no more clients. A session need not heed it.
    pub hup: bool,
    /// SIGCHLD: a child ended.
    pub child: bool,
}

impl Signals {
    /// Catches the four signals from now on, and lets through those that [`hold`] kept back.
    ///
    /// # Errors
    /// The system is out of descriptors: the process cannot serve.
    pub fn catch() -> io::Result<Signals> {
        let (pipe, told) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        told.set_nonblocking(true)?;
        caught::told(Some(told.as_fd()));
        caught::catch(&CAUGHT)?;
        caught().thread_unblock()?;
        Ok(Signals { pipe, _told: told })
    }

    /// Readable when a signal came; then [`Signals::take`] it.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// What came since the last look; forgets it.
    #[must_use]
    pub fn take(&self) -> Pending {
        // The pipe first: a signal that comes in between is then seen twice rather than lost.
        let mut bytes = [0; 64];
        while matches!((&self.pipe).read(&mut bytes), Ok(1..)) {}
        let term = caught::take(Signal::SIGTERM);
        Pending {
            term: caught::take(Signal::SIGINT) || term,
            hup: caught::take(Signal::SIGHUP),
            child: caught::take(Signal::SIGCHLD),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        caught::told(None);
    }
}

/// Keeps the four signals back until [`Signals::catch`]. Around a fork: a SIGTERM for the child that came before the
/// child listens for it would otherwise be lost.
///
/// # Errors
/// None that sigprocmask(2) has for these arguments; passed on all the same.
pub fn hold() -> io::Result<()> {
    Ok(caught().thread_block()?)
}

/// Undoes [`hold`] in the process that has its [`Signals`] already.
///
/// # Errors
/// As [`hold`].
pub fn release() -> io::Result<()> {
    Ok(caught().thread_unblock()?)
}

fn caught() -> SigSet {
    CAUGHT.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn a_signal_is_seen_once_and_one_that_was_held_back_is_not_lost() {
        let signals = Signals::catch().unwrap();
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(
            signals.take(),
            Pending {
                hup: true,
                ..Pending::default()
            }
        );
        assert_eq!(signals.take(), Pending::default());
        drop(signals);

        hold().unwrap();
        raise(Signal::SIGTERM).unwrap();
        let signals = Signals::catch().unwrap();
        assert_eq!(
            signals.take(),
            Pending {
                term: true,
                ..Pending::default()
            }
        );
    }
}
