//! The program under valgrind(1): whole sessions without a misuse of memory, in src/sys and in the crates below it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{self, Write as _};
use std::process::Command;

use common::address::Ends;
use common::fake::{Listener, read_all, reset, send_all};
use common::process::{PROGRAM, Proxy};
use common::session::Session;

/// More than a pipe holds.
const LENGTH: usize = 300_000;

/// What valgrind ends with if it has seen something.
const MISUSE: &str = "--error-exitcode=99";

/// The program as inetd starts it. Its cage would not let valgrind live.
fn checked(options: &[&str]) -> Option<Session> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        let _ = writeln!(io::stderr(), "skipped: needs valgrind");
        return None;
    }
    let options = [&["--no-cage", "-V", "-D", "3"], options].concat();
    Some(Session::started(Ends::V4, &options, |client, options| {
        let mut command = Command::new("valgrind");
        // What it has to say would be a reply: descriptor 2 is the client.
        command.args(["-q", "--vgdb=no", "--log-file=/dev/null", MISUSE, PROGRAM]);
        Proxy::inherits_by(command, client, options)
    }))
}

#[test]
fn no_memory_is_misused_in_a_session() {
    let Some(mut session) = checked(&[]) else {
        return;
    };
    let file = vec![7; LENGTH];
    session.exchange("USER anna", "331 who says so?");
    session.exchange("PASS secret", "230 come in");
    for upload in [false, true] {
        let data = session.passive_data();
        session.begin_transfer(if upload { "STOR a" } else { "RETR a" });
        carry(&file, &data, upload);
        session.reply("226 done");
        let data = session.active_data(if upload { "STOR a" } else { "RETR a" });
        carry(&file, &data, upload);
        session.reply("226 done");
    }
    session.eprt();
    session.epsv();
    session.client.says("PORT 10,9,9,9,1,1");
    session.client.hears_code("501 ");
    session.client.says(&"x".repeat(5000));
    session.client.hears_code("500 ");
    session.quits();
}

#[test]
fn no_memory_is_misused_in_a_session_that_breaks() {
    let Some(mut session) = checked(&[]) else {
        return;
    };
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    reset(data.server);
    assert!(common::is_reset(&read_all(&data.client)));
    session.reply("426 broken");
    let (to, listener) = session.pasv();
    let waiting: Listener = listener;
    drop(common::fake::dial(session.ends.client, to).unwrap());
    drop(waiting);
    session
        .client
        .stream()
        .shutdown(std::net::Shutdown::Both)
        .unwrap();
    drop(session.client);
    drop(session.server);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

fn carry(file: &[u8], data: &common::session::DataEnds, upload: bool) {
    let (from, to) = if upload {
        (&data.client, &data.server)
    } else {
        (&data.server, &data.client)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| send_all(from, file));
        assert_eq!(read_all(to).unwrap(), file);
    });
    to.shutdown(std::net::Shutdown::Write).unwrap();
}
