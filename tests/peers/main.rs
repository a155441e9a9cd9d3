//! Whole sessions between FTP servers, FTP clients and super-servers that people really run, on machines made of network
//! namespaces. `tests/setup/peers` fetches the programs; without them, or without root, every trial is ignored and says so.

mod cases;
mod cuts;
mod gateways;
mod launch;
#[path = "../machines/mod.rs"]
mod machines;
mod table;
mod trial;

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};

use machines::stage::Stage;
use machines::{clients, net, servers, world};

fn main() -> std::io::Result<ExitCode> {
    let stage = Stage {
        name: "tests/peers",
        threads: 6,
        hindrance: world::lacks_peers(),
    };
    stage.run(launch::install, || {
        cases::all().into_iter().map(trial).collect()
    })
}

fn trial(case: cases::Case) -> Trial {
    Trial::test(case.to_string(), move || {
        trial::run(&case).map_err(Failed::from)
    })
}
