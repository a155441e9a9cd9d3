//! OpenBSD: pf with rules that translate by themselves.

use std::io;

use nix::unistd::Pid;

use crate::broker::Lacking;
use crate::broker::filter::Filter;
use crate::broker::pf::Pf;
use crate::options::RuleOptions;
use crate::rules::pf::Grammar;

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
        Grammar::Match,
    )
}
