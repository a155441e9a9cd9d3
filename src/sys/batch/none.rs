//! Systems that have no such policy.

/// See Linux.
pub fn give_way() {}

/// See Linux.
pub fn take_turns() {}
