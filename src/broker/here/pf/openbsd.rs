//! OpenBSD since 4.7.

use crate::rules::pf::Grammar;

pub(super) const GRAMMAR: Grammar = Grammar::Match;
