//! Lines to standard error: to a person at a terminal, or to whatever collects what a container says.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Standard error, by a descriptor of our own.
pub(super) struct Stderr {
    to: File,
    /// A person who has stopped the terminal wants to read, and is waited for.
    patient: bool,
}

impl Stderr {
    /// `None` if there is no standard error.
    pub(super) fn open() -> Option<Stderr> {
        let stderr = io::stderr();
        let copy = File::from(stderr.as_fd().try_clone_to_owned().ok()?);
        Some(Stderr {
            to: own_pipe(&copy).unwrap_or(copy),
            patient: stderr.is_terminal(),
        })
    }

    /// Whether it is a regular file.
    pub(super) fn is_a_file(&self) -> bool {
        self.to.metadata().is_ok_and(|found| found.is_file())
    }

    /// Writes the line and its end, all of it or nothing.
    pub(super) fn line(&mut self, text: &str) {
        if self.patient || has_room(self.to.as_fd()) {
            let _ = self.to.write(format!("{text}\n").as_bytes()); // nobody else to tell
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

/// The same pipe, opened anew: not to wait is then a matter of ours, and not of everybody's who holds it. Where the
/// system does not let us, another session may take the room that poll(2) has promised, and we wait for the reader.
fn own_pipe(stderr: &File) -> Option<File> {
    let pipe = stderr.metadata().ok()?.file_type().is_fifo();
    let open = || {
        OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/proc/self/fd/2")
    };
    pipe.then(open)?.ok()
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
