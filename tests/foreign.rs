//! Addresses that are not their speaker's own, in PORT, EPRT and 227 (`--foreign-address`): attacks first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::address::{CLIENT, FRONT, SERVER, STRANGER, address_in, extended, numbers};
use common::fake::{Listener, dial, read_all, send_all};
use common::listening::Listening;
use common::session::Session;
use ftp_proxy::destination::Guard;
use ftp_proxy::net::LocalAddresses;

/// Nobody may come meanwhile.
const MOMENT: Duration = Duration::from_millis(300);

/// PASV, answered with that address; where the client is to dial.
#[track_caller]
fn pasv(session: &mut Session, named: SocketAddr) -> SocketAddr {
    session.client.says("PASV");
    session.server.hears("PASV");
    session.server.says(&format!("227 ok ({})", numbers(named)));
    address_in(&session.client.hears_code("227 "))
}

/// Whoever ignores what the client names must not dial it all the same.
#[test]
fn a_bounce_that_is_ignored_reaches_nobody_but_the_client() {
    let [victim, own] = Listener::two(STRANGER, CLIENT);
    let mut session = Session::begin(&["--foreign-address", "ignore"]);
    for command in [
        format!("PORT {}", numbers(victim.address())),
        format!("EPRT {}", extended(victim.address())),
    ] {
        session.client.says(&command);
        let line = session.server.hears_code(&command[..5]);
        session.reply("200 ok");
        let _data = dial(session.ends.server, address_in(&line)).unwrap();
        let _own = own.accepts();
    }
    assert!(!victim.is_called(MOMENT), "the victim was called");
    session.quits();
}

#[test]
fn a_third_host_is_dialled_only_where_that_is_allowed_and_only_when_the_server_has_come() {
    let third = Listener::at(STRANGER);
    let mut session = Session::begin(&["--foreign-address", "active=allow"]);
    session
        .client
        .says(&format!("PORT {}", numbers(third.address())));
    let line = session.server.hears_code("PORT ");
    session.reply("200 ok");
    assert!(!third.is_called(MOMENT), "before the server came");
    let data = dial(session.ends.server, address_in(&line)).unwrap();
    let theirs = third.accepts();
    session.begin_transfer("RETR a");
    send_all(&data, b"the file");
    assert_eq!(read_all(&theirs).unwrap(), b"the file");
    drop((data, theirs));
    session.reply("226 done");
    // What the server names is still ignored.
    let [elsewhere, there] = Listener::two(STRANGER, SERVER);
    let to = pasv(&mut session, elsewhere.address());
    let _data = dial(session.ends.client, to).unwrap();
    let _there = there.accepts();
    assert!(!elsewhere.is_called(MOMENT));
}

/// A server with several addresses.
#[test]
fn a_227_of_another_host_is_dialled_only_where_that_is_allowed() {
    let other = Listener::at(STRANGER);
    let mut session = Session::begin(&["--foreign-address", "passive=allow"]);
    let to = pasv(&mut session, other.address());
    let data = dial(session.ends.client, to).unwrap();
    let theirs = other.accepts();
    session.begin_transfer("RETR a");
    send_all(&theirs, b"the file");
    assert_eq!(read_all(&data).unwrap(), b"the file");
    drop((data, theirs));
    session.reply("226 done");
    let named = numbers(other.address());
    session.client.says(&format!("PORT {named}"));
    session.client.hears_code("501 ");
    session.quits();
}

/// Allowed or not: nobody is led to the services of the gateway, to everybody, or to nobody.
#[test]
fn a_third_host_that_is_the_gateway_or_nobody_is_not_dialled_even_where_it_is_allowed() {
    let guard = Guard {
        local: LocalAddresses::read().unwrap(),
        proxy: SocketAddr::new(FRONT, 21),
        client: "192.0.2.1".parse().unwrap(),
        // As with -R: the administrator chose the server, and nobody chose this host.
        client_chose: None,
    };
    for (ip, allowed) in [
        ("127.0.0.1", false),
        ("127.0.0.9", false),
        ("::1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("224.0.0.1", false),
        ("255.255.255.255", false),
        ("ff02::1", false),
        ("198.51.100.7", true),
        ("2001:db8::7", true),
    ] {
        let to = SocketAddr::new(ip.parse().unwrap(), 2000);
        assert_eq!(guard.check_third(to).is_ok(), allowed, "{to}");
    }
    let of_this_machine = Guard {
        client: CLIENT,
        ..guard
    };
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 2000);
    assert!(of_this_machine.check_third(at("127.0.0.9")).is_ok());
    assert!(of_this_machine.check_third(at("0.0.0.0")).is_err());
    assert!(of_this_machine.check_third(at("224.0.0.1")).is_err());
}

/// The guard's word is what the client hears, and the session goes on.
#[test]
fn a_third_host_that_may_not_be_dialled_is_501_and_502() {
    let mut session = Session::begin(&["--foreign-address", "allow"]);
    session.client.says("PORT 224,0,0,1,200,10");
    session.client.hears_code("501 ");
    session.client.says("PASV");
    session.server.hears("PASV");
    session.server.says("227 ok (224,0,0,1,200,10)");
    session.client.hears_code("502 ");
    session.exchange("NOOP", "200 ok");
    session.quits();
}

#[test]
fn what_is_allowed_is_said_aloud_at_the_start() {
    let options = ["-R", "127.0.0.4:2121", "--foreign-address", "allow"];
    let log = Listening::begin(&options);
    for who in ["clients", "servers"] {
        let danger = format!("{who} choose to which host");
        assert!(
            log.before.iter().any(|line| line.contains(&danger)),
            "{:?}",
            log.before
        );
    }
}
