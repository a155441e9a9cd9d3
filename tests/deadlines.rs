//! What must happen within a time, and what the client, the server and the operator hear when it has not: a login, a data
//! connection, its bytes, a server that accepts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;
#[path = "common/silent.rs"]
mod silent;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::address::{CLIENT, Ends, FRONT, SERVER, address_in, numbers};
use common::fake::{Control, Listener, dial, read_all, send_all, visit};
use common::listening::Listening;
use common::logged::Logged;
use common::process::Proxy;
use common::session::{Session, control_pair};
use common::{eventually, is_reset, now, readable};
use ftp_proxy::destination::{Guard, Progress, Unreachable};
use ftp_proxy::net::LocalAddresses;
use silent::Silent;

/// The time under test.
const LIMIT: Duration = Duration::from_secs(1);

/// How often a slow-loris sends its next byte.
const DRIP: Duration = Duration::from_millis(50);

/// Sends a byte now and then until the peer has something to say or is gone.
fn drips(mut to: &TcpStream, until: &TcpStream) {
    eventually("the drip is stopped", || {
        let _ = to.write_all(b"x"); // the reset that ends it
        readable(until, DRIP).then_some(())
    });
}

// ---- the login ----

#[test]
fn a_client_that_never_logs_in_is_421_and_logged() {
    let mut session = Logged::begin(&["--login-timeout", "1"]);
    let begun = now();
    session.exchange("USER ada", "331 password");
    session.client.hears_code("421 ");
    session.client.hears_end();
    session.server.hears_end();
    assert!(begun.elapsed() > LIMIT / 2, "too early");
    session.log.logs("timeout: no login within 1 seconds");
}

#[test]
fn a_client_that_drips_its_login_byte_by_byte_is_421() {
    let mut session = Session::begin(&["--login-timeout", "1"]);
    drips(session.client.stream(), session.client.stream());
    session.client.hears_code("421 ");
    session.server.hears_end();
}

#[test]
fn a_client_whose_login_is_refused_again_and_again_is_421() {
    let mut session = Session::begin(&["--login-timeout", "1"]);
    let mut server = session.server;
    eventually("it is ended", || {
        let _ = session.client.stream().write_all(b"PASS x\r\n"); // it is ended some time
        while readable(server.stream(), DRIP) {
            match server.next_line() {
                Ok(line) if !line.is_empty() => {
                    let _ = server.stream().write_all(b"530 no\r\n"); // and so is this one
                }
                _ => return Some(()),
            }
        }
        None
    });
    let heard = session.client.rest().unwrap();
    let heard = String::from_utf8(heard).unwrap();
    assert!(heard.lines().last().unwrap().starts_with("421 "), "{heard}");
}

/// What the client hears whose server is as `server` makes it.
fn with_server(server: impl FnOnce(Control)) -> Control {
    let there = Listener::at(SERVER);
    let (client, inherited) = control_pair(Ends::V4);
    let at = there.address().to_string();
    let mut proxy = Proxy::inherits(inherited, &["-R", &at, "--login-timeout", "1"]);
    server(Control::over(there.accepts(), "server"));
    let mut client = Control::over(client, "client");
    client.hears_code("421 ");
    client.hears_end();
    client.shuts_down();
    assert_eq!(proxy.ends().code(), Some(0));
    client
}

#[test]
fn a_server_that_never_greets_is_421() {
    with_server(|mut server| server.hears_end());
}

#[test]
fn a_server_that_drips_its_greeting_byte_by_byte_is_421() {
    with_server(|server| drips(server.stream(), server.stream()));
}

#[test]
fn a_client_that_names_no_server_in_time_is_421_and_logged() {
    let mut log = Listening::begin(&["--forward", "--login-timeout", "1"]);
    let mut client = log.client();
    client.hears_code("220 ");
    client.says("NOOP");
    client.hears_code("200 ");
    client.hears_code("421 ");
    client.hears_end();
    log.logs("timeout: no login within 1 seconds");
}

#[test]
fn a_client_that_is_logged_in_has_time() {
    for welcome in ["230 welcome", "232 welcome, by your certificate"] {
        let mut session = Session::begin(&["--login-timeout", "1"]);
        session.exchange("USER ada", welcome);
        assert!(!session.client.hears_something(LIMIT * 2), "{welcome}");
        session.quits();
    }
}

#[test]
fn after_rein_the_time_for_a_login_begins_anew() {
    let mut session = Session::begin(&["--login-timeout", "1"]);
    session.exchange("USER ada", "230 welcome");
    assert!(!session.client.hears_something(LIMIT * 2));
    session.exchange("REIN", "220 who are you?");
    session.client.hears_code("421 ");
    session.client.hears_end();
}

// ---- nobody comes ----

/// A passive session in which the client has asked for a transfer and does not come; the server's listener.
fn expected(options: &[&str], transfer: &str) -> (Session, SocketAddr, Listener) {
    let options = [&["--accept-timeout", "1"], options].concat();
    let mut session = Session::begin(&options);
    let (to, listener) = session.pasv();
    session.client.says(transfer);
    session.server.hears(transfer);
    (session, to, listener)
}

#[test]
fn a_server_that_waits_for_nobody_is_told_so_and_its_word_wins() {
    for (transfer, verdict) in [("RETR a", "425 nobody came"), ("STOR a", "426 broken")] {
        let (mut session, to, listener) = expected(&[], transfer);
        let told = read_all(&listener.accepts());
        assert!(is_reset(&told), "{transfer}: {told:?}");
        session.reply(verdict);
        let late = visit(session.ends.client, to);
        assert!(late.is_err(), "the port is still open: {late:?}");
        session.goes_on();
    }
}

#[test]
fn what_a_server_believes_to_be_whole_without_a_client_is_425() {
    let (mut session, _, listener) = expected(&[], "STOR a");
    assert!(is_reset(&read_all(&listener.accepts())));
    session.server.says("226 an empty file, thank you");
    session.client.hears_code("425 ");
    session.goes_on();
}

#[test]
fn a_server_that_says_nothing_of_a_client_who_did_not_come_is_425_too() {
    let (mut session, _, listener) = expected(&[], "RETR a");
    drop(listener); // and it cannot be told
    session.client.hears_code("425 ");
    session.server.says("425 nobody came");
    session.goes_on();
}

#[test]
fn a_server_that_does_not_come_in_active_mode_is_425() {
    let mut session = Session::begin(&["--accept-timeout", "1"]);
    let (listener, to) = session.port();
    session.client.says("RETR a");
    session.server.hears("RETR a");
    session.client.hears_code("425 ");
    assert!(!listener.is_called(Duration::ZERO), "dialled for nobody");
    assert!(visit(session.ends.server, to).is_err(), "still open");
    session.server.says("425 I could not come");
    session.goes_on();
}

#[test]
fn a_server_s_refusal_after_it_did_not_come_in_active_mode_is_passed_on() {
    let mut session = Session::begin(&["--accept-timeout", "1"]);
    let (_listener, to) = session.port();
    session.client.says("STOR a");
    session.server.hears("STOR a");
    eventually("the port is closed", || {
        dial(session.ends.server, to).is_err().then_some(())
    });
    session.reply("425 I was refused");
    session.goes_on();
}

#[test]
fn a_port_that_no_transfer_is_asked_for_is_closed_and_a_later_transfer_is_425() {
    let mut session = Session::begin(&["--accept-timeout", "1"]);
    let (to, listener) = session.pasv();
    assert!(is_reset(&read_all(&listener.accepts())));
    assert!(visit(session.ends.client, to).is_err(), "still open");
    session.exchange("NOOP", "200 ok");
    session.client.says("RETR a");
    session.server.hears("RETR a");
    session.server.says("226 a file of no bytes");
    session.client.hears_code("425 ");
    session.goes_on();
}

#[test]
fn whoever_is_expected_has_the_whole_time_from_the_command_for_the_transfer_on() {
    let mut session = Session::begin(&["--accept-timeout", "3"]);
    let (to, listener) = session.pasv();
    std::thread::sleep(LIMIT * 2);
    session.client.says("RETR a");
    session.server.hears("RETR a");
    std::thread::sleep(LIMIT * 2);
    let data = session.dials(to, &listener);
    session.reply("150 here it comes");
    send_all(&data.server, b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"the file");
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn nobody_coming_is_logged() {
    let mut session = Logged::begin(&["--accept-timeout", "1"]);
    let listener = Listener::at(SERVER);
    session.client.says("PASV");
    session.server.hears("PASV");
    let named = numbers(listener.address());
    session.server.says(&format!("227 ok ({named})"));
    let to = address_in(&session.client.hears_code("227 "));
    session.log.logs(&format!(
        "nobody came for the data connection at {to} in time"
    ));
}

// ---- nothing moves ----

#[test]
fn a_transfer_that_stands_still_is_cut_and_the_session_goes_on() {
    for (transfer, to_client) in [("RETR a", true), ("STOR a", false)] {
        let mut session = Session::begin(&["--stall-timeout", "1"]);
        let data = session.passive_data();
        session.begin_transfer(transfer);
        let (mut from, to) = if to_client {
            (&data.server, &data.client)
        } else {
            (&data.client, &data.server)
        };
        from.write_all(b"some").unwrap();
        let seen = read_all(to);
        assert!(is_reset(&seen), "half a file looks whole: {seen:?}");
        assert!(is_reset(&read_all(from)));
        session.server.says("226 well done");
        session.client.hears_code("426 ");
        session.goes_on();
    }
}

#[test]
fn the_server_s_word_on_a_transfer_that_stood_still_wins() {
    let mut session = Session::begin(&["--stall-timeout", "1"]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    assert!(is_reset(&read_all(&data.server)));
    session.reply("426 cut");
    session.goes_on();
}

#[test]
fn a_reader_that_reads_nothing_is_cut() {
    let mut session = Session::begin(&["--stall-timeout", "1"]);
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    let mut server = &data.server;
    let chunk = [0; 1 << 16];
    let cut = eventually("the server's side is reset", || server.write(&chunk).err());
    assert!(
        matches!(
            cut.kind(),
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
        ),
        "{cut}"
    );
    session.server.says("426 cut");
    session.client.hears_code("426 ");
    session.goes_on();
}

#[test]
fn a_transfer_that_drips_is_not_cut() {
    let mut session = Session::begin(&["--stall-timeout", "4"]);
    let mut data = session.passive_data();
    session.begin_transfer("RETR a");
    let begun = now();
    while begun.elapsed() < LIMIT * 5 {
        std::thread::sleep(DRIP);
        data.server.write_all(b"x").unwrap();
        data.client.read_exact(&mut [0]).unwrap();
    }
    drop(data);
    session.reply("226 done");
    session.quits();
}

#[test]
fn an_upload_that_is_whole_stays_whole_however_long_the_server_thinks() {
    let mut session = Session::begin(&["--stall-timeout", "1"]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    send_all(&data.client, b"the file");
    assert_eq!(read_all(&data.server).unwrap(), b"the file");
    // The client still listens for the server's end; that is what is cut, and the file is not.
    assert!(is_reset(&read_all(&data.client)));
    session.reply("226 done, at last");
    drop(data);
    session.goes_on();
}

#[test]
fn a_stall_is_logged() {
    let mut session = Logged::begin(&["--stall-timeout", "1"]);
    let (client, mut server) = session.data();
    session.exchange("RETR a", "150 here");
    server.write_all(b"some").unwrap();
    assert!(is_reset(&read_all(&client)));
    let line = session.log.logs("transfer to client: 4 bytes");
    assert!(line.ends_with(", stalled"), "{line}");
}

// ---- a server that does not accept ----

#[test]
fn a_server_that_does_not_accept_in_time_is_421_and_logged() {
    let silent = Silent::new();
    let at = silent.address().to_string();
    let begun = now();
    let mut log = Listening::begin(&["-R", &at, "--connect-timeout", "1"]);
    let mut client = log.client();
    client.hears_code("421 ");
    client.hears_end();
    assert!(begun.elapsed() > LIMIT / 2, "too early");
    log.logs(&format!("cannot connect to {at}"));
}

#[test]
fn all_addresses_of_a_server_share_one_time_and_a_silent_one_does_not_use_it_up() {
    let (silent, server) = (Silent::new(), Listener::at(SERVER));
    let guard = Guard {
        local: LocalAddresses::read().unwrap(),
        proxy: SocketAddr::new(FRONT, 21),
        client: CLIENT,
        client_chose: None,
    };
    let many = vec![silent.address(); 60];
    let begun = now();
    let lost = guard.dial(&many, None, LIMIT, &mut |_| {}).unwrap_err();
    assert!(matches!(lost, Unreachable::Silent(..)), "{lost}");
    assert!(begun.elapsed() > LIMIT / 2, "too early");
    assert!(
        begun.elapsed() < LIMIT * 40,
        "each address had the whole time"
    );
    let last = [&many[..3], &[server.address()]].concat();
    let (mut passed_over, mut waited) = (0, 0);
    let found = guard
        .dial(&last, None, LIMIT * 4, &mut |progress| {
            let Progress::PassedOver(why) = progress else {
                waited += 1;
                return;
            };
            assert!(
                why.to_string().contains(&silent.address().to_string()),
                "{why}"
            );
            passed_over += 1;
        })
        .unwrap();
    assert_eq!(found.peer_addr().unwrap(), server.address());
    assert_eq!(passed_over, 3, "who does not answer is not named");
    assert!(waited >= 3, "nobody heard that it takes time");
}

#[test]
fn a_data_connection_that_is_not_accepted_in_time_is_425() {
    let silent = Silent::new();
    let mut session = Session::begin(&["--connect-timeout", "1"]);
    session.client.says("PASV");
    session.server.hears("PASV");
    let named = numbers(silent.address());
    session.server.says(&format!("227 ok ({named})"));
    let to = address_in(&session.client.hears_code("227 "));
    session.client.says("RETR a");
    session.server.hears("RETR a");
    assert!(is_reset(&visit(session.ends.client, to)));
    session.reply("425 nobody came");
    session.goes_on();
}
