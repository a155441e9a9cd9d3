//! Somebody else's program, run once as root: found by its absolute path, without a shell, with nothing of our
//! environment, for so long and for so many bytes.

use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long a program that has said everything is left to itself before it is looked at again.
const REST: Duration = Duration::from_millis(1);

/// So many rests after it was killed; then it is left to init(8).
const LAST_LOOKS: u32 = 200;

/// What is read at a time, in bytes.
const PIECE: usize = 1 << 14;

/// What to run, and how far it may go.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its absolute path.
    pub program: &'a Path,
    /// Each is one word to it.
    pub arguments: &'a [&'a str],
    /// Where it is run; `None`: where we are, which is for who may not look for directories any more.
    pub directory: Option<&'a Path>,
    /// What it is told on standard input; `None`: there is none.
    pub input: Option<&'a [u8]>,
    /// Longest that it may say on standard output, in bytes.
    pub longest: usize,
    /// So many bytes of standard error are kept, and what follows is dropped; 0: it has none.
    pub complaint: usize,
    /// Longest that it may take.
    pub patience: Duration,
}

/// What became of a program that ended by itself.
#[derive(Debug)]
pub struct Said {
    /// Whether it was content.
    pub status: ExitStatus,
    /// What it said on standard output.
    pub output: Vec<u8>,
    /// What it said first on standard error.
    pub complaint: Vec<u8>,
}

/// Why there is nothing to be had from a program.
#[derive(Debug)]
pub enum Failure {
    /// It is not there.
    Absent,
    /// It said more than it may, and was stopped.
    TooLong,
    /// It took longer than it may, and was stopped.
    TooLate,
    /// The system would not run it or let us listen to it.
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::System(error)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::System(errno.into())
    }
}

impl Run<'_> {
    /// Runs it to its end, which may be one that we put to it.
    ///
    /// # Errors
    /// See [`Failure`]. A program that fails by its own word is none: see [`Said::status`].
    pub fn run(&self) -> Result<Said, Failure> {
        let mut running = Running(self.start()?);
        let deadline = now() + self.patience;
        let (output, complaint) = self.talk(&mut running.0, deadline)?;
        Ok(Said {
            status: running.wait(deadline)?,
            output,
            complaint,
        })
    }

    fn start(&self) -> Result<Child, Failure> {
        let pipe_if = |wanted| {
            if wanted {
                Stdio::piped()
            } else {
                Stdio::null()
            }
        };
        let mut command = Command::new(self.program);
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        let child = command
            .args(self.arguments)
            .env_clear()
            .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
            .env("LC_ALL", "C")
            .stdin(pipe_if(self.input.is_some()))
            .stdout(Stdio::piped())
            .stderr(pipe_if(self.complaint > 0))
            .spawn();
        child.map_err(|error| {
            if error.raw_os_error() == Some(Errno::ENOENT as i32) {
                Failure::Absent
            } else {
                Failure::System(error)
            }
        })
    }

    /// Tells it what it is to be told and hears what it says, whichever it is ready for, so that neither of us waits
    /// for the other.
    fn talk(&self, child: &mut Child, deadline: Instant) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let mut input = child.stdin.take();
        let mut output = child.stdout.take();
        let mut errors = child.stderr.take();
        let mut rest = self.input.unwrap_or_default();
        let (mut said, mut complaint) = (Vec::new(), Vec::new());
        if let Some(pipe) = &input {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        while input.is_some() || output.is_some() || errors.is_some() {
            let [feed, hear, hear_error] = ready(
                [
                    input.as_ref().map(|end| (end.as_fd(), PollFlags::POLLOUT)),
                    output.as_ref().map(|end| (end.as_fd(), PollFlags::POLLIN)),
                    errors.as_ref().map(|end| (end.as_fd(), PollFlags::POLLIN)),
                ],
                left(deadline)?,
            )?;
            if feed && write(input.as_mut(), &mut rest)? {
                input = None;
            }
            if hear && read(output.as_mut(), &mut said)? {
                output = None;
            }
            if hear_error && read(errors.as_mut(), &mut complaint)? {
                errors = None;
            }
            if said.len() > self.longest {
                return Err(Failure::TooLong);
            }
            complaint.truncate(self.complaint);
        }
        Ok((said, complaint))
    }
}

/// Which of the three ends can be written or read without waiting.
fn ready(
    ends: [Option<(BorrowedFd<'_>, PollFlags)>; 3],
    limit: Duration,
) -> Result<[bool; 3], Failure> {
    let open = ends.iter().flatten();
    let mut fds: Vec<_> = open.map(|(fd, what)| PollFd::new(*fd, *what)).collect();
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, limit) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok([false; 3]),
        Err(errno) => return Err(errno.into()),
    }
    let mut fds = fds.iter();
    Ok(ends.map(|end| end.is_some() && fds.next().and_then(PollFd::any) != Some(false)))
}

/// Writes what the pipe takes; true when there is nothing left to write, or nobody to read it.
fn write(pipe: Option<&mut ChildStdin>, rest: &mut &[u8]) -> io::Result<bool> {
    let Some(pipe) = pipe else {
        return Ok(true);
    };
    match pipe.write(rest) {
        Ok(length) => *rest = &rest[length..],
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
        Err(error) if is_for_later(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(rest.is_empty())
}

/// Reads what is there; true at the end.
fn read(pipe: Option<&mut impl Read>, into: &mut Vec<u8>) -> io::Result<bool> {
    let Some(pipe) = pipe else {
        return Ok(true);
    };
    let mut piece = [0; PIECE];
    match pipe.read(&mut piece) {
        Ok(length) => {
            into.extend(&piece[..length]);
            Ok(length == 0)
        }
        Err(error) if is_for_later(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
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
    fn wait(&mut self, deadline: Instant) -> Result<ExitStatus, Failure> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            left(deadline)?;
            thread::sleep(REST);
        }
    }
}

/// The time left.
fn left(deadline: Instant) -> Result<Duration, Failure> {
    let left = deadline.saturating_duration_since(now());
    if left.is_zero() {
        Err(Failure::TooLate)
    } else {
        Ok(left)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program is waited for where no turn of the relay is under way"
)]
fn now() -> Instant {
    Instant::now()
}
