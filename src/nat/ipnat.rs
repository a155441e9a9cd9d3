//! ipnat(8): the list of sessions, for kernels that must not be asked about a single one.
//!
//! It runs as root and is somebody else's program: found by its absolute path, without a shell, with nothing of our
//! environment, for so long and for so many bytes.

use std::io::Read as _;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ipf::{LOAD, LOOK_AT};
use super::ipnat_list::{Ambiguous, original_destination};
use super::{NatError, NatLookup, Redirected};

/// Where ipnat(8) is: on FreeBSD; on NetBSD and illumos.
const PROGRAMS: [&str; 2] = ["/sbin/ipnat", "/usr/sbin/ipnat"];

/// Longest list that is read, in bytes: 50000 sessions, more than IP-Filter's own limit of old.
const MAX_LIST: usize = 4 << 20;

/// Longest that ipnat(8) may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a program that has said everything is left to itself before it is looked at again.
const REST: Duration = Duration::from_millis(5);

/// So many rests after it was killed; then it is left to init(8).
const LAST_LOOKS: u32 = 40;

/// The engine.
#[derive(Clone, Debug)]
pub struct Ipnat {
    /// Absolute paths; the first that is there is run.
    pub programs: Vec<PathBuf>,
    /// Longest that it may take.
    pub patience: Duration,
}

impl Default for Ipnat {
    fn default() -> Self {
        Ipnat {
            programs: PROGRAMS.map(PathBuf::from).into(),
            patience: PATIENCE,
        }
    }
}

impl NatLookup for Ipnat {
    fn original_dst(&self, _: BorrowedFd<'_>, of: &Redirected) -> Result<SocketAddr, NatError> {
        match original_destination(&self.list()?, of.client, of.proxy) {
            Ok(Some(destination)) => Ok(destination),
            Ok(None) => Err(NatError::NotRedirected(LOOK_AT)),
            Err(Ambiguous) => Err(NatError::Ambiguous),
        }
    }

    /// ipnat(8) opens /dev/ipnat.
    fn needs_root(&self) -> bool {
        true
    }
}

impl Ipnat {
    /// All that `ipnat -l` says.
    fn list(&self) -> Result<Vec<u8>, NatError> {
        let mut running = Running(self.start()?);
        let deadline = now() + self.patience;
        let list = running.read(deadline)?;
        let status = running.wait(deadline)?;
        if status.success() {
            Ok(list)
        } else {
            Err(NatError::Unavailable(format!(
                "ipnat -l failed ({status}): start ftp-proxy as root, {LOAD}"
            )))
        }
    }

    fn start(&self) -> Result<Child, NatError> {
        for program in &self.programs {
            let child = Command::new(program)
                .arg("-l")
                .env_clear()
                .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
                .env("LC_ALL", "C")
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn();
            match child {
                Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => {}
                child => return child.map_err(NatError::System),
            }
        }
        let paths: Vec<_> = self.programs.iter().map(|path| path.display()).collect();
        let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
        Err(NatError::Unavailable(format!(
            "no ipnat(8) at {}: install IP-Filter",
            paths.join(" or ")
        )))
    }
}

/// A program that ends with us, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // dead already: as it should be
        // One that hangs in the kernel does not die at once, and must not hold the session.
        for _ in 0..LAST_LOOKS {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(REST);
        }
    }
}

impl Running {
    fn read(&mut self, deadline: Instant) -> Result<Vec<u8>, NatError> {
        let mut list = Vec::new();
        let Some(output) = &mut self.0.stdout else {
            return Ok(list);
        };
        let mut piece = [0; 1 << 14];
        loop {
            let left = left(deadline)?;
            let mut fds = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
            match poll(
                &mut fds,
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
            ) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(NatError::System(errno.into())),
            }
            match output.read(&mut piece).map_err(NatError::System)? {
                0 => return Ok(list),
                length => list.extend(&piece[..length]),
            }
            if list.len() > MAX_LIST {
                return Err(NatError::Unavailable(format!(
                    "ipnat -l says more than {MAX_LIST} bytes: too many sessions to look through"
                )));
            }
        }
    }

    fn wait(&mut self, deadline: Instant) -> Result<ExitStatus, NatError> {
        loop {
            if let Some(status) = self.0.try_wait().map_err(NatError::System)? {
                return Ok(status);
            }
            left(deadline)?;
            thread::sleep(REST);
        }
    }
}

/// The time left.
fn left(deadline: Instant) -> Result<Duration, NatError> {
    let left = deadline.saturating_duration_since(now());
    if left.is_zero() {
        Err(NatError::Unavailable(
            "ipnat -l takes too long and was stopped: try it by hand".to_owned(),
        ))
    } else {
        Ok(left)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the session has not begun, so there is no turn whose time it could be given"
)]
fn now() -> Instant {
    Instant::now()
}
