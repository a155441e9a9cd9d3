//! EPSV and EPRT, in both families and between them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::net::{Ipv6Addr, SocketAddr};

use common::address::{Ends, address_in, numbers, port_in};
use common::fake::{Control, Listener, dial, read_all, send_all};
use common::process::Proxy;
use common::session::{DataEnds, Session};
use socket2::{Domain, Socket, Type};

#[track_caller]
fn carries_both_ways(mut session: Session, mut data: impl FnMut(&mut Session) -> DataEnds) {
    let down = data(&mut session);
    session.begin_transfer("RETR a");
    send_all(&down.server, b"down");
    assert_eq!(read_all(&down.client).unwrap(), b"down");
    drop(down);
    session.reply("226 done");
    let up = data(&mut session);
    session.begin_transfer("STOR a");
    send_all(&up.client, b"up");
    assert_eq!(read_all(&up.server).unwrap(), b"up");
    drop(up);
    session.reply("226 done");
    session.quits();
}

fn by_epsv(session: &mut Session) -> DataEnds {
    let (to, listener) = session.epsv();
    session.dials(to, &listener)
}

fn by_eprt(session: &mut Session) -> DataEnds {
    let (listener, to) = session.eprt();
    let server = dial(session.ends.server, to).expect("the data connection");
    DataEnds {
        client: listener.accepts(),
        server,
    }
}

/// The server has no EPSV, and is asked for PASV in its place.
fn by_epsv_and_pasv(session: &mut Session) -> DataEnds {
    let listener = Listener::at(session.ends.server);
    session.client.says("EPSV");
    let mut heard = session.server.hears_line();
    if heard == "EPSV" {
        session.server.says("500 EPSV?");
        heard = session.server.hears_line();
    }
    assert_eq!(heard, "PASV");
    session
        .server
        .says(&format!("227 ok ({})", numbers(listener.address())));
    let port = port_in(&session.client.hears_code("229 "));
    session.dials((session.ends.front, port).into(), &listener)
}

/// The client knows PASV, the server has no IPv4.
fn by_pasv_and_epsv(session: &mut Session) -> DataEnds {
    let listener = Listener::at(session.ends.server);
    session.client.says("PASV");
    session.server.hears("EPSV");
    let port = listener.address().port();
    session.server.says(&format!("229 ok (|||{port}|)"));
    let to = address_in(&session.client.hears_code("227 "));
    session.dials(to, &listener)
}

fn by_port(session: &mut Session) -> DataEnds {
    let (listener, to) = session.port();
    let server = dial(session.ends.server, to).expect("the data connection");
    DataEnds {
        client: listener.accepts(),
        server,
    }
}

#[test]
fn epsv_carries_data_in_ipv4() {
    carries_both_ways(Session::begin(&[]), by_epsv);
}

#[test]
fn epsv_carries_data_in_ipv6() {
    carries_both_ways(Session::between(Ends::V6, &[]), by_epsv);
}

#[test]
fn epsv_carries_data_from_ipv4_to_ipv6() {
    carries_both_ways(Session::between(Ends::V4_TO_V6, &[]), by_epsv);
}

#[test]
fn epsv_carries_data_from_ipv6_to_ipv4() {
    carries_both_ways(Session::between(Ends::V6_TO_V4, &[]), by_epsv);
}

#[test]
fn eprt_carries_data_in_ipv4() {
    carries_both_ways(Session::begin(&[]), by_eprt);
}

#[test]
fn eprt_carries_data_in_ipv6() {
    carries_both_ways(Session::between(Ends::V6, &[]), by_eprt);
}

#[test]
fn eprt_carries_data_from_ipv4_to_ipv6() {
    carries_both_ways(Session::between(Ends::V4_TO_V6, &[]), by_eprt);
}

#[test]
fn eprt_carries_data_from_ipv6_to_ipv4() {
    carries_both_ways(Session::between(Ends::V6_TO_V4, &[]), by_eprt);
}

#[test]
fn port_carries_data_from_ipv4_to_ipv6() {
    carries_both_ways(Session::between(Ends::V4_TO_V6, &[]), by_port);
}

#[test]
fn pasv_carries_data_from_ipv4_to_ipv6() {
    carries_both_ways(Session::between(Ends::V4_TO_V6, &[]), by_pasv_and_epsv);
}

#[test]
fn epsv_falls_back_to_pasv_in_ipv4() {
    carries_both_ways(Session::begin(&[]), by_epsv_and_pasv);
}

#[test]
fn epsv_falls_back_to_pasv_from_ipv6_to_ipv4() {
    carries_both_ways(Session::between(Ends::V6_TO_V4, &[]), by_epsv_and_pasv);
}

/// inetd's `tcp46` and systemd's sockets take both families, and show an IPv4 client as ::ffff:127.0.0.2.
#[test]
fn a_client_on_a_socket_for_both_families_is_an_ipv4_client() {
    let both = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    both.set_only_v6(false).unwrap();
    let port = Listener::front(Ends::V4.front).address().port();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    both.bind(&any.into()).unwrap();
    both.listen(1).unwrap();
    let there = Listener::at(Ends::V4.server);
    let client = dial(Ends::V4.client, (Ends::V4.front, port).into()).unwrap();
    let (inherited, _) = both.accept().unwrap();
    let to = there.address().to_string();
    let proxy = Proxy::inherits(inherited.into(), &["-R", &to]);
    let mut session = Session {
        client: Control::over(client, "client"),
        server: Control::over(there.accepts(), "server"),
        proxy,
        ends: Ends::V4,
    };
    session.reply("220 ready");
    let (to, _) = session.pasv();
    assert_eq!(to.ip(), Ends::V4.front);
    carries_both_ways(session, by_port);
}

#[test]
fn the_listener_of_a_229_is_where_the_client_already_talks_to() {
    let mut session = Session::begin(&[]);
    let (to, _listener) = session.epsv();
    assert!(dial(session.ends.client, to).is_ok());
    let (to, _listener) = session.epsv();
    let elsewhere = (session.ends.back(), to.port()).into();
    assert!(dial(session.ends.client, elsewhere).is_err());
}
