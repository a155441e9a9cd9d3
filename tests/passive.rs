//! Passive data connections: the client dials the proxy, the proxy dials the server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use common::address::{BACK, FRONT, STRANGER, numbers};
use common::fake::{Listener, dial, read_all, send_all, visit};
use common::session::Session;
use common::{eventually, readable};

/// How long to look whether something comes that must not. A slow machine makes this miss a fault, never see one.
const MOMENT: Duration = Duration::from_millis(100);

#[test]
fn a_download_arrives_whole() {
    let mut session = Session::begin(&[]);
    session.downloads("a");
    session.quits();
}

#[test]
fn an_upload_arrives_whole() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    send_all(&data.client, b"the file");
    assert_eq!(read_all(&data.server).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn an_upload_may_begin_before_the_150() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.client.says("STOR a");
    session.server.hears("STOR a");
    send_all(&data.client, b"the file");
    session.reply("150 go");
    assert_eq!(read_all(&data.server).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn an_end_passes_in_its_own_direction_only() {
    let mut session = Session::begin(&[]);
    let mut data = session.passive_data();
    session.begin_transfer("RETR a");
    send_all(&data.client, b"");
    assert_eq!(read_all(&data.server).unwrap(), b"", "the client's end");
    data.server.write_all(b"still ").unwrap();
    let mut start = [0; 6];
    data.client.read_exact(&mut start).unwrap();
    send_all(&data.server, b"open");
    assert_eq!(read_all(&data.client).unwrap(), b"open");
}

#[test]
fn an_end_from_the_server_leaves_the_client_s_direction_open() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    send_all(&data.server, b"");
    assert_eq!(read_all(&data.client).unwrap(), b"", "the server's end");
    send_all(&data.client, b"still open");
    assert_eq!(read_all(&data.server).unwrap(), b"still open");
}

#[test]
fn the_client_hears_150_before_the_first_byte() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.client.says("RETR a");
    session.server.hears("RETR a");
    send_all(&data.server, b"hasty");
    assert!(
        !readable(&data.client, MOMENT),
        "data before the client was told of the transfer"
    );
    session.reply("150 here it comes");
    assert_eq!(read_all(&data.client).unwrap(), b"hasty");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn the_client_hears_226_after_the_last_byte() {
    let mut session = Session::begin(&[]);
    let mut data = session.passive_data();
    session.begin_transfer("RETR a");
    data.server.write_all(b"first").unwrap();
    session.server.says("226 done already");
    let mut first = [0; 5];
    data.client.read_exact(&mut first).unwrap();
    assert!(
        !session.client.hears_something(MOMENT),
        "226 before the data"
    );
    send_all(&data.server, b" and last");
    assert_eq!(read_all(&data.client).unwrap(), b" and last");
    drop(data);
    session.client.hears("226 done already");
    session.quits();
}

#[test]
fn a_slow_reader_gets_everything_and_then_226() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    // More than all the buffers between can hold.
    let file: Vec<u8> = (0..48 << 20).map(|n: u32| n.to_le_bytes()[2]).collect();
    let server = data.server;
    std::thread::scope(|scope| {
        scope.spawn(|| send_all(&server, &file));
        session.server.says("226 done");
        assert!(
            !session.client.hears_something(MOMENT),
            "226 before the data"
        );
        session.client.says("NOOP");
        session.server.hears("NOOP");
        assert!(read_all(&data.client).unwrap() == file, "another file");
    });
    session.client.hears("226 done");
    session.reply("200 ok");
}

#[test]
fn both_directions_of_the_proxy_have_the_right_addresses() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    assert_eq!(to.ip(), FRONT, "what the client is told");
    let data = session.dials(to, &listener);
    assert_eq!(data.server.peer_addr().unwrap().ip(), BACK);
}

#[test]
fn a_names_the_source_of_connections_to_the_server() {
    let mut session = Session::begin(&["-a", "127.0.0.8"]);
    let control = session.server.stream().peer_addr().unwrap().ip();
    assert_eq!(control.to_string(), "127.0.0.8");
    let data = session.passive_data();
    let from = data.server.peer_addr().unwrap().ip();
    assert_eq!(from.to_string(), "127.0.0.8");
}

#[test]
fn ports_are_of_the_range() {
    let mut session = Session::begin(&["-m", "42100", "-M", "42120"]);
    for _ in 0..3 {
        let (to, listener) = session.pasv();
        assert!((42100..=42120).contains(&to.port()), "{to}");
        let data = session.dials(to, &listener);
        let from = data.server.peer_addr().unwrap().port();
        assert!((42100..=42120).contains(&from), "from port {from}");
    }
}

#[test]
fn a_stranger_is_dropped_and_the_client_still_served() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    for from in [STRANGER, session.ends.server] {
        let got = visit(from, to).unwrap_or_default();
        assert_eq!(got, b"", "nothing for {from}");
    }
    assert!(
        !listener.is_called(Duration::from_millis(50)),
        "a stranger makes the proxy dial the server"
    );
    let data = session.dials(to, &listener);
    session.begin_transfer("RETR a");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
}

#[test]
fn a_stranger_who_only_waits_does_not_keep_the_client_out() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    let _thieves: Vec<_> = (0..3).filter_map(|_| dial(STRANGER, to).ok()).collect();
    let data = session.dials(to, &listener);
    session.begin_transfer("RETR a");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
}

#[test]
fn a_port_is_closed_once_the_client_has_come() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    let _data = session.dials(to, &listener);
    eventually("the port is closed", || dial(session.ends.client, to).err());
}

#[test]
fn a_new_pasv_cancels_the_old_one() {
    let mut session = Session::begin(&[]);
    let (old, _) = session.pasv();
    let (new, listener) = session.pasv();
    assert!(
        dial(session.ends.client, old).is_err(),
        "{old} still listens"
    );
    let _data = session.dials(new, &listener);
}

#[test]
fn the_server_is_dialled_where_it_is_and_not_where_it_says() {
    let mut session = Session::begin(&[]);
    let there = Listener::at(session.ends.server);
    let elsewhere = numbers((STRANGER, there.address().port()).into());
    session.client.says("PASV");
    session.server.hears("PASV");
    session.server.says(&format!("227 ok ({elsewhere})"));
    let to = common::address::address_in(&session.client.hears_code("227 "));
    let _client = dial(session.ends.client, to).unwrap();
    let _server = there.accepts();
}

#[test]
fn in_nat_mode_passive_data_is_the_client_s_own_affair() {
    let mut session = Session::begin(&["-n"]);
    let (to, listener) = session.pasv();
    assert_eq!(to, listener.address());
}

#[test]
fn control_passes_while_data_is_stuck() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    let server = data.server.try_clone().unwrap();
    std::thread::scope(|scope| {
        // Nobody reads it: the writer is stuck until the client is gone.
        scope.spawn(move || {
            let _ = (&server).write_all(&vec![0; 48 << 20]);
        });
        session.exchange("NOOP", "200 ok");
        session.exchange("STAT", "213 busy");
        drop(data.client);
        session.reply("426 broken");
    });
    session.quits();
}

#[test]
fn with_data_from_a_client_may_have_two_addresses() {
    let mut session = Session::begin(&["--data-from", "client=127.0.0.66"]);
    let (to, listener) = session.pasv();
    let other = "127.0.0.67".parse().unwrap();
    assert_eq!(visit(other, to).unwrap_or_default(), b"", "a stranger");
    let client = dial(STRANGER, to).unwrap();
    let server = listener.accepts();
    session.begin_transfer("RETR a");
    send_all(&server, b"the file");
    assert_eq!(read_all(&client).unwrap(), b"the file");
    drop((client, server));
    session.reply("226 done");
    // Its own address goes on being one of them.
    session.downloads("b");
    session.quits();
}

#[test]
fn with_data_from_the_other_side_gains_nothing() {
    let mut session = Session::begin(&["--data-from", "server=127.0.0.66"]);
    let (to, listener) = session.pasv();
    assert_eq!(visit(STRANGER, to).unwrap_or_default(), b"");
    assert!(!listener.is_called(MOMENT));
}
