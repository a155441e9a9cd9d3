//! Active data connections: the server dials the proxy, the proxy dials the client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::time::Duration;

use common::address::{CLIENT, FRONT, STRANGER, address_in, numbers};
use common::eventually;
use common::fake::{Listener, dial, nowhere, read_all, send_all, visit};
use common::session::Session;

#[test]
fn a_download_arrives_whole() {
    let mut session = Session::begin(&[]);
    let data = session.active_data("RETR a");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn an_upload_arrives_whole() {
    let mut session = Session::begin(&[]);
    let data = session.active_data("STOR a");
    send_all(&data.client, b"the file");
    assert_eq!(read_all(&data.server).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn each_transfer_has_a_data_connection_of_its_own() {
    let mut session = Session::begin(&[]);
    for name in ["a", "b", "c"] {
        let data = session.active_data(&format!("RETR {name}"));
        send_all(&data.server, name.as_bytes());
        assert_eq!(read_all(&data.client).unwrap(), name.as_bytes());
        drop(data);
        session.reply("226 done");
    }
    session.quits();
}

#[test]
fn the_client_is_dialled_from_the_address_that_it_knows() {
    let mut session = Session::begin(&[]);
    let data = session.active_data("RETR a");
    assert_eq!(data.client.peer_addr().unwrap().ip(), FRONT);
}

#[test]
fn the_client_is_dialled_from_the_address_that_s_names() {
    let mut session = Session::begin(&["-S", "127.0.0.9"]);
    let data = session.active_data("RETR a");
    let from = data.client.peer_addr().unwrap();
    assert_eq!(from.ip().to_string(), "127.0.0.9");
}

#[test]
fn the_client_is_dialled_from_a_port_of_the_range() {
    let mut session = Session::begin(&["-m", "42000", "-M", "42020"]);
    for _ in 0..3 {
        let data = session.active_data("RETR a");
        let (from, at) = (
            data.client.peer_addr().unwrap().port(),
            data.server.peer_addr().unwrap().port(),
        );
        assert!((42000..=42020).contains(&from), "from port {from}");
        assert!((42000..=42020).contains(&at), "listening at {at}");
        send_all(&data.server, b"");
        assert_eq!(read_all(&data.client).unwrap(), b"");
        drop(data);
        session.reply("226 done");
    }
}

#[test]
fn the_client_is_dialled_from_port_20_by_root() {
    if !nix::unistd::geteuid().is_root() {
        return skip("port 20 is for root alone");
    }
    let mut session = Session::begin(&["-u", "root"]);
    let data = session.active_data("RETR a");
    assert_eq!(data.client.peer_addr().unwrap().port(), 20);
}

#[test]
fn a_port_that_is_named_again_and_again_is_reached() {
    if !nix::unistd::geteuid().is_root() {
        return skip("port 20 is for root alone");
    }
    let as_root = ["-u", "root", "--rewrite-source-port"];
    for options in [&as_root[..2], &as_root[2..], &as_root] {
        let mut session = Session::begin(options);
        let listener = Listener::at(session.ends.client);
        let argument = numbers(listener.address());
        let (mut from_20, mut open) = (0, Vec::new());
        for _ in 0..4 {
            session.client.says(&format!("PORT {argument}"));
            let to = address_in(&session.server.hears_line());
            session.reply("200 well then");
            session.client.says("RETR a");
            session.server.hears("RETR a");
            let server = dial(session.ends.server, to).unwrap();
            session.reply("150 here it comes");
            let client = listener.accepts();
            from_20 += usize::from(client.peer_addr().unwrap().port() == 20);
            send_all(&server, b"the file");
            assert_eq!(read_all(&client).unwrap(), b"the file");
            // Its end stays open, and so the pair of ports stays in use.
            open.push(client);
            drop(server);
            session.reply("226 done");
        }
        assert!(from_20 > 0, "never from port 20, {options:?}");
        session.quits();
    }
}

#[expect(clippy::disallowed_macros, reason = "skips are told aloud")]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_stranger_is_dropped_and_the_server_still_served() {
    let mut session = Session::begin(&[]);
    let (listener, to) = session.port();
    session.client.says("RETR a");
    session.server.hears("RETR a");
    let stolen = visit(STRANGER, to).unwrap_or_default();
    assert_eq!(stolen, b"", "nothing for thieves");
    assert!(
        !listener.is_called(Duration::from_millis(50)),
        "a stranger makes the proxy dial the client"
    );
    let server = dial(session.ends.server, to).unwrap();
    session.reply("150 here it comes");
    let client = listener.accepts();
    send_all(&server, b"the file");
    assert_eq!(read_all(&client).unwrap(), b"the file");
    drop((server, client));
    session.reply("226 done");
    session.quits();
}

#[test]
fn the_client_itself_is_a_stranger_at_the_port_for_the_server() {
    let mut session = Session::begin(&[]);
    let (listener, to) = session.port();
    assert_eq!(visit(CLIENT, to).unwrap_or_default(), b"");
    assert!(!listener.is_called(Duration::from_millis(50)));
}

#[test]
fn the_client_is_not_dialled_before_the_server_came() {
    let mut session = Session::begin(&[]);
    let (listener, to) = session.port();
    session.begin_transfer("RETR a");
    assert!(!listener.is_called(Duration::from_millis(50)));
    let server = dial(session.ends.server, to).unwrap();
    let client = listener.accepts();
    send_all(&server, b"late");
    assert_eq!(read_all(&client).unwrap(), b"late");
}

#[test]
fn a_new_port_cancels_the_old_one() {
    let mut session = Session::begin(&[]);
    let (_, old) = session.port();
    let data = session.active_data("RETR a");
    assert!(
        dial(session.ends.server, old).is_err(),
        "{old} still listens"
    );
    send_all(&data.server, b"new");
    assert_eq!(read_all(&data.client).unwrap(), b"new");
}

#[test]
fn a_port_that_the_server_refused_is_closed() {
    let mut session = Session::begin(&[]);
    session.client.says("PORT 127,0,0,2,200,10");
    let to = common::address::address_in(&session.server.hears_line());
    session.reply("500 no");
    assert!(dial(session.ends.server, to).is_err(), "{to} still listens");
    session.quits();
}

#[test]
fn a_port_is_closed_once_the_server_has_come() {
    let mut session = Session::begin(&[]);
    let data = session.active_data("RETR a");
    let to = data.server.peer_addr().unwrap();
    eventually("the port is closed", || dial(session.ends.server, to).err());
}

#[test]
fn a_client_that_refuses_hears_425_and_the_session_goes_on() {
    let mut session = Session::begin(&[]);
    let gone = nowhere(CLIENT);
    session
        .client
        .says(&format!("PORT {}", common::address::numbers(gone)));
    let to = common::address::address_in(&session.server.hears_line());
    session.reply("200 well then");
    session.begin_transfer("RETR a");
    let lost = visit(session.ends.server, to);
    assert!(
        common::is_reset(&lost),
        "the server's end must break: {lost:?}"
    );
    session.server.says("226 all is well");
    session.client.hears_code("425 ");
    session.exchange("NOOP", "200 ok");
    session.quits();
}

#[test]
fn in_nat_mode_active_data_is_relayed() {
    let mut session = Session::begin(&["-n"]);
    let data = session.active_data("RETR a");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn with_data_from_a_server_may_have_two_addresses() {
    let mut session = Session::begin(&["--data-from", "client=::1,server=127.0.0.66"]);
    let (listener, to) = session.port();
    let other = "127.0.0.67".parse().unwrap();
    assert_eq!(visit(other, to).unwrap_or_default(), b"", "a stranger");
    session.client.says("RETR a");
    session.server.hears("RETR a");
    let server = dial(STRANGER, to).unwrap();
    session.reply("150 here it comes");
    let client = listener.accepts();
    send_all(&server, b"the file");
    assert_eq!(read_all(&client).unwrap(), b"the file");
    drop((client, server));
    session.reply("226 done");
    session.quits();
}

#[test]
fn with_data_from_for_clients_a_server_gains_nothing() {
    let mut session = Session::begin(&["--data-from", "client=127.0.0.66"]);
    let (listener, to) = session.port();
    assert_eq!(visit(STRANGER, to).unwrap_or_default(), b"");
    assert!(!listener.is_called(Duration::from_millis(100)));
}
