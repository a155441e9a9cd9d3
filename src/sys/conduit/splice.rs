//! Bytes on their way from one socket to another, by splice(2): they stay in the kernel.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::{pipe2, read};

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

/// After each narrowing the number of overflows that widen the pipe again grows by this factor. A peer that alternates
/// between reading and stopping has to read ever more in between.
const BACKOFF: u32 = 16;

/// A pipe that belongs to one direction of a data connection.
#[derive(Debug)]
pub struct Conduit {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    /// Fillings since the source had nothing more.
    fillings: u32,
    /// Fillings in a row that widen the pipe.
    overflows: u32,
    /// Bytes in the pipe.
    piped: usize,
    /// Bytes that precede those in the pipe. They had to leave it so that it could become narrow.
    moved_out: VecDeque<u8>,
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
            overflows: OVERFLOWS,
            piped: 0,
            moved_out: VecDeque::new(),
        })
    }

    /// Bytes taken and not yet given.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.moved_out.len() + self.piped
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
        if self.fillings >= self.overflows && self.fillings.is_power_of_two() && self.size < WIDEST
        {
            self.widen();
        }
        let moved = filled?;
        self.piped += moved;
        Ok(moved)
    }

    /// Gives the socket what is pending, or as much of it as it takes.
    ///
    /// # Errors
    /// As [`Conduit::fill`].
    pub fn drain(&mut self, to: BorrowedFd<'_>) -> io::Result<usize> {
        if !self.moved_out.is_empty() {
            return self.drain_moved_out(to);
        }
        let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
        let moved = splice(&self.read, None, to, None, self.piped, flags)?;
        self.piped -= moved;
        Ok(moved)
    }

    /// Whether it takes more of what all pipes of a user share than a new one does.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.size > NARROW
    }

    /// Gives back what it takes more than a new one. The kernel narrows a pipe only to what is in it, so the pending bytes
    /// move into memory of the process, at most as many as they took in the kernel.
    pub fn narrow(&mut self) {
        if !self.is_wide() {
            return;
        }
        let mut piece = vec![0; NARROW];
        while let Ok(taken @ 1..) = read(&self.read, &mut piece) {
            self.moved_out.extend(&piece[..taken]);
            self.piped -= taken;
        }
        self.resize(NARROW);
        self.fillings = 0;
        self.overflows = self.overflows.saturating_mul(BACKOFF);
    }

    fn drain_moved_out(&mut self, to: BorrowedFd<'_>) -> io::Result<usize> {
        let (next, _) = self.moved_out.as_slices();
        let moved = send(to.as_raw_fd(), next, MsgFlags::MSG_NOSIGNAL)?;
        self.moved_out.drain(..moved);
        if self.moved_out.is_empty() {
            self.moved_out = VecDeque::new(); // gives its memory back
        }
        Ok(moved)
    }

    fn widen(&mut self) {
        self.resize(self.size * STEP);
    }

    fn resize(&mut self, size: usize) {
        let Ok(size) = libc::c_int::try_from(size) else {
            return;
        };
        if let Ok(size) = fcntl(&self.write, FcntlArg::F_SETPIPE_SZ(size)) {
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
        assert_eq!(holds(&conduit), conduit.size);
        conduit.size
    }

    fn holds(conduit: &Conduit) -> usize {
        let holds = fcntl(&conduit.write, FcntlArg::F_GETPIPE_SZ).unwrap();
        usize::try_from(holds).unwrap()
    }

    /// Bytes of which each names its place.
    fn numbered(range: std::ops::Range<usize>) -> Vec<u8> {
        range.map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[test]
    fn a_pipe_that_is_narrowed_loses_no_byte() {
        let (writer, from) = UnixStream::pair().unwrap();
        let (mut to, mut reader) = UnixStream::pair().unwrap();
        for end in [&from, &to] {
            end.set_nonblocking(true).unwrap();
        }
        let mut conduit = Conduit::new().unwrap();
        conduit.resize(WIDEST);
        assert!(conduit.is_wide());
        let mut sent = 0;
        let mut stuffing = 0;
        while let Ok(more) = to.write(&[0; 4096]) {
            stuffing += more;
        }
        // Two fillings of more than a narrow pipe holds, and a part of the first is on its way when it is narrowed.
        for _ in 0..3 {
            let writer_end = writer.try_clone().unwrap();
            let piece = numbered(sent..sent + 150_000);
            sent += piece.len();
            let feeder = std::thread::spawn(move || (&writer_end).write_all(&piece).unwrap());
            while conduit.pending() < sent {
                let _ = conduit.fill(from.as_fd());
            }
            feeder.join().unwrap();
            conduit.drain(to.as_fd()).unwrap_err();
            conduit.narrow();
            assert_eq!((conduit.pending(), holds(&conduit)), (sent, NARROW));
            conduit.resize(WIDEST);
        }
        let taken = std::thread::spawn(move || {
            let mut all = vec![0; stuffing + sent];
            reader.read_exact(&mut all).unwrap();
            all.split_off(stuffing)
        });
        while conduit.pending() > 0 {
            let _ = conduit.drain(to.as_fd());
        }
        let taken = taken.join().unwrap();
        assert!(taken == numbered(0..sent));
    }

    #[test]
    fn a_pipe_that_was_narrowed_widens_later() {
        let mut conduit = Conduit::new().unwrap();
        conduit.resize(WIDEST);
        conduit.narrow();
        let (mut writer, from) = UnixStream::pair().unwrap();
        let (to, mut reader) = UnixStream::pair().unwrap();
        let mut fill_and_drain = |times: u32| {
            for _ in 0..times {
                writer.write_all(b"some").unwrap();
                conduit.fill(from.as_fd()).unwrap();
                conduit.drain(to.as_fd()).unwrap();
                reader.read_exact(&mut [0; 4]).unwrap();
            }
            holds(&conduit)
        };
        assert_eq!(fill_and_drain(OVERFLOWS * BACKOFF - 1), NARROW);
        assert_eq!(fill_and_drain(1), NARROW * STEP);
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
