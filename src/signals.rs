//! Signals as something to poll: TERM, INT, HUP and CHLD set a flag and put a byte into a pipe.

#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// The signals of this process while it lives. Only one at a time makes sense.
pub struct Signals {
    pipe: UnixStream,
    stop: Flag,
    hangup: Flag,
    child: Flag,
    registered: Vec<SigId>,
}

type Flag = Arc<AtomicBool>;

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
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let mut signals = Signals {
            pipe: read,
            stop: Flag::default(),
            hangup: Flag::default(),
            child: Flag::default(),
            registered: Vec::new(),
        };
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] {
            signals.register(signal, write.try_clone()?)?;
        }
        caught().thread_unblock()?;
        Ok(signals)
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
        let take = |flag: &Flag| flag.swap(false, Ordering::SeqCst);
        Pending {
            term: take(&self.stop),
            hup: take(&self.hangup),
            child: take(&self.child),
        }
    }

    fn register(&mut self, signal: i32, pipe: UnixStream) -> io::Result<()> {
        let flag = match signal {
            SIGHUP => &self.hangup,
            SIGCHLD => &self.child,
            _ => &self.stop,
        };
        // The flag first: actions run in the order of registration, and the byte must not come before what it tells.
        self.registered
            .push(signal_hook::flag::register(signal, Arc::clone(flag))?);
        self.registered.push(pipe::register(signal, pipe)?);
        Ok(())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
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
    [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::low_level::raise;

    #[test]
    fn a_signal_is_seen_once_and_one_that_was_held_back_is_not_lost() {
        let signals = Signals::catch().unwrap();
        raise(SIGHUP).unwrap();
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
        raise(SIGTERM).unwrap();
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
