//! Bytes on their way from one socket to another, by splice(2): they stay in the kernel.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;

/// What a pipe holds unless told otherwise (pipe(7)), and so the most that one call moves.
const NARROW: usize = 1 << 16;

/// What one holds that has carried `MUCH`: less CPU for a GiB (docs/performance.md). Pipes of all sessions of a user share
/// 64 MiB (pipe(7), pipe-user-pages-soft), so small files do with less, and where that is used up it stays as it is.
const WIDE: libc::c_int = 1 << 18;

/// Bytes after which a transfer counts as large.
const MUCH: usize = 1 << 20;

/// A pipe that belongs to one direction of a data connection.
#[derive(Debug)]
pub struct Conduit {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    /// Bytes carried, until they are `MUCH`.
    carried: usize,
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
            size: NARROW,
            carried: 0,
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
        let moved = splice(from, None, &self.write, None, self.size, flags)?;
        self.pending += moved;
        if self.carried < MUCH {
            self.carried += moved;
            if self.carried >= MUCH {
                self.widen();
            }
        }
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

    fn widen(&mut self) {
        if let Ok(size) = fcntl(&self.write, FcntlArg::F_SETPIPE_SZ(WIDE)) {
            self.size = usize::try_from(size).unwrap_or(self.size);
        }
    }
}
