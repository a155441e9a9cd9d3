//! Bytes from nowhere, and to nowhere.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, recv};

const BLOB: usize = 16 << 20;

/// What one call of recv(2) may throw away.
const GULP: usize = 1 << 20;

/// Memory as a file: sendfile(2) gives its pages to the socket without copying them.
pub struct Source(OwnedFd);

impl Source {
    pub fn new() -> io::Result<Self> {
        let memory = memfd_create(c"data", MFdFlags::MFD_CLOEXEC)?;
        let mut file = std::fs::File::from(memory);
        file.write_all(&vec![b'x'; BLOB])?;
        Ok(Source(file.into()))
    }

    pub fn pour(&self, to: &TcpStream, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let mut offset = 0;
            let most = usize::try_from(bytes).map_or(BLOB, |bytes| bytes.min(BLOB));
            bytes -= sendfile(to, &self.0, Some(&mut offset), most)? as u64;
        }
        Ok(())
    }
}

/// Takes everything up to the end: how much it was. With `MSG_TRUNC` the kernel drops it without copying (tcp(7)).
pub fn sink(from: &TcpStream) -> io::Result<u64> {
    let mut nowhere = vec![0; GULP];
    let mut bytes = 0;
    loop {
        match recv(from.as_raw_fd(), &mut nowhere, MsgFlags::MSG_TRUNC)? {
            0 => return Ok(bytes),
            some => bytes += some as u64,
        }
    }
}
