//! Linux: the few system calls that the broker's own code makes. Its user and capabilities are settled by then.

use nix::sys::prctl::set_no_new_privs;

use crate::cage::calls;
use crate::log::Log;

pub(super) fn enter(log: &Log) -> Result<(), String> {
    set_no_new_privs().map_err(|errno| format!("cannot give up exec: {}", errno.desc()))?;
    if !calls::allow_only(&[])? {
        log.debug(
            1,
            format_args!("broker: no system call filter for this machine's architecture"),
        );
    }
    Ok(())
}
