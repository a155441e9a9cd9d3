//! Bytes on their way from one socket to another, by splice(2): they stay in the kernel.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::unistd::pipe2;

/// Most bytes that one call moves. A pipe holds 64 KiB unless told otherwise (pipe(7)).
const CHUNK: usize = 1 << 16;

/// A pipe that belongs to one direction of a data connection.
#[derive(Debug)]
pub struct Conduit {
    read: OwnedFd,
    write: OwnedFd,
    pending: usize,
}

impl Conduit {
    /// Makes an empty one.
    ///
    /// # Errors
    /// EMFILE or ENFILE: no descriptors; the data connection fails.
    pub fn new() -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Conduit {
            read,
            write,
            pending: 0,
        })
    }

    /// Bytes taken and not yet given.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Takes what the socket has: 0 is the end of its stream. Call it only while nothing is pending.
    ///
    /// # Errors
    /// `WouldBlock`: poll and try again. Anything else: that socket is broken.
    pub fn fill(&mut self, from: BorrowedFd<'_>) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
        let moved = splice(from, None, &self.write, None, CHUNK, flags)?;
        self.pending += moved;
        Ok(moved)
    }

    /// Gives the socket what is pending, or as much of it as it takes.
    ///
    /// # Errors
    /// As [`Conduit::fill`].
    pub fn drain(&mut self, to: BorrowedFd<'_>) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
        let moved = splice(&self.read, None, to, None, self.pending, flags)?;
        self.pending -= moved;
        Ok(moved)
    }
}
