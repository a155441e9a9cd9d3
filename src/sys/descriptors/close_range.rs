//! Linux: close_range(2), from 5.9 on.

use std::os::fd::RawFd;

pub(super) fn close_from(first: RawFd) {
    // SAFETY: the arguments are numbers; the caller owns whatever is closed.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if closed != 0 {
        super::close_each_from(first);
    }
}
