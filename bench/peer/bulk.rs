//! Bytes from nowhere, and to nowhere.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, recv};

/// The length of a piece: a large transfer is timed in these.
const PIECE: usize = 16 << 20;

/// What one call of recv(2) may throw away.
const GULP: usize = 1 << 20;

/// Memory as a file: sendfile(2) gives its pages to the socket without copying them.
pub struct Source(OwnedFd);

impl Source {
    pub fn new() -> io::Result<Self> {
        let memory = memfd_create(c"data", MFdFlags::MFD_CLOEXEC)?;
        let mut file = std::fs::File::from(memory);
        file.write_all(&vec![b'x'; PIECE])?;
        Ok(Source(file.into()))
    }

    /// Calls `after_each` piece.
    pub fn pour(
        &self,
        to: &TcpStream,
        mut bytes: u64,
        mut after_each: impl FnMut(),
    ) -> io::Result<()> {
        while bytes > 0 {
            let piece = usize::try_from(bytes).map_or(PIECE, |bytes| bytes.min(PIECE));
            let mut offset = 0;
            while let left @ 1.. = piece - usize::try_from(offset).unwrap_or(piece) {
                sendfile(to, &self.0, Some(&mut offset), left)?;
            }
            bytes -= piece as u64;
            after_each();
        }
        Ok(())
    }
}

/// Takes everything up to the end: how much it was; calls `after_each` piece. With `MSG_TRUNC` the kernel drops it
/// without copying (tcp(7)).
pub fn sink(from: &TcpStream, mut after_each: impl FnMut()) -> io::Result<u64> {
    let mut nowhere = vec![0; GULP];
    let (mut bytes, mut pieces) = (0, 0);
    loop {
        match recv(from.as_raw_fd(), &mut nowhere, MsgFlags::MSG_TRUNC)? {
            0 => return Ok(bytes),
            some => bytes += some as u64,
        }
        if bytes / PIECE as u64 > pieces {
            pieces = bytes / PIECE as u64;
            after_each();
        }
    }
}
