//! Telnet within the control connection: the Synch stays urgent, and ABOR works during a real transfer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::Write;
use std::os::fd::AsRawFd;

use common::eventually;
use common::fake::read_all;
use common::session::Session;
use nix::sys::socket::{MsgFlags, recv};
use socket2::SockRef;

const IAC: u8 = 255;
const IP: u8 = 244;
const DM: u8 = 242;

/// ABOR behind a Synch, as BSD's ftp(1) sends it.
fn abort(session: &Session) {
    says_urgently(session, &[IAC, IP, IAC], b"\xf2ABOR\r\n");
}

fn says_urgently(session: &Session, urgent: &[u8], rest: &[u8]) {
    let mut client = session.client.stream();
    let sent = SockRef::from(client).send_out_of_band(urgent).unwrap();
    assert_eq!(sent, urgent.len());
    client.write_all(rest).unwrap();
}

/// What a server hears that takes urgent bytes out of the line: that byte, and the line without it.
#[track_caller]
fn hears_urgently(session: &mut Session) -> (u8, Vec<u8>) {
    let fd = session.server.stream().as_raw_fd();
    let mut byte = [0];
    eventually("an urgent byte comes", || {
        recv(fd, &mut byte, MsgFlags::MSG_OOB)
            .ok()
            .filter(|&n| n == 1)
    });
    (byte[0], session.server.next_line().unwrap())
}

fn taking_urgent_bytes_out(session: &Session) {
    SockRef::from(session.server.stream())
        .set_out_of_band_inline(false)
        .unwrap();
}

#[test]
fn a_synch_reaches_the_server_as_urgent_data() {
    let mut session = Session::begin(&[]);
    taking_urgent_bytes_out(&session);
    abort(&session);
    let (urgent, line) = hears_urgently(&mut session);
    assert_eq!(urgent, IAC);
    assert_eq!(line, [&[IAC, IP, DM], b"ABOR\r\n".as_slice()].concat());
    session.reply("225 nothing to abort");
    session.quits();
}

#[test]
fn a_synch_with_an_urgent_data_mark_is_one_too() {
    let mut session = Session::begin(&[]);
    taking_urgent_bytes_out(&session);
    says_urgently(&session, &[IAC, IP, IAC, DM], b"ABOR\r\n");
    let (_, line) = hears_urgently(&mut session);
    assert!(line.ends_with(b"ABOR\r\n"), "{line:?}");
    session.reply("225 nothing to abort");
    session.quits();
}

#[test]
fn nothing_is_urgent_without_a_synch() {
    let mut session = Session::begin(&[]);
    taking_urgent_bytes_out(&session);
    session.client.says("ABOR");
    session.server.hears("ABOR");
    let fd = session.server.stream().as_raw_fd();
    assert!(recv(fd, &mut [0], MsgFlags::MSG_OOB).is_err());
}

#[test]
fn abor_stops_a_download_and_the_session_goes_on() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("RETR endless");
    (&data.server).write_all(b"some").unwrap();
    abort(&session);
    let line = session.server.next_line().unwrap();
    assert!(line.ends_with(b"ABOR\r\n"), "{line:?}");
    drop(data.server);
    session.reply("426 aborted");
    session.reply("226 abort done");
    assert_eq!(read_all(&data.client).unwrap(), b"some");
    drop(data.client);
    session.goes_on();
}

#[test]
fn abor_of_a_client_that_reads_no_more_is_answered() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("RETR endless");
    let server = data.server;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = (&server).write_all(&vec![0; 48 << 20]); // until it is told to stop
        });
        abort(&session);
        let line = session.server.next_line().unwrap();
        assert!(line.ends_with(b"ABOR\r\n"), "{line:?}");
        session.reply("426 aborted");
        session.reply("226 abort done");
        drop(data.client);
    });
    drop(server);
    session.goes_on();
}

#[test]
fn abor_of_an_upload_is_answered() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    (&data.client).write_all(b"half").unwrap();
    session.client.says("ABOR");
    session.server.hears("ABOR");
    drop(data.client);
    session.reply("426 aborted");
    session.reply("226 abort done");
    assert_eq!(read_all(&data.server).unwrap(), b"half");
    drop(data.server);
    session.goes_on();
}
