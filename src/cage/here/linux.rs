//! Linux: no file and no signal to others (landlock(7)), and the system calls of the relay alone (seccomp(2)).

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetError, Scope};

use crate::cage::calls::{self, Program};
use crate::log::Log;

/// What the relay, its data connections, the log and the allocator call.
const CALLS: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_pipe2,
    libc::SYS_uname,
];

static PROGRAM: Program = calls::permitting(CALLS);

pub(super) fn close(log: &Log) -> Result<(), String> {
    if let Err(error) = nothing_outside() {
        // A kernel before 5.13, or one that was started without it: the system calls say the same.
        log.debug(1, format_args!("no landlock: {error}"));
    }
    calls::allow_only(&PROGRAM, log)
}

/// Nothing may be done with any file from now on; nor, from Linux 6.12 on, may a signal be sent to a process outside or an
/// abstract socket of one be reached.
fn nothing_outside() -> Result<(), RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?;
    ruleset.restrict_self()?;
    Ok(())
}
