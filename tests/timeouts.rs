//! What ends a session from outside: the idle time-out, signals, a server that cannot be reached, a peer that is gone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use common::address::{Ends, SERVER};
use common::fake::{Control, Listener, nowhere, read_all, send_all};
use common::now;
use common::process::Proxy;
use common::session::{Session, control_pair};
use nix::sys::signal::Signal;

/// The time-out under test.
const LIMIT: Duration = Duration::from_secs(1);

/// A time-out that must not strike: long enough that a busy machine keeps the pace of [`STEP`] within it.
const LONG: Duration = Duration::from_secs(4);

const STEP: Duration = Duration::from_millis(100);

/// Long enough for the time-out to strike if nothing held it off.
fn is_over(begun: std::time::Instant) -> bool {
    begun.elapsed() > LONG + LIMIT
}

#[test]
fn an_idle_session_ends_with_421() {
    let mut session = Session::begin(&["-t", "1"]);
    let begun = now();
    session.client.hears_code("421 ");
    session.client.hears_end();
    session.server.hears_end();
    assert!(begun.elapsed() > LIMIT / 2, "too early");
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn a_session_without_time_out_does_not_end() {
    let session = Session::begin(&[]);
    assert!(!session.client.hears_something(LIMIT * 2));
    session.quits();
}

#[test]
fn commands_keep_a_session_alive() {
    let mut session = Session::begin(&["-t", "4"]);
    let begun = now();
    while !is_over(begun) {
        std::thread::sleep(STEP);
        session.exchange("NOOP", "200 ok");
    }
    session.quits();
}

/// A part of a line is no sign of life, whoever drips it.
#[test]
fn a_line_that_never_ends_keeps_no_session_alive() {
    for by_client in [true, false] {
        let mut session = Session::begin(&["-t", "1"]);
        let mut dripping = if by_client {
            session.client.stream()
        } else {
            session.server.stream()
        };
        common::eventually("it is ended", || {
            let _ = dripping.write_all(b"x"); // the reset that ends it
            common::readable(session.client.stream(), STEP / 2).then_some(())
        });
        session.client.hears_code("421 ");
    }
}

#[test]
fn telnet_offers_keep_no_session_alive() {
    let mut session = Session::begin(&["-t", "1"]);
    let mut heard = Vec::new();
    common::eventually("it is ended", || {
        let _ = session.client.stream().write_all(b"\xff\xfd\x06"); // the reset that ends it
        while common::readable(session.client.stream(), STEP / 2) {
            let mut some = [0; 64];
            match session.client.stream().read(&mut some) {
                Ok(n @ 1..) => heard.extend_from_slice(&some[..n]),
                _ => return Some(()),
            }
        }
        None
    });
    let words: Vec<u8> = heard.into_iter().filter(u8::is_ascii).collect();
    let words = String::from_utf8_lossy(&words);
    assert!(words.contains("421 "), "{words}");
    session.server.hears_end();
}

#[test]
fn a_slow_reader_of_a_long_reply_keeps_its_session_alive() {
    let mut session = Session::begin(&["-t", "4"]);
    session.client.says("HELP");
    session.server.hears("HELP");
    // More than the sockets hold, so that some of it waits here; the server has said it all.
    let line = format!("214-{}\r\n", "x".repeat(1000));
    let writer = session.server.stream().try_clone().unwrap();
    let (mut said, mut writer) = (0, writer);
    writer.set_nonblocking(true).unwrap();
    while common::writable(&writer, STEP * 3) {
        said += writer
            .write(&line.as_bytes()[said % line.len()..])
            .unwrap_or(0);
    }
    let begun = now();
    let mut heard = 0;
    while !is_over(begun) {
        std::thread::sleep(STEP);
        let bytes = session.client.next_bytes(said / 100).unwrap();
        assert!(!bytes.starts_with(b"421 "));
        heard += bytes.len();
    }
    assert!(heard > 0 && heard < said, "{heard} of {said}");
}

#[test]
fn a_download_keeps_a_session_alive() {
    let mut session = Session::begin(&["-t", "4"]);
    let mut data = session.passive_data();
    session.begin_transfer("RETR a");
    let begun = now();
    while !is_over(begun) {
        std::thread::sleep(STEP);
        data.server.write_all(b"x").unwrap();
        data.client.read_exact(&mut [0]).unwrap();
    }
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn an_upload_keeps_a_session_alive() {
    let mut session = Session::begin(&["-t", "4"]);
    let (listener, to) = session.port();
    session.begin_transfer("STOR a");
    let mut server = common::fake::dial(session.ends.server, to).unwrap();
    let mut client = listener.accepts();
    let begun = now();
    while !is_over(begun) {
        std::thread::sleep(STEP);
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
    }
    drop((client, server));
    session.reply("226 done");
    session.quits();
}

#[test]
fn a_transfer_that_is_stuck_ends_with_421() {
    let mut session = Session::begin(&["-t", "1"]);
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    session.client.hears_code("421 ");
    session.client.hears_end();
    drop(data);
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn a_client_that_names_no_server_is_timed_out_too() {
    let (client, inherited) = control_pair(Ends::V4);
    let mut proxy = Proxy::inherits(inherited, &["--forward", "-t", "1"]);
    let mut client = Control::over(client, "client");
    client.hears_code("220 ");
    client.hears_code("421 ");
    client.hears_end();
    drop(client);
    assert_eq!(proxy.ends().code(), Some(0));
}

#[test]
fn sigterm_is_421_for_the_client() {
    let mut session = Session::begin(&[]);
    session.proxy.signal(Signal::SIGTERM);
    session.client.hears_code("421 ");
    session.client.hears_end();
    session.server.hears_end();
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn sigterm_does_not_cut_a_reply() {
    let mut session = Session::begin(&[]);
    session.client.says("NOOP");
    session.server.hears("NOOP");
    session.server.says("200 ok");
    session.client.hears("200 ok");
    session.server.says_bytes(b"211-half a");
    session.proxy.signal(Signal::SIGTERM);
    session.client.hears_code("421 ");
    session.client.hears_end();
}

#[test]
fn sighup_and_sigint_are_nothing_to_a_session() {
    let mut session = Session::begin(&[]);
    session.proxy.signal(Signal::SIGHUP);
    session.exchange("NOOP", "200 ok");
    session.quits();
}

/// What a client hears whose session cannot begin, and the exit code.
#[track_caller]
fn refusal(options: &[&str]) -> (String, i32) {
    let (client, inherited) = control_pair(Ends::V4);
    let mut proxy = Proxy::inherits(inherited, options);
    let mut client = Control::over(client, "client");
    let line = client.hears_line();
    client.hears_end();
    drop(client);
    (line, proxy.ends().code().expect("an exit code"))
}

#[test]
fn a_server_that_refuses_connections_is_421() {
    let (line, code) = refusal(&["-R", &nowhere(SERVER).to_string()]);
    assert!(line.starts_with("421 "), "{line}");
    assert_eq!(code, 68, "EX_NOHOST");
}

#[test]
fn a_server_without_a_name_is_421() {
    let (line, code) = refusal(&["-R", "no-such-host.invalid"]);
    assert!(line.starts_with("421 "), "{line}");
    assert_eq!(code, 68, "EX_NOHOST");
}

#[test]
fn a_client_that_was_not_redirected_hears_421() {
    let (line, _) = refusal(&["--netfilter"]);
    assert!(line.starts_with("421 "), "{line}");
}

#[test]
fn a_destination_that_is_the_proxy_itself_is_421() {
    let front = Listener::front(Ends::V4.front);
    let client = common::fake::dial(Ends::V4.client, front.address()).unwrap();
    let to = front.address().to_string();
    let _proxy = Proxy::inherits(front.accepts(), &["-R", &to]);
    let mut client = Control::over(client, "client");
    client.hears_code("421 ");
    client.hears_end();
    assert!(!front.is_called(Duration::ZERO), "the proxy dialled itself");
}

#[test]
fn a_client_that_shuts_down_its_side_still_gets_its_file() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.client.says_bytes(b"RETR a\r\nQUIT\r\n");
    session.client.shuts_down();
    session.server.hears("RETR a");
    session.server.hears("QUIT");
    session.server.hears_end();
    session.reply("150 here it comes");
    send_all(&data.server, b"the file");
    session.server.says("226 done");
    session.server.says("221 bye");
    drop(session.server);
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.client.hears("226 done");
    session.client.hears("221 bye");
    session.client.hears_end();
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn a_client_that_resets_ends_the_session() {
    let mut session = Session::begin(&[]);
    session.client.resets();
    session.server.hears_end();
    drop(session.server);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn a_client_whose_reset_is_learnt_by_writing_ends_the_session() {
    let mut session = Session::begin(&[]);
    // While a command waits behind PASV the client is not read.
    session.client.says_bytes(b"PASV\r\nNOOP\r\n");
    session.server.hears("PASV");
    session.client.resets();
    session.server.says("150 a word for nobody");
    session.server.hears_end();
    drop(session.server);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn a_client_that_has_gone_before_anybody_looked_is_no_mistake_of_the_operator() {
    let (client, accepted) = control_pair(Ends::V4);
    common::fake::reset(client);
    assert!(common::readable(&accepted, LONG));
    let server = nowhere(SERVER);
    let mut proxy = Proxy::inherits(accepted, &["-R", &server.to_string()]);
    assert_eq!(proxy.ends().code(), Some(65));
}
