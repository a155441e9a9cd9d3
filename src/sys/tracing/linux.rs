//! Linux: prctl(2), PR_SET_DUMPABLE.

use std::io;

use nix::sys::prctl::set_dumpable;

/// Forbids other processes of the same user to trace this one or to read its memory, and the kernel to write a core of it.
///
/// # Errors
/// None that prctl(2) has for this argument; passed on all the same.
pub fn forbid() -> io::Result<()> {
    Ok(set_dumpable(false)?)
}
