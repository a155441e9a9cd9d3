//! Servers behind a translator, published by the proxy: real servers at private addresses, real clients inside and outside,
//! on machines made of network namespaces. The addresses of the first two sites are those of ProFTPD's how-to on NAT, whose
//! directives they replace (docs/ancestors.md). Without root, or without the peers, every trial is ignored and says so.

#[path = "../machines/mod.rs"]
mod machines;

mod errands;
mod site;
mod trials;

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};

use machines::stage::{Stage, end};
use machines::{clients, gateway, net, servers, world};

fn main() -> std::io::Result<ExitCode> {
    let stage = Stage {
        name: "tests/reverse",
        threads: 4,
        hindrance: world::lacks_peers(),
    };
    let trial =
        |(name, show): trials::Claim| Trial::test(name, move || show().map_err(|why| told(&why)));
    stage.run(site::furnish, || {
        trials::all().into_iter().map(trial).collect()
    })
}

/// A claim that does not hold is told with the end of the log, which other trials write to as well.
fn told(why: &str) -> Failed {
    format!("{why}\n---- the log:\n{}", end(&world::logged_since(0))).into()
}
