//! What the broker gives up before it reads its first request: all that the system can take from it.

use std::io;

use nix::sys::resource::Resource;
use nix::unistd::chdir;

use crate::cage::limit;
use crate::log::Log;
use crate::privs::{Needs, Root};

#[cfg_attr(target_os = "linux", path = "cage/linux.rs")]
#[cfg_attr(target_os = "openbsd", path = "cage/openbsd.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "openbsd")),
    path = "cage/none.rs"
)]
mod here;

/// # Errors
/// Something could not be given up: the broker must not serve.
pub(super) fn enter(root: &Root, needs: Needs, log: &Log) -> Result<(), String> {
    let failed = |error| format!("cannot set limits: {error}");
    limit(&[Resource::RLIMIT_CORE]).map_err(failed)?;
    // Whoever started the session may have stood anywhere, and pfctl(8) is run where we stand.
    chdir("/").map_err(|errno| format!("cannot go to /: {}", io::Error::from(errno)))?;
    root.keep(needs).map_err(|error| error.to_string())?;
    here::enter(log)
}
