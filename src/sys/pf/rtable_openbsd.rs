//! OpenBSD's routing domains: pf(4) keeps the states of each apart.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

use libc::{c_int, socklen_t};
use nix::errno::Errno;

/// The routing domain of a socket.
///
/// # Errors
/// EINVAL: it is no socket.
pub fn routing_table(socket: BorrowedFd<'_>) -> nix::Result<u16> {
    let mut table: c_int = 0;
    #[expect(clippy::cast_possible_truncation, reason = "four bytes")]
    let mut length = size_of::<c_int>() as socklen_t;
    // SAFETY: SO_RTABLE is an int; both pointers are to live objects and `length` is the size of the first.
    Errno::result(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RTABLE,
            ptr::from_mut(&mut table).cast(),
            &raw mut length,
        )
    })?;
    u16::try_from(table).map_err(|_| Errno::EINVAL)
}
