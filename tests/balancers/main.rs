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

use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use machines::{gateway, net, servers, world};

/// What is told of the log when a claim does not hold: its end, in lines.
const LOG_LINES: usize = 60;

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    let hindrance = world::hindrance()
        .or_else(world::lacks_peers)
        .or_else(gateway::hindrance)
        .or_else(lacks_haproxy);
    if !arguments.list && !world::is_inside() {
        match &hindrance {
            None => return world::enter(),
            Some(why) => writeln!(
                std::io::stderr(),
                "tests/balancers: every trial is ignored: {why}"
            )?,
        }
    }
    if world::is_inside() {
        world::keep_log()?;
        gateway::install()?;
    }
    // They wait for one another more than they compute.
    arguments.test_threads.get_or_insert(4);
    let trials = claims::all().into_iter().map(|(name, claim)| {
        Trial::test(name, move || told(claim)).with_ignored_flag(hindrance.is_some())
    });
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

fn lacks_haproxy() -> Option<String> {
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/.work/root/usr/sbin/haproxy"
    );
    (!Path::new(program).exists()).then(|| "needs haproxy: run tests/setup/peers".to_owned())
}

/// A claim that does not hold is told with what was logged meanwhile, by other trials too.
fn told(show: impl FnOnce()) -> Result<(), Failed> {
    let position = world::log_position();
    panic::catch_unwind(AssertUnwindSafe(show)).map_err(|_| {
        let logged = world::logged_since(position);
        let end = &logged[logged.len().saturating_sub(LOG_LINES)..];
        format!("see the panic above; the log:\n{}", end.join("\n")).into()
    })
}
