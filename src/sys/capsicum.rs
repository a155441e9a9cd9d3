//! Rights of descriptors: rights(4), cap_rights_limit(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::SockType};

/// Leaves every descriptor below `end` no more than what a session does with those that it has when its cage is closed.
/// Sockets: to be read, written, polled, asked, set and shut down; to be accepted from, bound, connected or passed for
/// something else no more. What is no socket, /dev/null as a rule: to be read, written and polled.
///
/// # Errors
/// ENOSYS: a kernel without capabilities; nothing is limited then.
pub fn limit_descriptors(end: RawFd) -> io::Result<()> {
    for fd in 0..end {
        // SAFETY: no memory is involved.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            continue; // not open
        }
        // SAFETY: it is open, and nothing that this loop calls closes it.
        let open = unsafe { BorrowedFd::borrow_raw(fd) };
        limit(open, getsockopt(&open, SockType).is_ok())?;
    }
    Ok(())
}

fn limit(fd: BorrowedFd<'_>, socket: bool) -> io::Result<()> {
    let mut rights = MaybeUninit::<libc::cap_rights_t>::uninit();
    let (version, at) = (libc::CAP_RIGHTS_VERSION, rights.as_mut_ptr());
    let (read, write, event) = (libc::CAP_READ, libc::CAP_WRITE, libc::CAP_EVENT);
    let end: u64 = 0;
    // SAFETY: initialises `rights`, from rights of type u64 of which 0 is the last, as cap_rights_init(3) is defined.
    unsafe {
        if socket {
            libc::__cap_rights_init(
                version,
                at,
                read,
                write,
                event,
                libc::CAP_FCNTL, // O_NONBLOCK, and
                libc::CAP_IOCTL, // FIONBIO, which is the same
                libc::CAP_GETPEERNAME,
                libc::CAP_GETSOCKNAME,
                libc::CAP_GETSOCKOPT,
                libc::CAP_SETSOCKOPT,
                libc::CAP_SHUTDOWN,
                end,
            );
        } else {
            libc::__cap_rights_init(version, at, read, write, event, end);
        }
    }
    // SAFETY: the line above has initialised it; it is only read.
    Errno::result(unsafe { libc::cap_rights_limit(fd.as_raw_fd(), rights.as_ptr()) })?;
    Ok(())
}
