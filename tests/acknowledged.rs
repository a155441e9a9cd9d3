//! The proxy acknowledges at once what a peer may wait for: replies of the server, and the end of data. What is counted
//! are the acknowledgements that the kernel has sent late, by its own count for a network namespace; no time is measured.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::fs::read_to_string;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use common::eventually;
use common::session::Session;

/// How often each is tried.
const TIMES: u64 = 20;

/// A process that has to wait for a CPU for 40 ms is late for no fault of its own.
const BUSY: u64 = TIMES / 2;

/// State of a connection whose end has not been acknowledged, and of one whose end has (include/net/tcp_states.h).
const ENDS: &str = "04";
const ENDED: &str = "05";

/// This thread, and what it starts, has a network of its own, so that nobody else is counted.
fn alone() -> bool {
    if !nix::unistd::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: needs root, for a network namespace"
        );
        return false;
    }
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.expect("ip(8)").success());
    true
}

/// Acknowledgements sent late in this network namespace.
fn late() -> u64 {
    let text = read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut rows = text.lines().filter(|row| row.starts_with("TcpExt:"));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let mut both = names.split(' ').zip(values.split(' '));
    let (_, value) = both.find(|(name, _)| *name == "DelayedACKs").unwrap();
    value.parse().unwrap()
}

/// A row of the kernel's table of connections.
struct Connection {
    /// The local port, and the other.
    ports: (u16, u16),
    state: String,
    /// All that was sent is acknowledged.
    sent: bool,
}

fn connections() -> Vec<Connection> {
    let text = read_to_string("/proc/thread-self/net/tcp").unwrap();
    let rows = text.lines().skip(1).map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let port = |word: &str| u16::from_str_radix(word.split_once(':').unwrap().1, 16).unwrap();
        Connection {
            ports: (port(words[1]), port(words[2])),
            state: words[3].to_owned(),
            sent: words[4].starts_with("00000000:"),
        }
    });
    rows.collect()
}

fn connection(of: &TcpStream) -> Connection {
    let ends = (of.local_addr().unwrap(), of.peer_addr().unwrap());
    let ports = (ends.0.port(), ends.1.port());
    let found = connections().into_iter().find(|row| row.ports == ports);
    found.expect("the connection")
}

fn all_is_acknowledged() {
    eventually("everything is acknowledged", || {
        connections().iter().all(|row| row.sent).then_some(())
    });
}

/// Ends that half of a connection, and waits until the other side's kernel says that the end has come.
fn end(half: &TcpStream) {
    half.shutdown(Shutdown::Write).unwrap();
    eventually("the end is acknowledged", || {
        let state = connection(half).state;
        assert!([ENDS, ENDED].contains(&state.as_str()), "state {state}");
        (state == ENDED).then_some(())
    });
}

#[test]
fn part_of_a_line_is_acknowledged_at_once() {
    the_rest_need_not_wait("2", "00 so be it", &["200 so be it"]);
}

#[test]
fn part_of_a_reply_is_acknowledged_at_once() {
    let lines = ["200-so", "200 be it"];
    the_rest_need_not_wait("200-so\r\n", lines[1], &lines);
}

#[test]
fn a_preliminary_reply_is_acknowledged_at_once() {
    let lines = ["150 soon", "226 done"];
    the_rest_need_not_wait("150 soon\r\n", lines[1], &lines);
}

#[track_caller]
fn the_rest_need_not_wait(begins: &str, ends: &str, heard: &[&str]) {
    if !alone() {
        return;
    }
    let mut session = Session::begin(&[]);
    let mut all = 0;
    for _ in 0..TIMES {
        // The kernel delays where one side speaks after the other.
        for _ in 0..4 {
            session.exchange("NOOP", "200 so be it");
        }
        session.client.says("SITE X");
        session.server.hears("SITE X");
        let before = late();
        session.server.says_bytes(begins.as_bytes());
        eventually("it is acknowledged", || {
            connection(session.server.stream()).sent.then_some(())
        });
        all += late() - before;
        session.server.says(ends);
        heard.iter().for_each(|line| session.client.hears(line));
    }
    assert!(all < BUSY, "{all} of {TIMES} were late");
}

#[test]
fn the_end_of_a_download_is_acknowledged_at_once() {
    the_end_is_acknowledged_at_once("RETR a");
}

#[test]
fn the_end_of_an_upload_is_acknowledged_at_once() {
    the_end_is_acknowledged_at_once("STOR a");
}

#[track_caller]
fn the_end_is_acknowledged_at_once(command: &str) {
    if !alone() {
        return;
    }
    let mut session = Session::begin(&[]);
    let mut all = 0;
    for time in 0..TIMES {
        let data = if time % 2 == 0 {
            let data = session.passive_data();
            session.begin_transfer(command);
            data
        } else {
            session.active_data(command)
        };
        let (mut sender, mut receiver) = if command == "STOR a" {
            (&data.client, &data.server)
        } else {
            (&data.server, &data.client)
        };
        // A connection that has carried nothing yet has no time for which it could delay.
        sender.write_all(b"x").unwrap();
        receiver.read_exact(&mut [0]).unwrap();
        all_is_acknowledged();
        let before = late();
        end(sender);
        all += late() - before;
        drop(data);
        session.reply("226 done");
    }
    assert!(all < BUSY, "{all} of {TIMES} were late");
    session.quits();
}
