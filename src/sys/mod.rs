//! The kernel and C behind safe functions: the only room with `unsafe`. Each block states the fact it relies on.
//!
//! Nothing here decides anything; it calls and translates errors.

#![allow(unsafe_code, reason = "this is the room where it lives")]

#[cfg_attr(target_os = "linux", path = "batch/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "batch/none.rs")]
pub mod batch;
#[cfg(target_os = "freebsd")]
pub mod capsicum;
pub mod caught;
#[cfg_attr(target_os = "linux", path = "conduit/splice.rs")]
#[cfg_attr(not(target_os = "linux"), path = "conduit/copy.rs")]
pub mod conduit;
pub mod descriptors;
pub mod fork;
#[cfg(target_vendor = "apple")]
pub mod groups;
pub mod ipf;
pub mod libwrap;
pub mod object;
pub mod passing;
pub mod pf;
#[cfg(target_os = "openbsd")]
pub mod pledge;
pub mod random;
#[cfg(target_os = "linux")]
pub mod seccomp;
#[cfg_attr(
    any(target_os = "illumos", target_os = "solaris"),
    path = "syslogd/streams.rs"
)]
#[cfg_attr(
    not(any(target_os = "illumos", target_os = "solaris")),
    path = "syslogd/socket.rs"
)]
pub mod syslogd;
#[cfg_attr(target_os = "linux", path = "tracing/linux.rs")]
#[cfg_attr(target_os = "freebsd", path = "tracing/freebsd.rs")]
#[cfg_attr(
    not(any(target_os = "freebsd", target_os = "linux")),
    path = "tracing/none.rs"
)]
pub mod tracing;
#[cfg(all(
    panic = "abort",
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod unwind;
