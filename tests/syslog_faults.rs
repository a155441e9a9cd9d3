//! A session whose syslogd is gone, full or deaf: lines are lost, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;
#[path = "common/syslog.rs"]
mod syslog;

use std::time::Duration;

use common::address::Ends;
use common::process::{PROGRAM, Proxy};
use common::session::Session;
use syslog::{FakeSyslog, fill, skip};

/// Everything there is to log.
const TALKATIVE: [&str; 3] = ["-V", "-D", "3"];

/// Commands that make more lines than any socket of syslog's holds.
const COMMANDS: usize = 1000;

/// A session that finds this syslogd.
fn under(syslog: &FakeSyslog) -> Session {
    Session::started(Ends::V4, &TALKATIVE, |client, options| {
        Proxy::inherits_by(syslog.command(PROGRAM), client, options)
    })
}

/// A syslogd where no other can be found in its stead.
fn alone() -> Option<FakeSyslog> {
    if std::fs::exists("/dev/log").unwrap() {
        skip("a machine where /dev/log is no socket of its own");
        return None;
    }
    FakeSyslog::start()
}

fn talks(session: &mut Session) {
    for _ in 0..COMMANDS {
        session.exchange("NOOP", "200 ok");
    }
    session.downloads("a");
}

#[test]
fn a_session_begins_and_ends_without_a_syslogd() {
    let Some(mut syslog) = alone() else { return };
    syslog.stop();
    let mut session = under(&syslog);
    talks(&mut session);
    session.quits();
}

#[test]
fn a_syslogd_that_goes_in_mid_session_takes_lines_and_nothing_else_with_it() {
    let Some(mut syslog) = alone() else { return };
    let mut session = under(&syslog);
    syslog.expect("server: 220 ready");
    syslog.stop();
    talks(&mut session);
    syslog.restart();
    session.downloads("a");
    session.quits();
}

#[test]
fn a_syslogd_that_never_reads_does_not_hold_a_session() {
    let Some(syslog) = alone() else { return };
    let mut session = under(&syslog);
    talks(&mut session);
    session.quits();
}

#[test]
fn a_syslogd_on_a_stream_that_never_reads_does_not_hold_a_session() {
    let Some(mut syslog) = alone() else { return };
    let listener = syslog.becomes_a_stream(8);
    let mut session = under(&syslog);
    let _deaf = listener.accept().unwrap();
    talks(&mut session);
    session.quits();
}

#[test]
fn a_syslogd_on_a_stream_that_goes_in_mid_session_does_not_end_it() {
    let Some(mut syslog) = alone() else { return };
    let listener = syslog.becomes_a_stream(8);
    let mut session = under(&syslog);
    drop(listener.accept().unwrap());
    drop(listener);
    talks(&mut session);
    session.quits();
}

#[test]
fn a_syslogd_on_a_stream_that_accepts_nobody_does_not_hold_a_session() {
    let Some(mut syslog) = alone() else { return };
    let _listener = syslog.becomes_a_stream(0);
    let _waiting = fill(&syslog.socket());
    let mut session = under(&syslog);
    talks(&mut session);
    session.quits();
}

/// With `--listen` no session has an empty root folder, in which there would be no path to it.
#[test]
#[cfg(target_os = "linux")]
fn a_session_that_sees_the_file_system_finds_a_syslogd_that_was_started_anew() {
    let Some(mut syslog) = alone() else { return };
    let mut session = Session::started(Ends::V4, &["-r", "-V"], |client, options| {
        Proxy::inherits_by(syslog.command(PROGRAM), client, options)
    });
    syslog.expect("server: 220 ready");
    syslog.stop();
    session.exchange("NOOP", "200 ok");
    syslog.restart();
    // It is not looked for at each line.
    for _ in 0..20 {
        session.exchange("NOOP", "200 ok");
        while syslog.next(Duration::from_millis(1)).is_some() {}
    }
    session.downloads("a");
    syslog.expect("client: RETR a");
    session.quits();
    syslog.expect("session ended");
}
