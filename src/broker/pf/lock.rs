//! One pfctl(8) at a time. pf(4) has one buffer of pool addresses for the whole kernel, with one ticket: two programs that load
//! `nat` or `rdr` rules at the same moment, into whatever anchors, disturb each other (DIOCADDADDR, DIOCADDRULE: EBUSY).

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// How long another broker's pfctl(8) is waited for, in turns of so many milliseconds: six seconds.
const TURNS: u32 = 300;
const TURN: Duration = Duration::from_millis(20);

/// The lock's file. It is opened while files can be.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// # Errors
    /// As open(2), for who is not root.
    pub(super) fn open(path: &Path) -> io::Result<Lock> {
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(libc::O_NOFOLLOW);
        Ok(Lock(options.open(path)?))
    }

    /// Holds it until the value is dropped.
    ///
    /// # Errors
    /// `TimedOut`: others held it all the time.
    pub(super) fn hold(&self) -> io::Result<Flock<File>> {
        let mut file = self.0.try_clone()?;
        for _ in 0..TURNS {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(held) => return Ok(held),
                Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
                Err((_, errno)) => return Err(errno.into()),
            }
            thread::sleep(TURN);
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}
