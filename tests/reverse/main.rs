//! Servers behind a translator, published by the proxy: real servers at private addresses, real clients inside and outside,
//! on machines made of network namespaces. The addresses of the first two sites are those of ProFTPD's how-to on NAT, whose
//! directives they replace (docs/ancestors.md). Without root, or without the peers, every trial is ignored and says so.

#[path = "../machines/mod.rs"]
mod machines;

mod errands;
mod site;
mod trials;

use std::io::Write;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use machines::{clients, net, servers, world};

/// What is told of the log when a trial fails: its end, in lines.
const LOG_LINES: usize = 60;

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    let hindrance = world::hindrance().or_else(world::lacks_peers);
    if !arguments.list && !world::is_inside() {
        match &hindrance {
            None => return world::enter(),
            Some(why) => writeln!(
                std::io::stderr(),
                "tests/reverse: every trial is ignored: {why}"
            )?,
        }
    }
    if world::is_inside() {
        world::keep_log()?;
        site::furnish()?;
    }
    arguments.test_threads.get_or_insert(4);
    let trials = trials::all().into_iter().map(|(name, show)| {
        let show = move || show().map_err(|why| told(&why));
        Trial::test(name, show).with_ignored_flag(hindrance.is_some())
    });
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

/// A claim that does not hold is told with the end of the log, which other trials write to as well.
fn told(why: &str) -> Failed {
    let logged = world::logged_since(0);
    let end = &logged[logged.len().saturating_sub(LOG_LINES)..];
    format!("{why}\n---- the log:\n{}", end.join("\n")).into()
}
