//! Gateways behind the balancers that people run, with the configurations of `docs/scale-out.md`: sessions on both, and one
//! gateway lost in their middle. `tests/setup/peers` fetches the programs; without them, or without root, every trial is
//! ignored and says so.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../machines/mod.rs"]
mod machines;

mod balance;
mod client;
mod container;
mod document;
mod scene;

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};

use machines::net::Family;
use machines::stage::{Stage, told_with};
use machines::{daemons, gateway, net, processes, servers, world};

/// A claim, and what shows it.
type Claim<F> = (&'static str, F);

/// Functions as claims, under their own names.
macro_rules! claims {
    ($type:ty; $($room:ident :: $claim:ident),+ $(,)?) => { [$((stringify!($claim), $room::$claim as $type)),+] };
}

/// In both families; the slow ones first, so that the others run meanwhile.
const IN_BOTH: [Claim<fn(Family)>; 4] = claims![
    fn(Family);
    balance::behind_haproxy_a_lost_gateway_ends_only_its_sessions,
    balance::behind_haproxy_gateways_are_restarted_one_by_one_and_no_session_ends,
    balance::behind_nftables_a_lost_gateway_ends_only_its_sessions,
    balance::behind_haproxy_without_its_header_active_data_is_refused,
];

/// Where no family matters.
const ONCE: [Claim<fn()>; 9] = claims![
    fn();
    container::an_image_of_the_program_alone_carries_whole_sessions,
    container::a_container_that_is_stopped_lets_its_sessions_end,
    container::a_container_finds_a_server_by_the_files_that_its_runtime_gives_it,
    balance::with_an_address_for_each_a_lost_gateway_ends_only_its_sessions,
    balance::an_abor_behind_a_synch_is_an_abor_behind_haproxy_too,
    balance::a_health_check_is_a_short_session_in_the_log,
    document::every_haproxy_configuration_of_the_document_is_valid,
    document::every_nftables_file_of_the_document_is_valid,
    document::every_keepalived_configuration_of_the_document_is_valid,
];

/// Needs the schemas of Kubernetes, which tests/setup/peers may not have got.
const WITH_SCHEMAS: Claim<fn()> = (
    "the_manifest_for_kubernetes_is_valid_and_its_pod_carries_sessions",
    container::the_manifest_for_kubernetes_is_valid_and_its_pod_carries_sessions,
);

fn main() -> std::io::Result<ExitCode> {
    let stage = Stage {
        name: "tests/scale",
        threads: 4,
        hindrance: world::lacks_peers()
            .or_else(document::hindrance)
            .or_else(gateway::hindrance),
    };
    let furnish = || {
        gateway::install()?;
        client::serve_the_file()
    };
    stage.run(furnish, trials)
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, claim) in IN_BOTH {
        for family in [Family::V4, Family::V6] {
            let show = move || told(|| claim(family));
            trials.push(Trial::test(format!("{family}/{name}"), show));
        }
    }
    for (name, claim) in ONCE {
        trials.push(Trial::test(name, move || told(claim)));
    }
    let (name, claim) = WITH_SCHEMAS;
    let trial = Trial::test(name, move || told(claim));
    trials.push(trial.with_ignored_flag(container::lacks_schemas()));
    trials
}

/// With what containers have said, too.
fn told(show: impl FnOnce()) -> Result<(), Failed> {
    told_with(show, container::said)
}
