//! What the broker gives up before it reads its first request: all that the system can take from it.

use nix::sys::resource::{Resource, setrlimit};

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
    let limit = |what, most| {
        setrlimit(what, most, most).map_err(|errno| format!("cannot set limits: {}", errno.desc()))
    };
    // No core file, in which a later reader finds a session; and few descriptors.
    limit(Resource::RLIMIT_CORE, 0)?;
    limit(Resource::RLIMIT_NOFILE, 64)?;
    root.clone()
        .keep(needs)
        .map_err(|error| error.to_string())?;
    here::enter(log)
}
