//! Sessions are strangers to each other and to the system. Each attack is made: a confined session is stopped, and issues the
//! system calls that code of an attacker in it would issue. Root only, on Linux and `x86_64`, whose registers it sets.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/free.rs"]
mod free;
#[path = "../common/sessions.rs"]
mod sessions;
#[path = "../common/syslog.rs"]
mod syslog;

mod attacks;
mod captive;
mod inherited;
mod resolver;
mod scene;
mod terminal;
mod tracing;
