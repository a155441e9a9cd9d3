//! pledge(2) and unveil(2).

use std::ffi::CStr;
use std::io;
use std::ptr;

use nix::errno::Errno;

/// Promises to use nothing but these from now on; what is executed makes its own promises.
///
/// # Errors
/// EINVAL: an unknown promise; the process must end.
pub fn pledge(promises: &CStr) -> io::Result<()> {
    // SAFETY: both are C strings or null, and are only read.
    Errno::result(unsafe { libc::pledge(promises.as_ptr(), ptr::null()) })?;
    Ok(())
}

/// Lets this path be seen, with these permissions, and whatever no call has named not at all.
///
/// # Errors
/// As unveil(2); the process must end.
pub fn unveil(path: &CStr, permissions: &CStr) -> io::Result<()> {
    // SAFETY: both are C strings, and are only read.
    Errno::result(unsafe { libc::unveil(path.as_ptr(), permissions.as_ptr()) })?;
    Ok(())
}
