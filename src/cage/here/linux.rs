//! Linux: no file (landlock(7)), and the system calls of the relay alone (seccomp(2)).

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetError};

use crate::cage::calls::{self, Program};
use crate::log::Log;

/// What the relay, its data connections, the log and the allocator call.
const CALLS: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_pipe2,
    libc::SYS_shutdown,
    libc::SYS_splice,
    libc::SYS_uname,
];

static PROGRAM: Program = calls::permitting(CALLS);

pub(super) fn close(log: &Log) -> Result<(), String> {
    if let Err(error) = no_files() {
        // A kernel before 5.13, or one that was started without it: the system calls say the same.
        log.debug(1, format_args!("no landlock: {error}"));
    }
    calls::allow_only(&PROGRAM, log)
}

/// Nothing may be done with any file from now on.
fn no_files() -> Result<(), RulesetError> {
    let everything = AccessFs::from_all(ABI::V5);
    let ruleset = Ruleset::default().handle_access(everything)?.create()?;
    ruleset.restrict_self()?;
    Ok(())
}
