//! What a client is told of passive data connections where somebody translates in front of the proxy, and what happens when
//! the ports for them run out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::net::{IpAddr, SocketAddr};

use common::address::{BACK, Ends, FRONT, V6, address_in, numbers};
use common::eventually;
use common::fake::{Listener, read_all, send_all};
use common::listening::Listening;
use common::session::Session;

/// An address of documentation, where nobody is.
const OUTSIDE: &str = "203.0.113.5";

/// The lowest of some ports that were free a moment ago, so that not all of them can be taken meanwhile.
fn some_ports() -> u16 {
    loop {
        let port = Listener::at(FRONT).address().port();
        if port < u16::MAX - SOME {
            return port;
        }
    }
}

/// How many more than the lowest.
const SOME: u16 = 19;

/// PASV, and the address in the 227, which need not be one of this machine; the listener that the server named.
#[track_caller]
fn told(session: &mut Session) -> (SocketAddr, Listener) {
    session.pasv()
}

/// What is told is not where the proxy listens: the client comes by the translator, here to the proxy's own address.
#[track_caller]
fn carries_data(session: &mut Session, told: SocketAddr, listener: &Listener, port: u16) {
    let at = SocketAddr::new(session.ends.front, port);
    assert_ne!(told, at);
    let data = session.dials(at, listener);
    session.begin_transfer("RETR a");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
}

#[test]
fn a_227_names_the_masquerade_and_the_listener_stays_where_the_client_talks_to() {
    let mut session = Session::begin(&["--masquerade", OUTSIDE]);
    let (at, listener) = told(&mut session);
    assert_eq!(at.ip().to_string(), OUTSIDE);
    carries_data(&mut session, at, &listener, at.port());
    session.quits();
}

#[test]
fn a_229_works_as_ever_beside_a_masquerade() {
    let mut session = Session::begin(&["--masquerade", OUTSIDE]);
    let (to, listener) = session.epsv();
    let data = session.dials(to, &listener);
    drop(data);
    session.quits();
}

#[test]
fn the_class_of_a_client_decides_what_it_is_told() {
    let inside = [
        "--masquerade",
        "10.0.0.5,127.0.0.2",
        "--masquerade",
        OUTSIDE,
    ];
    let mut session = Session::begin(&inside);
    assert_eq!(told(&mut session).0.ip().to_string(), "10.0.0.5");
    let outside = [
        "--masquerade",
        "10.0.0.5,198.51.100.0/24,192.0.2.0/24",
        "--masquerade",
        OUTSIDE,
    ];
    let mut session = Session::begin(&outside);
    assert_eq!(told(&mut session).0.ip().to_string(), OUTSIDE);
    // In no class: the address that the client has dialled.
    let mut session = Session::begin(&outside[..2]);
    assert_eq!(told(&mut session).0.ip(), FRONT);
}

#[test]
fn a_name_is_told_by_its_address() {
    let mut session = Session::begin(&["--masquerade", "localhost"]);
    assert_eq!(told(&mut session).0.ip(), IpAddr::from([127, 0, 0, 1]));
    session.quits();
}

#[test]
fn an_ipv6_client_is_told_no_masquerade() {
    let ends = Ends::between(V6, BACK);
    let mut session = Session::between(ends, &["--masquerade", "no-such-host.invalid"]);
    let (to, listener) = session.epsv();
    drop(session.dials(to, &listener));
    session.quits();
}

#[test]
fn ports_are_told_with_their_offset_in_227_and_229() {
    let lowest = some_ports();
    let range = lowest..=lowest + SOME;
    let offset = if lowest < 30_000 { 20_000 } else { -20_000 };
    let (min, max) = (range.start().to_string(), range.end().to_string());
    let mut session = Session::begin(&[
        "-m",
        &min,
        "-M",
        &max,
        "--advertise-port-offset",
        &offset.to_string(),
        "--masquerade",
        OUTSIDE,
    ]);
    let bound = |told: u16| u16::try_from(i32::from(told) - offset).unwrap();
    let (at, listener) = told(&mut session);
    assert_eq!(at.ip().to_string(), OUTSIDE);
    assert!(range.contains(&bound(at.port())), "{at}");
    carries_data(&mut session, at, &listener, bound(at.port()));
    let (at, listener) = session.epsv();
    assert!(range.contains(&bound(at.port())), "{at}");
    carries_data(&mut session, at, &listener, bound(at.port()));
    session.quits();
}

#[test]
fn a_range_of_taken_ports_is_left_and_the_log_says_so() {
    let taken = Listener::at(FRONT);
    let port = taken.address().port().to_string();
    let there = Listener::at(common::address::SERVER);
    let server = there.address().to_string();
    let mut log = Listening::begin(&["-R", &server, "-m", &port, "-M", &port]);
    let mut client = log.client();
    let mut server = common::fake::Control::over(there.accepts(), "server");
    server.says("220 ready");
    client.hears("220 ready");
    let listener = Listener::at(common::address::SERVER);
    client.says("PASV");
    server.hears("PASV");
    server.says(&format!("227 ok ({})", numbers(listener.address())));
    let at = address_in(&client.hears_code("227 "));
    assert_eq!(at.ip(), FRONT);
    assert_ne!(at.port(), taken.address().port());
    let line = log.logs("every data port");
    assert!(
        line.contains(&format!("from {port} to {port} is taken")),
        "{line}"
    );
    let data = common::fake::dial(common::address::CLIENT, at).unwrap();
    let data = (data, listener.accepts());
    drop(data);
}

#[test]
fn with_strict_ports_a_range_of_taken_ports_is_425_and_the_session_goes_on() {
    let taken = Listener::at(FRONT);
    let port = taken.address().port().to_string();
    let mut session = Session::begin(&["-m", &port, "-M", &port, "--strict-ports"]);
    let there = Listener::at(session.ends.server);
    session.client.says("PASV");
    session.server.hears("PASV");
    session
        .server
        .says(&format!("227 ok ({})", numbers(there.address())));
    session.client.hears_code("425 ");
    session.exchange("NOOP", "200 ok");
    drop(taken);
    // Somebody else may have it for a moment; then it is the session's, and the proxy dials the server from another.
    let line = eventually("the port is free", || {
        session.client.says("PASV");
        session.server.hears("PASV");
        session
            .server
            .says(&format!("227 ok ({})", numbers(there.address())));
        Some(session.client.hears_line()).filter(|line| line.starts_with("227 "))
    });
    let at = address_in(&line);
    assert_eq!(at.port().to_string(), port);
    let data = session.dials(at, &there);
    session.begin_transfer("RETR a");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}
