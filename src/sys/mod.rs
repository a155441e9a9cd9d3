//! The kernel and C behind safe functions: the only room with `unsafe`. Each block states the fact it relies on.
//!
//! Nothing here decides anything; it calls and translates errors.

#![allow(unsafe_code, reason = "this is the room where it lives")]

pub mod fork;
#[cfg(target_vendor = "apple")]
pub mod groups;
pub mod libwrap;
