//! What a turn waits for, by name instead of by position.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::ftp::Side;

/// Something that can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A signal came.
    Signals,
    /// The control connection of that side.
    Control(Side),
    /// The listener for a data connection.
    Listener,
    /// The data connection of that side.
    Data(Side),
}

/// The descriptors of one poll(2).
#[derive(Debug, Default)]
pub struct Watch<'a> {
    sources: Vec<Source>,
    fds: Vec<PollFd<'a>>,
}

impl<'a> Watch<'a> {
    /// Watches for reading, writing or both. Neither is no watching at all: poll(2) would report a hang-up again and
    /// again that nobody is going to look at.
    pub fn add(&mut self, source: Source, fd: BorrowedFd<'a>, reading: bool, writing: bool) {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, reading);
        flags.set(PollFlags::POLLOUT, writing);
        if !flags.is_empty() {
            self.sources.push(source);
            self.fds.push(PollFd::new(fd, flags));
        }
    }

    /// Waits.
    ///
    /// # Errors
    /// As poll(2), but an interruption counts as nothing being ready.
    pub fn wait(mut self, timeout: PollTimeout) -> io::Result<Ready> {
        match poll(&mut self.fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready(Vec::new())),
            Err(errno) => return Err(errno.into()),
        }
        let any = self.fds.iter().map(|fd| fd.any().unwrap_or(true));
        let ready = self.sources.iter().zip(any).filter(|(_, any)| *any);
        Ok(Ready(ready.map(|(source, _)| *source).collect()))
    }
}

/// What is ready; errors and hang-ups count, since trying is how they are learnt.
#[derive(Debug)]
pub struct Ready(Vec<Source>);

impl Ready {
    /// Whether there is something to try with this one.
    #[must_use]
    pub fn has(&self, source: Source) -> bool {
        self.0.contains(&source)
    }
}
