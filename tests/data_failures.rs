//! Data connections that cannot be opened or that break: 425 or 426, and the session goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::Write;

use common::address::{address_in, numbers};
use common::fake::{nowhere, read_all, reset, send_all, visit};
use common::is_reset;
use common::session::{DataEnds, Session};

/// A transfer under way, some bytes of it carried already.
fn under_way(command: &str) -> (Session, DataEnds) {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer(command);
    let (mut from, mut to) = if command.starts_with("RETR") {
        (&data.server, &data.client)
    } else {
        (&data.client, &data.server)
    };
    from.write_all(b"some").unwrap();
    let mut some = [0; 4];
    std::io::Read::read_exact(&mut to, &mut some).unwrap();
    (session, data)
}

/// The server names a port where nobody listens; the client dials us in good faith.
fn unopened() -> Session {
    let mut session = Session::begin(&[]);
    session.client.says("PASV");
    session.server.hears("PASV");
    let gone = numbers(nowhere(session.ends.server));
    session.server.says(&format!("227 ok ({gone})"));
    let to = address_in(&session.client.hears_code("227 "));
    session.client.says("RETR a");
    session.server.hears("RETR a");
    let lost = visit(session.ends.client, to);
    assert!(
        is_reset(&lost),
        "the client must not take it for a file: {lost:?}"
    );
    session
}

#[test]
fn what_the_server_says_of_a_connection_that_was_not_opened_is_passed_on() {
    let mut session = unopened();
    session.reply("425 nobody came");
    session.goes_on();
}

#[test]
fn a_server_that_is_silent_about_a_connection_that_was_not_opened_is_not_awaited_for_ever() {
    let mut session = unopened();
    session.client.hears_code("425 ");
    // Its own word comes too late.
    session.server.says("425 nobody came");
    session.goes_on();
}

#[test]
fn a_reset_by_the_server_is_a_reset_for_the_client() {
    let (mut session, data) = under_way("RETR a");
    reset(data.server);
    let lost = read_all(&data.client);
    assert!(is_reset(&lost), "half a file looks whole: {lost:?}");
    session.reply("426 disk on fire");
    session.goes_on();
}

#[test]
fn a_reset_by_the_client_is_a_reset_for_the_server() {
    let (mut session, data) = under_way("STOR a");
    reset(data.client);
    let lost = read_all(&data.server);
    assert!(is_reset(&lost), "half a file looks whole: {lost:?}");
    session.reply("426 where are you?");
    session.goes_on();
}

#[test]
fn a_reset_by_the_reader_is_a_reset_for_the_writer() {
    let (mut session, data) = under_way("RETR a");
    reset(data.client);
    let lost = read_all(&data.server);
    assert!(is_reset(&lost), "{lost:?}");
    session.reply("426 where are you?");
    session.goes_on();
}

#[test]
fn a_reset_by_the_server_of_an_upload_is_a_reset_for_the_client() {
    let (mut session, data) = under_way("STOR a");
    reset(data.server);
    let lost = read_all(&data.client);
    assert!(is_reset(&lost), "{lost:?}");
    session.reply("552 quota exceeded");
    session.goes_on();
}

#[test]
fn nothing_of_a_file_that_was_cut_on_its_way_is_in_the_next() {
    let (mut session, data) = under_way("RETR a");
    // The client takes nothing any more: what is between them fills.
    data.server.set_nonblocking(true).unwrap();
    for _ in 0..20 {
        while (&data.server).write(&[b'x'; 1 << 16]).is_ok() {}
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    reset(data.client);
    session.reply("426 where are you?");
    session.goes_on();
}

#[test]
fn a_download_that_broke_is_426_whatever_the_server_believes() {
    let (mut session, data) = under_way("RETR a");
    reset(data.client);
    assert!(is_reset(&read_all(&data.server)));
    session.server.says("226 all sent");
    session.client.hears_code("426 ");
    session.goes_on();
}

#[test]
fn an_upload_that_broke_is_426_whatever_the_server_believes() {
    let (mut session, data) = under_way("STOR a");
    reset(data.client);
    assert!(is_reset(&read_all(&data.server)));
    session.server.says("226 thank you");
    session.client.hears_code("426 ");
    session.goes_on();
}

#[test]
fn a_server_that_is_silent_about_a_break_is_not_awaited_for_ever() {
    let (mut session, data) = under_way("RETR a");
    reset(data.client);
    assert!(is_reset(&read_all(&data.server)));
    session.client.hears_code("426 ");
    session.server.says("226 all sent");
    session.goes_on();
}

#[test]
fn a_transfer_that_the_server_refuses_keeps_the_port_for_the_next() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    session.exchange("RETR missing", "550 no such file");
    session.begin_transfer("RETR a");
    let data = session.dials(to, &listener);
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn a_server_that_goes_away_during_a_transfer_is_421_after_the_data() {
    let (mut session, data) = under_way("RETR a");
    send_all(&data.server, b" and the rest");
    drop(data.server);
    drop(session.server);
    assert_eq!(read_all(&data.client).unwrap(), b" and the rest");
    drop(data.client);
    session.client.hears_code("421 ");
    session.client.hears_end();
}

#[test]
fn a_client_that_goes_away_takes_the_data_with_it() {
    let (mut session, data) = under_way("RETR a");
    session.client.resets();
    session.server.hears_end();
    drop(session.server);
    let lost = read_all(&data.server);
    assert!(is_reset(&lost), "{lost:?}");
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn a_client_that_quits_with_its_data_half_open_is_not_kept_waiting() {
    let (mut session, data) = under_way("RETR a");
    send_all(&data.server, b" and the rest");
    assert_eq!(read_all(&data.client).unwrap(), b" and the rest");
    session.reply("226 done");
    // data.client stays open: its owner is gone before it is closed.
    session.quits();
}

#[test]
fn a_client_that_quits_without_using_its_data_connection_is_not_kept_waiting() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.quits();
    drop(data);
}
