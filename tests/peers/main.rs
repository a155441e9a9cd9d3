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

use std::io::Write;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use machines::{clients, net, servers, world};

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    let hindrance = world::hindrance().or_else(world::lacks_peers);
    if !arguments.list && !world::is_inside() {
        match &hindrance {
            None => return world::enter(),
            Some(why) => writeln!(
                std::io::stderr(),
                "tests/peers: every trial is ignored: {why}"
            )?,
        }
    }
    if world::is_inside() {
        world::keep_log()?;
        launch::install()?;
    }
    // The peers wait for one another more than they compute.
    arguments.test_threads.get_or_insert(6);
    let trials = cases::all()
        .into_iter()
        .map(|case| trial(case, hindrance.is_some()));
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

fn trial(case: cases::Case, hindered: bool) -> Trial {
    Trial::test(case.to_string(), move || {
        trial::run(&case).map_err(Failed::from)
    })
    .with_ignored_flag(hindered)
}
