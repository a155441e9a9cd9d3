//! Everybody who has kept the older grammar.

use crate::rules::pf::Grammar;

pub(super) const GRAMMAR: Grammar = Grammar::Translation;
