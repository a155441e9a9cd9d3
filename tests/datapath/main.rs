//! The redirect and kernel data paths with a real packet filter, on machines made of network namespaces. Client and server
//! do exactly as they are told, and say whom they see. Without root every trial is ignored and says so.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../machines/mod.rs"]
mod machines;

mod addresses;
mod broker;
mod crowd;
mod ends;
mod grants;
mod kept;
mod start;
mod talk;
mod third;

use std::process::ExitCode;

use libtest_mimic::Trial;

use machines::gateway::Setting;
use machines::stage::{Stage, told};
use machines::{gateway, net, processes, world};

/// A claim, and what shows it.
type Claim<F> = (&'static str, F);

/// Functions as claims, under their own names.
macro_rules! claims {
    ($type:ty; $($room:ident :: $claim:ident),+ $(,)?) => { [$((stringify!($claim), $room::$claim as $type)),+] };
}

/// Of both data paths, in both families.
const OF_BOTH: [Claim<fn(Setting)>; 24] = claims![
    fn(Setting);
    addresses::passive_data_is_with_the_address_that_was_dialled,
    addresses::active_data_comes_from_the_address_that_was_dialled,
    addresses::active_data_comes_from_port_20_on_request,
    addresses::the_server_sees_the_address_that_was_given_for_it,
    crowd::twenty_sessions_at_once_all_complete,
    ends::a_session_leaves_nothing_behind,
    ends::a_killed_session_leaves_no_grant,
    ends::a_grant_goes_with_its_session_however_that_ends,
    ends::a_listening_proxy_has_no_child_left,
    ends::data_ends_at_the_gateway_in_redirect_only,
    grants::transfers_follow_one_another_in_a_session,
    grants::a_second_client_cannot_use_anothers_grant,
    grants::a_grant_is_for_one_connection,
    grants::a_port_that_another_session_has_granted_is_passed_over,
    grants::a_second_pasv_takes_the_first_ones_grant_away,
    grants::a_refused_transfer_keeps_the_passive_port_for_the_next,
    grants::a_refused_transfer_keeps_the_active_port_for_the_next,
    grants::a_transfer_can_be_aborted_and_the_next_one_works,
    grants::a_table_that_is_loaded_anew_serves_on,
    grants::a_table_that_has_gone_costs_only_the_transfer,
    broker::the_broker_holds_nothing_but_its_own,
    broker::the_broker_may_bind_port_20_only_on_request,
    broker::a_broker_that_was_stopped_for_a_while_serves_on,
    broker::a_session_without_its_broker_goes_on,
];

/// Of the kernel data path alone, in both families.
const OF_KERNEL: [Claim<fn(Setting)>; 2] = claims![
    fn(Setting);
    grants::the_port_that_the_server_names_is_not_announced,
    ends::a_transfer_that_rests_is_not_idle,
];

/// Of the redirect data path alone, in both families; PASV is for one.
const OF_REDIRECT: [Claim<fn(Setting)>; 2] = claims![
    fn(Setting);
    third::a_third_host_is_dialled_from_our_own_address_and_nothing_is_granted,
    third::a_third_host_that_the_server_names_is_dialled_and_the_client_sees_whom_it_dialled,
];

/// Those that wait for half a minute: once each.
const SLOW: [Claim<fn(Setting)>; 2] = claims![
    fn(Setting);
    ends::what_a_killed_session_and_a_killed_broker_leave_expires,
    grants::a_grant_waits_for_its_connection,
];

/// Of starting, where nothing depends on path or family.
const STARTS: [Claim<fn()>; 9] = claims![
    fn();
    start::a_missing_table_ends_the_program_with_the_line_to_run,
    start::a_table_that_lacks_a_set_ends_the_program,
    start::auto_relays_without_a_table_and_says_why,
    start::without_the_right_to_it_the_program_ends,
    start::auto_relays_without_the_right_to_more_and_says_why,
    start::a_capability_is_enough_in_place_of_root,
    start::between_the_families_the_kernel_path_relays_and_says_why,
    start::no_broker_is_started_where_nothing_needs_one,
    start::relayed_active_data_comes_from_port_20_without_root,
];

/// Of connections that last, where little depends on the data path.
const LASTING: [Claim<fn()>; 2] = claims![
    fn();
    kept::a_session_that_is_not_probed_is_forgotten,
    kept::both_control_connections_and_lasting_data_are_probed,
];

/// The same for each data path.
const PROBED: [Claim<fn(Setting)>; 1] = claims![
    fn(Setting);
    kept::a_session_that_is_probed_is_not_forgotten,
];

fn main() -> std::io::Result<ExitCode> {
    let stage = Stage {
        name: "tests/datapath",
        threads: 10, // some wait for half a minute
        hindrance: gateway::hindrance(),
    };
    stage.run(gateway::install, trials)
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |setting: Setting, claims: &[Claim<fn(Setting)>]| {
        for &(name, claim) in claims {
            let show = move || told(|| claim(setting));
            trials.push(Trial::test(format!("{setting}/{name}"), show));
        }
    };
    // First, so that the others run meanwhile.
    add(Setting::KERNEL_V4, &SLOW[..1]);
    add(Setting::REDIRECT_V6, &SLOW[..1]);
    add(Setting::KERNEL_V6, &SLOW[1..]);
    add(Setting::REDIRECT_V4, &SLOW[1..]);
    for setting in [Setting::RELAY_V4, Setting::REDIRECT_V6, Setting::KERNEL_V4] {
        add(setting, &PROBED);
    }
    for setting in Setting::ALL {
        add(setting, &OF_BOTH);
    }
    for setting in [Setting::KERNEL_V4, Setting::KERNEL_V6] {
        add(setting, &OF_KERNEL);
    }
    add(Setting::REDIRECT_V4, &OF_REDIRECT);
    add(Setting::REDIRECT_V6, &OF_REDIRECT[..1]);
    for (kind, claims) in [("start", &STARTS[..]), ("kept", &LASTING)] {
        for &(name, show) in claims {
            trials.push(Trial::test(format!("{kind}/{name}"), move || told(show)));
        }
    }
    trials
}
