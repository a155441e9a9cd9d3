//! Linux: the few system calls that the broker's own code makes. Its user and capabilities are settled by then.

use crate::cage::calls::{self, Program};
use crate::log::Log;

static PROGRAM: Program = calls::permitting(&[libc::SYS_sendmsg]);

pub(super) fn enter(log: &Log) -> Result<(), String> {
    calls::allow_only(&PROGRAM, log)
}
