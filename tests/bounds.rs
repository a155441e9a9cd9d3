//! What a peer cannot do to the program: fill its memory, use up its descriptors, or wake it without end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::fake::{read_all, send_all};
use common::session::Session;
use common::{eventually, writable};

/// More than the buffers of all sockets on the way hold together.
const FLOOD: usize = 64 << 20;

/// Says the same line until nobody takes it any more: how many bytes were taken.
fn flood(mut stream: &TcpStream, line: &[u8]) -> usize {
    let lines = line.repeat(1000);
    stream.set_nonblocking(true).unwrap();
    let mut taken = 0;
    while taken < FLOOD && writable(stream, Duration::from_millis(300)) {
        match stream.write(&lines[taken % lines.len()..]) {
            Ok(n) => taken += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    taken
}

#[test]
fn a_client_that_hears_nothing_stops_the_server() {
    let mut session = Session::begin(&[]);
    session.client.says("HELP");
    session.server.hears("HELP");
    session.server.says("214-Help");
    let taken = flood(session.server.stream(), b" a line of help\r\n");
    assert!(taken < FLOOD, "all of it is kept somewhere");
}

#[test]
fn a_server_that_answers_nothing_stops_the_client() {
    let session = Session::begin(&[]);
    let taken = flood(session.client.stream(), b"NOOP\r\n");
    assert!(taken < FLOOD, "all of it is kept somewhere");
}

#[test]
fn a_client_that_hears_no_refusals_is_heard_no_more() {
    let session = Session::begin(&[]);
    // The answers are our own and longer than the commands.
    let taken = flood(session.client.stream(), b"PORT 1\r\n");
    assert!(taken < FLOOD, "all of it is kept somewhere");
}

#[test]
fn a_client_that_offers_telnet_options_without_end_is_heard_no_more() {
    let session = Session::begin(&[]);
    let taken = flood(session.client.stream(), b"\xff\xfd\x06");
    assert!(taken < FLOOD, "all of it is kept somewhere");
}

#[test]
fn a_flood_that_is_heard_at_last_arrives_whole() {
    let mut session = Session::begin(&[]);
    session.client.says("HELP");
    session.server.hears("HELP");
    session.server.says("214-Help");
    let line = " a line of help";
    let taken = flood(session.server.stream(), format!("{line}\r\n").as_bytes());
    let begun = taken % (line.len() + 2);
    if begun > 0 {
        let rest = &format!("{line}\r\n")[begun..];
        session.server.says_bytes(rest.as_bytes());
    }
    session.server.says("214 End");
    session.client.hears("214-Help");
    for _ in 0..taken.div_ceil(line.len() + 2) {
        session.client.hears(line);
    }
    session.client.hears("214 End");
    session.quits();
}

#[cfg(target_os = "linux")]
fn descriptors(session: &Session) -> usize {
    let folder = format!("/proc/{}/fd", session.proxy.pid());
    std::fs::read_dir(folder).unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn descriptors_are_given_back() {
    let mut session = Session::begin(&[]);
    let mut counts = Vec::new();
    for turn in 0..30 {
        match turn % 3 {
            // A transfer, one that breaks, and one that nobody comes to.
            0 => session.downloads("a"),
            1 => {
                let data = session.passive_data();
                session.begin_transfer("RETR a");
                common::fake::reset(data.server);
                assert!(common::is_reset(&read_all(&data.client)));
                session.reply("426 broken");
            }
            _ => {
                session.port();
                session.epsv();
                session.exchange("RETR a", "550 no");
                counts.push(descriptors(&session));
            }
        }
    }
    assert!(counts.iter().all(|n| *n == counts[0]), "{counts:?}");
    session.quits();
}

/// Processor time that the program has used, in ticks.
#[cfg(target_os = "linux")]
fn ticks(session: &Session) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", session.proxy.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// In each of these states something has ended or waits, and poll(2) must not report it over and over.
#[cfg(target_os = "linux")]
#[test]
fn waiting_costs_nothing() {
    type Prepare = fn(&mut Session) -> Vec<TcpStream>;
    let states: [(&str, Prepare); 5] = [
        ("the client has shut down its side", |session| {
            session.client.says("NOOP");
            session.client.shuts_down();
            session.server.hears("NOOP");
            Vec::new()
        }),
        ("data came before the 150", |session| {
            let data = session.passive_data();
            session.client.says("RETR a");
            session.server.hears("RETR a");
            send_all(&data.server, b"hasty");
            vec![data.client, data.server]
        }),
        ("the server's data has ended", |session| {
            let data = session.passive_data();
            session.begin_transfer("RETR a");
            send_all(&data.server, b"all");
            assert_eq!(read_all(&data.client).unwrap(), b"all");
            vec![data.client, data.server]
        }),
        ("the client reads no data", |session| {
            let data = session.passive_data();
            session.begin_transfer("RETR a");
            flood(&data.server, b"0123456789");
            vec![data.client, data.server]
        }),
        ("the client hears no replies", |session| {
            session.client.says("HELP");
            session.server.hears("HELP");
            flood(session.server.stream(), b"214-a line\r\n");
            Vec::new()
        }),
    ];
    for (state, prepare) in states {
        let mut session = Session::begin(&[]);
        let _open = prepare(&mut session);
        // Once it has come to rest, it rests: a tick is a hundredth of a second.
        eventually(state, || {
            let before = ticks(&session);
            std::thread::sleep(Duration::from_millis(300));
            (ticks(&session) - before <= 2).then_some(())
        });
    }
}
