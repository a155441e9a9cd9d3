//! The BSDs and illumos: closefrom(3).

use std::os::fd::RawFd;

// Not every version of the libc crate declares it for each of these systems.
unsafe extern "C" {
    fn closefrom(first: libc::c_int);
}

pub(super) fn close_from(first: RawFd) {
    // SAFETY: the argument is a number (closefrom(2), closefrom(3C)); the caller owns whatever is closed.
    unsafe { closefrom(first) };
}
