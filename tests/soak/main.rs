//! Many sessions at once for a long time, of random transfers that are whole, break, are aborted or killed. What is called
//! complete is; nobody waits for ever; a killed session costs that session; nothing grows and nothing is left.
//!
//! Two minutes of it are a test like any other. `tests/soak/run` is for as long as one likes, by these variables:
//! SOAK_SECONDS, SOAK_SESSIONS (at once) and SOAK_SEED.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_macros,
    reason = "a test stops at the first surprise, and a soak tells how it went"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/free.rs"]
mod free;
#[path = "../common/sessions.rs"]
mod sessions;

mod chance;
mod client;
mod file;
mod gateway;
mod server;
mod tally;

use std::env;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitStatus, waitpid};

use crate::chance::Chance;
use crate::client::Client;
use crate::gateway::{Gateway, Launcher};
use crate::server::Server;
use crate::tally::Tally;

/// How long the form in the suite takes, in seconds, and how many sessions it has at once in each world.
const SECONDS: u64 = 120;
const SESSIONS: usize = 50;

/// Before this part of the time is over nothing is measured: the first of everything needs memory that stays.
const WARM_UP: u32 = 5;

/// So much may a process have grown after warm-up, in KiB: what the allocator keeps for a moment like the worst so far.
const ALLOWANCE: u64 = 512;

/// Between two sessions that are killed.
const BETWEEN_KILLS: Duration = Duration::from_millis(700);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let seed = setting("SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOAK_SEED={seed}");
    type Claim = fn(Launcher, u64) -> Result<(), Failed>;
    let trials: [(&str, Claim, Launcher); 4] = [
        ("sessions_by_listen_go_on_and_on", soak, Launcher::Listen),
        ("sessions_by_inetd_go_on_and_on", soak, Launcher::Inetd),
        (
            "sessions_outlive_a_parent_that_is_killed",
            outlive,
            Launcher::Listen,
        ),
        (
            "sessions_outlive_an_inetd_that_is_killed",
            outlive,
            Launcher::Inetd,
        ),
    ];
    let trials = trials.map(|(name, claim, launcher)| {
        Trial::test(name, move || claim(launcher, seed)).with_ignored_flag(!launcher.is_here())
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

fn soak(launcher: Launcher, seed: u64) -> Result<(), Failed> {
    let time = Duration::from_secs(setting("SOAK_SECONDS").unwrap_or(SECONDS));
    let sessions = setting("SOAK_SESSIONS").unwrap_or(SESSIONS);
    let server = Server::start();
    let gateway = Gateway::start(launcher, server.address());
    let tally = Arc::new(Tally::new(time));
    // One that lives all the time, and is spared.
    let mut lasting = Client::begin(gateway.address(), Chance::new(seed), Arc::clone(&tally))?;
    let lasting_process = gateway.sessions()[0];
    // At rest, as at the end: one that has just accepted a client has its descriptor too.
    let at_rest = [gateway.size_of_parent(), gateway.size(lasting_process)];
    let clients: Vec<_> = (1..sessions)
        .map(|number| go(&gateway, Chance::new(seed ^ (number as u64) << 32), &tally))
        .collect();
    let mut chance = Chance::new(!seed);
    let mut before = None;
    while !tally.is_over() {
        lasting.transfers_whole()?;
        std::thread::sleep(BETWEEN_KILLS);
        if before.is_none() && tally.elapsed() > time / WARM_UP {
            before = Some([gateway.size_of_parent(), gateway.size(lasting_process)]);
        }
        if gateway.kills_one(&mut chance, lasting_process) {
            tally.killed();
        }
    }
    for client in clients {
        client.join().map_err(|_| "a client has panicked")?;
    }
    gateway.is_left_with(&[lasting_process])?;
    let after = [gateway.size_of_parent(), gateway.size(lasting_process)];
    lasting.quits()?;
    gateway.is_left_with(&[])?;
    println!("{launcher:?}: {tally}");
    let before = before.ok_or("too short to warm up")?;
    println!("{launcher:?}: parent and lasting session: {before:?}, at the end {after:?}");
    for (at_rest, after) in at_rest.into_iter().zip(after) {
        if after.descriptors != at_rest.descriptors {
            return Err(format!("descriptors: {at_rest:?}, then {after:?}").into());
        }
    }
    for (before, after) in before.into_iter().zip(after) {
        if after.memory > before.memory + ALLOWANCE {
            return Err(format!("memory: {before:?}, then {after:?}").into());
        }
    }
    server.verdict()?;
    Ok(tally.verdict()?)
}

/// Whoever has started them is killed: they go on to a good end each, and leave nothing.
fn outlive(launcher: Launcher, seed: u64) -> Result<(), Failed> {
    // So that those whose parent is gone are ours, and their end can be seen.
    set_child_subreaper(true)?;
    let server = Server::start();
    let mut gateway = Gateway::start(launcher, server.address());
    let tally = Arc::new(Tally::new(Duration::MAX));
    let mut clients = Vec::new();
    for number in 0..3 {
        let mut client = Client::begin(
            gateway.address(),
            Chance::new(seed + number),
            Arc::clone(&tally),
        )?;
        client.transfers_whole()?;
        clients.push(client);
    }
    let sessions = gateway.sessions();
    assert_eq!(sessions.len(), clients.len());
    gateway.is_killed();
    for client in &mut clients {
        for _ in 0..5 {
            client.transfers_whole()?;
        }
    }
    // One says goodbye, the others are just gone.
    clients[0].quits()?;
    drop(clients);
    for session in sessions {
        let end = waitpid(session, None)?;
        if end != WaitStatus::Exited(session, 0) {
            return Err(format!("a session ended so: {end:?}").into());
        }
    }
    server.verdict()?;
    Ok(())
}

/// A client that has session after session until time is over.
fn go(gateway: &Gateway, mut chance: Chance, tally: &Arc<Tally>) -> JoinHandle<()> {
    let (at, tally) = (gateway.address(), Arc::clone(tally));
    let thread = Builder::new().stack_size(256 << 10);
    let life = move || {
        // Not all in one moment.
        std::thread::sleep(Duration::from_millis(chance.below(2000)));
        while !tally.is_over() {
            if let Err(why) = client::session(at, chance.child(), &tally) {
                tally.wrong(why);
            }
        }
    };
    thread.spawn(life).expect("a thread")
}
