//! The log when a peer provokes one kind of line again and again: the first few, and the sum at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::Write;
use std::net::SocketAddr;

use common::address::{CLIENT, SERVER, STRANGER, address_in, numbers};
use common::eventually;
use common::fake::{Control, Listener, dial, nowhere, read_all, visit};
use common::listening::Listening;
use common::logged::Logged;
use nix::sys::signal::Signal;

/// How often each line is provoked.
const OFTEN: usize = 60;

/// How often it is written.
const WRITTEN: usize = 20;

/// The lines that the session writes until it is over.
#[track_caller]
fn lines_of(mut session: Logged) -> Vec<String> {
    session.client.says("QUIT");
    drop(session.client);
    drop(session.server);
    session.log.logs("session ended");
    session.log.logs(" were not logged");
    session.log.seen
}

#[track_caller]
fn only_the_first_and_their_sum(log: &[String], what: &str, name: &str) {
    let count = |what: &str| log.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count(what), WRITTEN, "{log:#?}");
    let further = format!("further {name} are counted and not logged");
    assert_eq!(count(&further), 1, "{log:#?}");
    let sum = format!("{} more {name} were not logged", OFTEN - WRITTEN);
    assert_eq!(count(&sum), 1, "{log:#?}");
}

#[test]
fn refused_commands_are_logged_twenty_times() {
    let mut session = Logged::begin(&["--deny-command", "DELE"]);
    for n in 0..OFTEN {
        session.client.says(["PORT 1", "DELE a", "AUTH TLS"][n % 3]);
        session.client.hears_code("50");
    }
    let log = lines_of(session);
    only_the_first_and_their_sum(&log, "refused command, ", "refused commands");
}

#[test]
fn addresses_of_others_are_logged_twenty_times() {
    let mut session = Logged::begin(&["--foreign-address", "ignore"]);
    for _ in 0..OFTEN {
        session.client.says("PORT 127,0,0,66,200,1");
        session.server.hears_code("PORT ");
        session.server.says("200 ok");
        session.client.hears_code("200 ");
    }
    let log = lines_of(session);
    only_the_first_and_their_sum(&log, "client named ", "addresses of other hosts");
}

#[test]
fn useless_passive_replies_are_logged_twenty_times() {
    let mut session = Logged::begin(&[]);
    for _ in 0..OFTEN {
        session.client.says("PASV");
        session.server.hears("PASV");
        session.server.says("227 somewhere");
        session.client.hears_code("502 ");
    }
    let log = lines_of(session);
    only_the_first_and_their_sum(&log, "passive reply of no use", "passive replies of no use");
}

/// Where a client of the session is to dial.
#[track_caller]
fn pasv(session: &mut Logged, server: SocketAddr) -> SocketAddr {
    session.client.says("PASV");
    session.server.hears("PASV");
    let reply = format!("227 ok ({})", numbers(server));
    session.server.says(&reply);
    address_in(&session.client.hears_code("227 "))
}

#[test]
fn strangers_at_a_data_port_are_logged_twenty_times() {
    let mut session = Logged::begin(&[]);
    let listener = Listener::at(SERVER);
    let to = pasv(&mut session, listener.address());
    for _ in 0..OFTEN {
        visit(STRANGER, to).unwrap_or_default();
    }
    let log = lines_of(session);
    only_the_first_and_their_sum(
        &log,
        "refused data connection from ",
        "refused data connections",
    );
}

#[test]
fn bad_headers_at_a_data_port_are_logged_twenty_times() {
    let balancers = [
        "--accept-proxy-protocol",
        "127.0.0.66",
        "--data-proxy-protocol",
    ];
    let mut session = Logged::begin(&balancers);
    let listener = Listener::at(SERVER);
    let to = pasv(&mut session, listener.address());
    for _ in 0..OFTEN {
        let mut balancer = dial(STRANGER, to).unwrap();
        balancer.write_all(b"no header at all\r\n").unwrap();
        read_all(&balancer).unwrap_or_default();
    }
    let log = lines_of(session);
    only_the_first_and_their_sum(
        &log,
        "refused data connection from ",
        "refused data connections",
    );
}

#[test]
fn data_that_fails_is_logged_twenty_times() {
    let mut session = Logged::begin(&[]);
    for _ in 0..OFTEN {
        let to = pasv(&mut session, nowhere(SERVER));
        visit(CLIENT, to).unwrap_or_default();
    }
    let log = lines_of(session);
    only_the_first_and_their_sum(&log, "cannot open data", "failed data connections");
}

#[test]
fn refused_servers_are_logged_twenty_times() {
    let mut log = Listening::begin(&["--forward"]);
    let mut client = log.client();
    client.hears_code("220 ");
    for _ in 0..OFTEN {
        client.says("USER joe@255.255.255.255");
        client.hears_code("530 ");
    }
    client.says("QUIT");
    client.hears_code("221 ");
    log.logs(" were not logged");
    only_the_first_and_their_sum(&log.seen, "refused 255.", "refused servers");
}

#[test]
fn refused_clients_are_logged_twenty_times_a_minute() {
    let there = Listener::at(SERVER);
    let address = there.address().to_string();
    let mut log = Listening::begin(&["-R", &address, "--max-sessions", "1"]);
    let first = log.client();
    let _server = Control::over(there.accepts(), "server");
    for _ in 0..OFTEN {
        let mut client = log.client();
        client.hears_code("421 ");
        drop(client);
    }
    drop(first);
    log.proxy.signal(Signal::SIGTERM);
    eventually("it ends", || log.proxy.ended());
    log.logs(" were not logged");
    only_the_first_and_their_sum(&log.seen, "sessions already", "refused clients");
}
