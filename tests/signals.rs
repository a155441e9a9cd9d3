//! Signals that nobody has sent for the session's sake: SIGPIPE, and a stop for a while, as when a machine is suspended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::fs;
use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

use common::fake::{read_all, reset, send_all};
use common::listening::Listening;
use common::session::Session;
use nix::sys::signal::Signal;

/// Longer than the time-out that the sessions here have, which is more than a busy machine needs for a few commands.
const LONG: Duration = Duration::from_secs(7);
const TIMEOUT: [&str; 2] = ["-t", "6"];

/// Whether a process ignores a signal, see proc_pid_status(5).
#[cfg(target_os = "linux")]
fn ignores(process: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
    mask & 1 << (signal as i32 - 1) != 0
}

/// Whoever starts it may have left the signal as it is.
#[cfg(target_os = "linux")]
#[test]
fn sigpipe_is_ignored_by_parent_and_session() {
    let session = Session::begin(&[]);
    assert!(ignores(session.proxy.pid(), Signal::SIGPIPE));
    session.quits();
    let listening = Listening::begin(&["-R", "127.0.0.1:9"]);
    assert!(ignores(listening.proxy.pid(), Signal::SIGPIPE));
}

#[test]
fn writing_to_a_client_that_has_gone_is_no_death_by_signal() {
    let mut session = Session::begin(&[]);
    reset(session.client.stream().try_clone().unwrap());
    drop(session.client);
    for _ in 0..1000 {
        // Until the proxy has gone.
        if session
            .server
            .stream()
            .write_all(b"200 are you there?\r\n")
            .is_err()
        {
            break;
        }
    }
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn writing_to_a_server_that_has_gone_is_no_death_by_signal() {
    let mut session = Session::begin(&[]);
    session.proxy.signal(Signal::SIGSTOP);
    session.server.resets();
    for _ in 0..20 {
        session.client.says("NOOP");
    }
    session.proxy.signal(Signal::SIGCONT);
    session.client.hears_code("421 ");
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

#[test]
fn writing_to_ends_of_data_that_have_gone_is_no_death_by_signal() {
    let mut session = Session::begin(&[]);
    for upload in [false, true] {
        let data = session.passive_data();
        session.begin_transfer(if upload { "STOR a" } else { "RETR a" });
        session.proxy.signal(Signal::SIGSTOP);
        let (sender, receiver) = if upload {
            (data.client, data.server)
        } else {
            (data.server, data.client)
        };
        send_all(&sender, &[0; 10_000]);
        reset(receiver);
        session.proxy.signal(Signal::SIGCONT);
        assert!(read_all(&sender).is_err(), "who sends is not told");
        session.reply("426 broken");
    }
    session.quits();
}

#[test]
fn what_came_while_a_session_was_stopped_was_no_silence() {
    let mut session = Session::begin(&TIMEOUT);
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    session.proxy.signal(Signal::SIGSTOP);
    send_all(&data.server, &[7; 100_000]);
    session.server.says("226 done");
    sleep(LONG);
    session.proxy.signal(Signal::SIGCONT);
    assert_eq!(read_all(&data.client).unwrap(), [7; 100_000]);
    session.client.hears("226 done");
    session.quits();
}

#[test]
fn a_stop_in_which_nothing_came_is_silence() {
    let mut session = Session::begin(&TIMEOUT);
    session.proxy.signal(Signal::SIGSTOP);
    sleep(LONG);
    session.proxy.signal(Signal::SIGCONT);
    session.client.hears_code("421 ");
    session.client.hears_end();
}

/// Its deadlines are past when it wakes; the data connection that is there by then is used all the same.
#[test]
fn a_data_connection_that_came_during_a_stop_is_not_late() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    session.client.says("RETR a");
    session.server.hears("RETR a");
    session.proxy.signal(Signal::SIGSTOP);
    session.server.says("150 here it comes");
    let client = common::fake::dial(session.ends.client, to).unwrap();
    sleep(LONG);
    session.proxy.signal(Signal::SIGCONT);
    session.client.hears("150 here it comes");
    let server = listener.accepts();
    send_all(&server, b"the file");
    assert_eq!(read_all(&client).unwrap(), b"the file");
    drop((client, server));
    session.reply("226 done");
    session.quits();
}
