//! Standard input as it is; and closing whatever is open, for a process that is to have nothing of its parent's.

use std::env;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::process;

use nix::errno::Errno;

#[cfg_attr(target_os = "linux", path = "descriptors/close_range.rs")]
#[cfg_attr(
    any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "solaris"
    ),
    path = "descriptors/closefrom.rs"
)]
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "solaris"
    )),
    path = "descriptors/each.rs"
)]
mod here;

/// The first number behind standard error.
const FIRST: RawFd = 3;

/// Descriptor 0. [`io::stdin`] names it too, but allocates 8 KiB to read ahead into, which a session would keep.
#[must_use]
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: std opens /dev/null wherever 0, 1 or 2 are closed when the program begins, and here they are only ever
    // pointed elsewhere (dup2), never closed.
    unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) }
}

/// Closes what the starter had open, but for 0, 1, 2 and the sockets that it passes by LISTEN_FDS (sd_listen_fds(3)). Only
/// as the first thing that a program does.
pub fn close_inherited() {
    let number = |name| env::var(name).ok()?.parse::<RawFd>().ok();
    let ours = number("LISTEN_PID") == RawFd::try_from(process::id()).ok();
    let passed = number("LISTEN_FDS").filter(|passed| ours && *passed > 0);
    here::close_from(FIRST.saturating_add(passed.unwrap_or(0)));
}

/// Closes everything but 0, 1, 2 and `kept`, which is descriptor 3 from now on. Only for a new process that will never
/// use what its parent had open.
pub(super) fn keep_only(kept: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: dup2 puts a descriptor of the same socket in place of whatever had this number; in this process nobody
    // will use the former owner's.
    Errno::result(unsafe { libc::dup2(kept.as_raw_fd(), FIRST) })?;
    // SAFETY: no memory is involved.
    Errno::result(unsafe { libc::fcntl(FIRST, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    here::close_from(FIRST + 1);
    // SAFETY: the number is open, and the line above leaves nobody else who would use it.
    Ok(unsafe { OwnedFd::from_raw_fd(FIRST) })
}

/// One by one, as many as a process may have.
#[allow(dead_code, reason = "where the system cannot do it at once")]
fn close_each_from(first: RawFd) {
    // SAFETY: no memory is involved.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    for fd in first..RawFd::try_from(limit).unwrap_or(RawFd::MAX) {
        // SAFETY: closing a number that is not open changes nothing, and none of these is used again.
        unsafe { libc::close(fd) };
    }
}
