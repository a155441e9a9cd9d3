//! setgroups(2) on Darwin, which nix leaves out because Open Directory may know of more groups than the kernel.

use std::ptr;

use nix::errno::Errno;
use nix::unistd::Gid;

/// Makes `gid` the only supplementary group.
///
/// # Errors
/// EPERM: we are not root; the process must end.
pub fn set_groups(gid: Gid) -> nix::Result<()> {
    let gid = gid.as_raw();
    // SAFETY: the count is 1 and the pointer is to one live gid_t.
    Errno::result(unsafe { libc::setgroups(1, ptr::from_ref(&gid)) }).map(drop)
}
