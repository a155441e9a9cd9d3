//! FreeBSD, NetBSD, DragonFly, macOS and OpenBSD: pf, with the grammar that the system's pfctl(8) reads.

#[cfg_attr(target_os = "openbsd", path = "pf/openbsd.rs")]
#[cfg_attr(not(target_os = "openbsd"), path = "pf/others.rs")]
mod grammar;

use std::io;
use std::path::Path;

use nix::unistd::Pid;

use crate::broker::Lacking;
use crate::broker::filter::Filter;
use crate::broker::pf::Pf;
use crate::options::RuleOptions;
use crate::rules::pf::Grammar;

/// What brokers hold while they run pfctl(8). Root alone makes files in that folder, so that no other user can hold it.
const LOCK: &str = "/var/run/ftp-proxy.pf.lock";

/// Whether pf(4)'s options mean anything here.
pub const PF: bool = true;

pub(in crate::broker) fn filter(rules: &RuleOptions, session: Pid) -> io::Result<Box<dyn Filter>> {
    Ok(Box::new(pf(rules, session)?))
}

/// Whether grants are possible.
///
/// # Errors
/// They are not; with what to do about it.
pub fn check(rules: &RuleOptions) -> Result<(), Lacking> {
    let pf = pf(rules, nix::unistd::getpid());
    let pf = pf.map_err(|error| Lacking(format!("cannot open {LOCK}: {error}")))?;
    pf.check().map_err(Lacking)
}

fn pf(rules: &RuleOptions, session: Pid) -> io::Result<Pf> {
    let pid = session.as_raw().unsigned_abs();
    let mut pf = Pf::new(rules.clone(), pid, grammar::GRAMMAR);
    // With the other grammar, pools are in the rules themselves.
    if grammar::GRAMMAR == Grammar::Translation {
        pf.lock_at(Path::new(LOCK))?;
    }
    Ok(pf)
}
