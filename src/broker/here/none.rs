//! Systems whose packet filter takes no grants from us.

use std::io;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::broker::Lacking;
use crate::broker::filter::Filter;
use crate::options::RuleOptions;

/// Whether pf(4)'s options mean anything here.
pub const PF: bool = false;

pub(in crate::broker) fn filter(_: &RuleOptions, _: Pid) -> io::Result<Box<dyn Filter>> {
    Err(Errno::ENOSYS.into())
}

/// Whether grants are possible.
///
/// # Errors
/// They are not.
pub fn check(_: &RuleOptions) -> Result<(), Lacking> {
    Err(Lacking(
        "this system has neither pf nor nftables: use --data-path relay".to_owned(),
    ))
}
