//! FreeBSD, NetBSD, DragonFly, macOS and OpenBSD: pf, with the grammar that the system's pfctl(8) reads.

#[cfg_attr(target_os = "openbsd", path = "pf/openbsd.rs")]
#[cfg_attr(not(target_os = "openbsd"), path = "pf/others.rs")]
mod grammar;

use std::io;

use nix::unistd::Pid;

use crate::broker::Lacking;
use crate::broker::filter::Filter;
use crate::broker::pf::Pf;
use crate::options::RuleOptions;

/// Whether pf(4)'s options mean anything here.
pub const PF: bool = true;

pub(in crate::broker) fn filter(rules: &RuleOptions, session: Pid) -> io::Result<Box<dyn Filter>> {
    Ok(Box::new(pf(rules, session)))
}

/// Whether grants are possible.
///
/// # Errors
/// They are not; with what to do about it.
pub fn check(rules: &RuleOptions) -> Result<(), Lacking> {
    pf(rules, nix::unistd::getpid()).check().map_err(Lacking)
}

fn pf(rules: &RuleOptions, session: Pid) -> Pf {
    Pf::new(
        rules.clone(),
        session.as_raw().unsigned_abs(),
        grammar::GRAMMAR,
    )
}
