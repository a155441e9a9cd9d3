//! The PROXY protocol with a real HAProxy: in front of the proxy as the manual has it, and between proxy and servers.
//! `tests/setup/peers` fetches the programs; without them, or without root, every trial is ignored and says so.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../machines/mod.rs"]
mod machines;

mod claims;
mod manual;
mod scene;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Trial;

use machines::stage::{Stage, told};
use machines::{daemons, gateway, net, servers, world};

fn main() -> std::io::Result<ExitCode> {
    let stage = Stage {
        name: "tests/balancers",
        threads: 4,
        hindrance: world::lacks_peers()
            .or_else(gateway::hindrance)
            .or_else(lacks_haproxy),
    };
    let trial = |(name, claim)| Trial::test(name, move || told(claim));
    stage.run(gateway::install, || {
        claims::all().into_iter().map(trial).collect()
    })
}

fn lacks_haproxy() -> Option<String> {
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/.work/root/usr/sbin/haproxy"
    );
    (!Path::new(program).exists()).then(|| "needs haproxy: run tests/setup/peers".to_owned())
}
