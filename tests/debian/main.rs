//! What an administrator of a stock Debian follows: the README, the units and the firewall page, on a gateway that systemd
//! boots in namespaces of its own. Without root every trial is ignored and says so.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../machines/mod.rs"]
mod machines;

mod boot;
mod bridge;
mod firewalls;
mod units;
mod visit;

use std::process::ExitCode;

use libtest_mimic::Trial;

use machines::stage::{Stage, told};
use machines::{gateway, net, world};

/// Functions as claims, under their own names.
macro_rules! claims {
    ($($room:ident :: $claim:ident),+ $(,)?) => { [$((stringify!($claim), $room::$claim as fn())),+] };
}

const OF_UNITS: [(&str, fn()); 9] = claims![
    units::the_readme_makes_a_gateway_that_survives_a_reboot,
    units::the_listen_unit_serves_as_the_user_of_the_package,
    units::the_table_comes_back_after_each_start_of_nftables,
    units::the_socket_unit_serves_or_the_listen_unit_does,
    units::the_readme_has_inetd_take_the_place_of_the_unit,
    units::the_reverse_unit_serves_on_port_21,
    units::the_forward_unit_finds_a_server_by_its_name,
    bridge::the_recipe_for_a_container_carries_passive_data,
    bridge::a_server_is_told_the_address_of_a_container,
];

fn main() -> std::io::Result<ExitCode> {
    let stage = Stage {
        name: "tests/debian",
        threads: 2,
        hindrance: gateway::hindrance()
            .or_else(world::lacks_peers)
            .or_else(boot::hindrance),
    };
    stage.run(gateway::install, || {
        let trial = |(name, show): (&str, fn())| Trial::test(name, move || told(show));
        let mut trials: Vec<_> = OF_UNITS.into_iter().map(trial).collect();
        trials.extend(firewalls::trials());
        trials
    })
}
