//! Bytes on their way from one socket to another, by splice(2): they stay in the kernel.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;

/// What a pipe holds unless told otherwise (pipe(7)), and so the most that one call moves.
const NARROW: usize = 1 << 16;

/// What anybody may make it hold, unless fs.pipe-max-size says less (pipe(7)).
const WIDEST: usize = 1 << 20;

/// A pipe made wider holds so many times as much.
const STEP: usize = 4;

/// So many fillings in a row, each of which left something behind, and the pipe is too narrow: every one of them wakes both
/// ends again (docs/performance.md). Who keeps up with what comes, as on most wires, stays narrow: pipes of all sessions of a
/// user share 64 MiB (fs.pipe-user-pages-soft).
const OVERFLOWS: u32 = 4;

/// A pipe that belongs to one direction of a data connection.
#[derive(Debug)]
pub struct Conduit {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    /// Fillings since the source had nothing more.
    fillings: u32,
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
            fillings: 0,
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
        let filled = splice(from, None, &self.write, None, self.size, flags);
        self.fillings = filled.map_or(0, |_| self.fillings.saturating_add(1));
        // Where the user's share is used up it stays as it is, and is tried again, ever more seldom: another's transfer may end.
        if self.fillings >= OVERFLOWS && self.fillings.is_power_of_two() && self.size < WIDEST {
            self.widen();
        }
        let moved = filled?;
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

    fn widen(&mut self) {
        let Ok(wider) = libc::c_int::try_from(self.size * STEP) else {
            return;
        };
        if let Ok(size) = fcntl(&self.write, FcntlArg::F_SETPIPE_SZ(wider)) {
            self.size = usize::try_from(size).unwrap_or(self.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What a pipe holds that was filled and emptied so often, the source having more each time or only the next time.
    fn size_after(fillings: u32, more: bool) -> usize {
        let (mut writer, from) = UnixStream::pair().unwrap();
        let (to, mut reader) = UnixStream::pair().unwrap();
        from.set_nonblocking(true).unwrap();
        let mut conduit = Conduit::new().unwrap();
        for _ in 0..fillings {
            writer.write_all(b"some").unwrap();
            assert_eq!(conduit.fill(from.as_fd()).unwrap(), 4);
            assert_eq!(conduit.drain(to.as_fd()).unwrap(), 4);
            reader.read_exact(&mut [0; 4]).unwrap();
            if !more {
                let nothing = conduit.fill(from.as_fd()).unwrap_err();
                assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            }
        }
        let holds = fcntl(&conduit.write, FcntlArg::F_GETPIPE_SZ).unwrap();
        let holds = usize::try_from(holds).unwrap();
        assert_eq!(holds, conduit.size);
        holds
    }

    #[test]
    fn a_pipe_grows_while_more_comes_than_it_holds() {
        assert_eq!(size_after(OVERFLOWS - 1, true), NARROW);
        assert_eq!(size_after(OVERFLOWS, true), NARROW * STEP);
        assert_eq!(size_after(8 * OVERFLOWS, true), WIDEST);
    }

    #[test]
    fn a_pipe_stays_narrow_that_keeps_up_with_what_comes() {
        assert_eq!(size_after(8 * OVERFLOWS, false), NARROW);
    }
}
