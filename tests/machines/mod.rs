//! Machines made of network namespaces, and the real servers and clients that stand on them. Shared by the tests that need
//! more than loopback.

#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part"
)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

pub mod clients;
pub mod daemons;
pub mod gateway;
pub mod net;
pub mod processes;
pub mod servers;
pub mod stage;
pub mod world;
