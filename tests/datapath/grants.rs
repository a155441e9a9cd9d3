//! What a grant lets through, and for how long.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::fake::visit;
use crate::gateway::{Machines, PROXY, REDIRECTION, Setting, on, table_with_filter};
use crate::net::Namespace;
use crate::talk::{Data, Doors, Talk, bound};

pub fn transfers_follow_one_another_in_a_session(setting: Setting) {
    // With one port for all of them, each takes it over from the one before.
    for ports in [&[][..], &["-m", "50000", "-M", "50000"]] {
        let mut talk = Talk::begin(setting, ports);
        for verb in ["EPSV", "EPSV", "EPRT", "EPSV", "EPRT", "EPRT"] {
            talk.downloads_by(verb);
        }
        if !setting.v6 {
            talk.downloads_by("PASV");
            talk.downloads_by("PORT");
        }
        talk.uploads();
        talk.quits();
    }
}

pub fn a_second_client_cannot_use_anothers_grant(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (to, listener) = talk.passive("EPSV");
    let ours = SocketAddr::new(setting.inside(), to.port());
    for _ in 0..2 {
        assert!(!talk.is_reached(setting.stranger(), to));
        assert_nothing(&talk.machines.clients, setting.stranger(), ours);
    }
    // Nor has it spoilt the grant for its owner.
    let data = talk.client_dials(to, &listener);
    assert!(!talk.is_reached(setting.stranger(), to));
    talk.exchange("RETR a", "150 here it comes");
    data.downloads();
    talk.reply("226 done");

    let (listener, to) = talk.active("EPRT");
    assert_nothing(&talk.machines.server, setting.neighbour(), to);
    talk.client.says("RETR a");
    talk.server.hears("RETR a");
    let data = talk.server_dials(&listener, to);
    assert_nothing(&talk.machines.server, setting.neighbour(), to);
    talk.reply("150 here it comes");
    data.downloads();
    talk.reply("226 done");

    // The look that finds nobody above finds somebody where there is one.
    let (to, _listener) = talk.passive("EPSV");
    assert!(talk.is_reached(setting.client(), to));
    talk.quits();
}

/// Whoever dials the gateway itself may find a listener, which wants somebody else.
#[track_caller]
fn assert_nothing(machine: &Namespace, from: IpAddr, to: SocketAddr) {
    let got = on(machine, || visit(from, to)).unwrap_or_default();
    assert_eq!(got, b"");
}

pub fn a_grant_is_for_one_connection(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (to, listener) = talk.passive("EPSV");
    let data = talk.client_dials(to, &listener);
    assert!(!talk.is_reached(setting.client(), to), "a second one");
    talk.exchange("RETR a", "150 here it comes");
    assert!(
        !talk.is_reached(setting.client(), to),
        "during the transfer"
    );
    data.downloads();
    talk.reply("226 done");
    talk.grants_nothing();
    assert!(!talk.is_reached(setting.client(), to), "after the transfer");
    talk.quits();
}

pub fn a_port_that_another_session_has_granted_is_passed_over(setting: Setting) {
    let machines = Arc::new(Machines::with_table());
    let doors = Doors::open(&machines, setting);
    let begin = |ports: &[&str]| {
        let options = [&["--data-path", setting.path], ports].concat();
        Talk::through(&doors, Arc::clone(&machines), setting, &[PROXY], &options)
    };
    let mut first = begin(&["-m", "50000", "-M", "50000"]);
    let (to, listener) = first.passive("EPSV");
    let data = first.client_dials(to, &listener);
    first.exchange("RETR a", "150 here it comes");
    // It begins at either port, each time anew.
    let mut second = begin(&["-m", "50000", "-M", "50001"]);
    for _ in 0..8 {
        assert_eq!(second.passive("EPSV").0.port(), 50001);
    }
    second.downloads_by("EPSV");
    data.downloads();
    first.reply("226 done");
    first.quits();
    second.quits();
}

/// A translation that changes nothing is none to the kernel, and a filter that passes what is translated drops it.
pub fn the_port_that_the_server_names_is_not_announced(setting: Setting) {
    let mut talk = Talk::begin(setting, &["-m", "50000", "-M", "50001"]);
    let real = SocketAddr::new(setting.server(), 50000);
    let _listener = on(&talk.machines.server, || bound(real.ip(), real.port()));
    // It begins at either port, each time anew.
    for _ in 0..8 {
        let to = talk.passive_at("EPSV", real);
        assert_eq!(to.port(), 50001);
        assert!(talk.is_reached(setting.client(), to), "{to}");
    }
    talk.quits();
}

pub fn a_second_pasv_takes_the_first_ones_grant_away(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (first, _listener) = talk.passive("EPSV");
    // The port is chosen anew; it may be the same, once in a long while.
    let (second, listener) = loop {
        let (to, listener) = talk.passive("EPSV");
        if to != first {
            break (to, listener);
        }
    };
    assert!(!talk.is_reached(setting.client(), first));
    let data = talk.client_dials(second, &listener);
    talk.exchange("RETR a", "150 here it comes");
    data.downloads();
    talk.reply("226 done");
    talk.quits();
}

pub fn a_refused_transfer_keeps_the_passive_port_for_the_next(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    // The client dials before it asks, or only when it is told that data comes.
    for early in [true, false] {
        let (to, listener) = talk.passive("EPSV");
        let data = early.then(|| talk.client_dials(to, &listener));
        talk.exchange("RETR missing", "550 no such file");
        talk.exchange("RETR a", "150 here it comes");
        let data = data.unwrap_or_else(|| talk.client_dials(to, &listener));
        data.downloads();
        talk.reply("226 done");
    }
    talk.quits();
}

pub fn a_refused_transfer_keeps_the_active_port_for_the_next(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (listener, to) = talk.active("EPRT");
    talk.exchange("RETR missing", "550 no such file");
    talk.client.says("RETR a");
    talk.server.hears("RETR a");
    let data = talk.server_dials(&listener, to);
    talk.reply("150 here it comes");
    data.downloads();
    talk.reply("226 done");
    talk.quits();
}

pub fn a_transfer_can_be_aborted_and_the_next_one_works(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (to, listener) = talk.passive("EPSV");
    let data = talk.client_dials(to, &listener);
    talk.exchange("RETR endless", "150 here it comes");
    abort(&mut talk, data);
    let (listener, to) = talk.active("EPRT");
    talk.client.says("RETR endless");
    talk.server.hears("RETR endless");
    let data = talk.server_dials(&listener, to);
    talk.reply("150 here it comes");
    abort(&mut talk, data);
    talk.downloads_by("EPSV");
    talk.downloads_by("EPRT");
    talk.quits();
}

#[track_caller]
fn abort(talk: &mut Talk, mut data: Data) {
    data.server.write_all(b"some").unwrap();
    let mut some = [0; 4];
    data.client.read_exact(&mut some).unwrap();
    talk.client.says("ABOR");
    talk.server.hears("ABOR");
    drop(data.server);
    talk.reply("426 aborted");
    talk.reply("226 abort done");
    drop(data.client);
    talk.grants_nothing();
}

/// Longer than an element lives by itself.
pub fn a_grant_waits_for_its_connection(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (to, listener) = talk.passive("EPSV");
    thread::sleep(Duration::from_secs(36));
    let data = talk.client_dials(to, &listener);
    talk.exchange("RETR a", "150 here it comes");
    data.downloads();
    talk.reply("226 done");
    talk.quits();
}

pub fn a_table_that_is_loaded_anew_serves_on(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    talk.downloads_by("EPSV");
    let _lost = talk.passive("EPSV");
    talk.machines.load(&table_with_filter());
    talk.grants_nothing();
    talk.downloads_by("EPSV");
    talk.downloads_by("EPRT");
    talk.quits();
}

pub fn a_table_that_has_gone_costs_only_the_transfer(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    // Where no chain is left that translates, the control connection is lost as well.
    talk.machines.load(REDIRECTION);
    let _lost = talk.passive("EPSV");
    talk.machines.load("delete table inet ftp_proxy\n");
    let real = "229 Entering Extended Passive Mode (|||40000|)";
    talk.client.says("EPSV");
    talk.server.hears("EPSV");
    talk.server.says(real);
    talk.client.hears_code("500 ");
    talk.exchange("NOOP", "200 yes");
    talk.machines.load(&table_with_filter());
    talk.downloads_by("EPSV");
    talk.quits();
}
