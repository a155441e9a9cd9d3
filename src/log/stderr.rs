//! Lines to standard error: to a person at a terminal, or to whatever collects what a container says.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{dup2_stderr, write};

/// Standard error: descriptor 2, in each process that has this log.
pub(super) struct Stderr {
    /// A person who has stopped the terminal wants to read, and is waited for.
    patient: bool,
}

impl Stderr {
    /// `None` if there is no standard error.
    pub(super) fn open() -> Option<Stderr> {
        let stderr = io::stderr();
        let file = File::from(stderr.as_fd().try_clone_to_owned().ok()?);
        let patient = stderr.is_terminal();
        if let Some(own) = own_description(&file, patient) {
            dup2_stderr(own).ok()?;
        }
        Some(Stderr { patient })
    }

    /// Whether it is a regular file.
    #[expect(clippy::unused_self, reason = "there is a standard error to look at")]
    pub(super) fn is_a_file(&self) -> bool {
        let found = fstat(io::stderr());
        found.is_ok_and(|found| SFlag::from_bits_truncate(found.st_mode).contains(SFlag::S_IFREG))
    }

    /// Writes the line and its end, all of it or nothing.
    pub(super) fn line(&mut self, text: &str) {
        let stderr = io::stderr();
        if self.patient || has_room(stderr.as_fd()) {
            let _ = write(stderr, format!("{text}\n").as_bytes()); // no other place to say it
        }
    }
}

/// The last words of a process, which may be in its cage and can open nothing.
pub(super) fn last_words(text: &str) {
    let mut stderr = io::stderr();
    if has_room(stderr.as_fd()) {
        let _ = stderr.write_all(format!("{text}\n").as_bytes()); // nobody else to tell
    }
}

/// poll(2) promises PIPE_BUF bytes in a pipe (pipe(7)), which is more than a line.
fn has_room(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(fd, PollFlags::POLLOUT)];
    poll(&mut polled, PollTimeout::ZERO).is_ok() && polled[0].revents() == Some(PollFlags::POLLOUT)
}

/// The same pipe or terminal, opened again for writing alone. Whether it blocks is then a matter of this program, and not of
/// each process that holds it; and a session cannot read what is typed at the terminal. Where the system does not allow
/// it, the descriptor stays as it is: another session may take the room that poll(2) has promised.
fn own_description(stderr: &File, terminal: bool) -> Option<File> {
    let pipe = stderr.metadata().ok()?.file_type().is_fifo();
    let flags = match (pipe, terminal) {
        (true, _) => libc::O_NONBLOCK,
        (false, true) => libc::O_NOCTTY,
        (false, false) => return None,
    };
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(flags);
    options.open("/proc/self/fd/2").ok()
}

/// Whether standard error may be the client, as it is under inetd: whatever is a socket, and whatever cannot be told.
#[must_use]
pub fn may_be_the_client() -> bool {
    let kind = |stderr: OwnedFd| File::from(stderr).metadata();
    let stderr = io::stderr().as_fd().try_clone_to_owned();
    stderr
        .and_then(kind)
        .map_or(true, |found| found.file_type().is_socket())
}
