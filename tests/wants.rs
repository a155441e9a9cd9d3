//! A system that is short of descriptors, or of room for a folder: what the client hears, and that the session lives.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;
#[path = "common/syslog.rs"]
mod syslog;

use std::io;
use std::net::TcpStream;
use std::process::Command;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use common::address::{CLIENT, Ends, SERVER, address_in, numbers};
use common::fake::{Control, Listener, dial, read_all, send_all};
use common::process::{PROGRAM, Proxy};
use common::session::{Session, control_pair};
use syslog::FakeSyslog;

const FILE: &[u8] = b"the file";

/// How long the server waits for a data connection.
const SOON: Duration = Duration::from_millis(500);

/// Fewer, and the loader of programs itself cannot begin (ld.so(8)).
const FEWEST: usize = 4;

/// More than a session ever has.
const ENOUGH: usize = 26;

/// A server that answers whoever comes first: NOOP, PASV and PORT, RETR and STOR, QUIT.
fn server() -> (Listener, impl FnOnce(Listener) -> JoinHandle<()>) {
    let begin = |there: Listener| {
        spawn(move || {
            if there.is_called(common::PATIENCE) {
                let mut control = Control::over(there.accepts(), "server");
                drop(there);
                control.says("220 ready");
                serve(&mut control);
            }
        })
    };
    (Listener::at(SERVER), begin)
}

fn serve(control: &mut Control) {
    let (mut listener, mut port) = (None, None);
    while let Ok(line) = control.next_line() {
        let line = String::from_utf8(line).unwrap();
        match line.split_ascii_whitespace().next() {
            Some("PASV") => {
                let there = Listener::at(SERVER);
                control.says(&format!("227 ok ({})", numbers(there.address())));
                listener = Some(there);
            }
            Some("PORT") => {
                port = Some(address_in(&line));
                control.says("200 ok");
            }
            Some("RETR" | "STOR") => {
                control.says("150 now");
                let called = listener
                    .take()
                    .filter(|there: &Listener| there.is_called(SOON));
                let data = called.map(|there| there.accepts());
                let data = data.or_else(|| dial(SERVER, port.take()?).ok());
                let done =
                    data.is_some_and(|data| transfer(&data, line.starts_with("RETR")).is_ok());
                control.says(if done { "226 done" } else { "426 not done" });
            }
            Some("QUIT") => return control.says("221 bye"),
            Some(_) => control.says("200 ok"),
            None => return,
        }
    }
}

/// An end is believed only if it is one.
fn transfer(data: &TcpStream, download: bool) -> io::Result<()> {
    if download {
        io::Write::write_all(&mut &*data, FILE)?;
        data.shutdown(std::net::Shutdown::Write)?;
        return read_all(data).map(drop);
    }
    assert_eq!(read_all(data)?, FILE, "a file that was called complete");
    Ok(())
}

/// Processor time that the program has used, in ticks.
fn ticks(proxy: &Proxy) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// How far a session comes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Came {
    /// 421 was its greeting.
    Nowhere,
    /// It was greeted, and lived on without data.
    ToGreeting,
    ToData,
}

/// One session with so many descriptors, which must hear a proper reply to everything.
fn session_with(limit: usize, passive: bool, upload: bool) -> Came {
    let (there, begin) = server();
    let (client, inherited) = control_pair(Ends::V4);
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={limit}")).arg(PROGRAM);
    let address = there.address().to_string();
    let mut proxy = Proxy::inherits_by(command, inherited, &["-R", &address]);
    let server = begin(there);
    let mut client = Control::over(client, "client");
    let greeting = client.hears_line();
    let came = if greeting.starts_with("421 ") {
        // A server that was reached and greets is not kept waiting.
        client.hears_end();
        assert!(proxy.ends().code().is_some_and(|code| code != 0));
        drop(dial(SERVER, address.parse().unwrap())); // for one that was not
        Came::Nowhere
    } else {
        assert_eq!(greeting, "220 ready");
        let done = transfers(&mut client, passive, upload);
        let before = ticks(&proxy);
        std::thread::sleep(Duration::from_millis(200));
        let after = ticks(&proxy);
        assert!(after - before < 10, "{} ticks in waiting", after - before);
        client.says("NOOP");
        client.hears("200 ok");
        client.says("QUIT");
        client.hears("221 bye");
        client.hears_end();
        drop(client);
        assert_eq!(proxy.ends().code(), Some(0));
        if done { Came::ToData } else { Came::ToGreeting }
    };
    server.join().expect("the server");
    came
}

/// Whether a file went through; if it did not, the client was told so.
fn transfers(client: &mut Control, passive: bool, upload: bool) -> bool {
    let listener = Listener::at(CLIENT);
    let at = if passive {
        client.says("PASV");
        let line = client.hears_line();
        if !line.starts_with("227 ") {
            assert!(
                line.starts_with("500 ") || line.starts_with("425 "),
                "{line}"
            );
            return false;
        }
        Some(address_in(&line))
    } else {
        client.says(&format!("PORT {}", numbers(listener.address())));
        let line = client.hears_line();
        if !line.starts_with("200 ") {
            assert!(
                line.starts_with("500 ") || line.starts_with("425 "),
                "{line}"
            );
            return false;
        }
        None
    };
    client.says(if upload { "STOR a" } else { "RETR a" });
    // Who waits for nobody waits no longer than until the reply.
    let data = match at {
        Some(at) => dial(CLIENT, at).ok(),
        None => listener.is_called(2 * SOON).then(|| listener.accepts()),
    };
    let whole = data.is_some_and(|data| {
        if upload {
            let _ = io::Write::write_all(&mut &data, FILE);
            let _ = data.shutdown(std::net::Shutdown::Write);
            read_all(&data).is_ok()
        } else {
            read_all(&data).is_ok_and(|file| file == FILE)
        }
    });
    let mut line = client.hears_line();
    if line.starts_with("150 ") {
        line = client.hears_line();
    }
    let told = line.starts_with("226 ");
    assert!(
        told || line.starts_with("425 ") || line.starts_with("426 "),
        "{line}"
    );
    assert!(whole || !told, "called complete, and is not");
    told
}

/// Every number of descriptors, so that whatever needs one is once the first that gets none.
fn with_each(passive: bool, upload: bool) {
    let all: Vec<_> = (FEWEST..=ENOUGH)
        .map(|limit| (limit, spawn(move || session_with(limit, passive, upload))))
        .collect();
    let came: Vec<_> = all
        .into_iter()
        .map(|(limit, session)| {
            (
                limit,
                session
                    .join()
                    .unwrap_or_else(|_| panic!("with {limit} descriptors")),
            )
        })
        .collect();
    assert!(came.is_sorted_by_key(|(_, came)| *came), "{came:?}");
    assert_eq!(came.last().unwrap().1, Came::ToData, "{came:?}");
    for some in [Came::Nowhere, Came::ToGreeting] {
        assert!(came.iter().any(|(_, came)| *came == some), "{came:?}");
    }
}

#[test]
fn a_passive_download_without_descriptors_is_a_proper_reply() {
    with_each(true, false);
}

#[test]
fn a_passive_upload_without_descriptors_is_a_proper_reply() {
    with_each(true, true);
}

#[test]
fn an_active_download_without_descriptors_is_a_proper_reply() {
    with_each(false, false);
}

#[test]
fn an_active_upload_without_descriptors_is_a_proper_reply() {
    with_each(false, true);
}

/// Fewer than it has, in the middle of it: poll(2) itself fails then.
#[test]
fn a_session_that_can_wait_for_nothing_any_more_says_so() {
    // Only the same user may change its limits.
    let root = nix::unistd::geteuid().is_root();
    let mut session = Session::begin(if root { &["-u", "root"] } else { &[] });
    session.exchange("NOOP", "200 ok");
    let pid = session.proxy.pid().to_string();
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &pid, "--nofile=1:"]);
    assert!(prlimit.status().unwrap().success());
    session.client.says("NOOP");
    session.client.hears_code("421 ");
    session.client.hears_end();
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(71));
}

/// The folder that a session leaves the file system for cannot be made. The rest of the cage stands.
#[test]
fn a_full_disk_costs_the_empty_folder_and_not_the_session() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let full = r#"
mount -t tmpfs -o size=4k,nr_inodes=1 none /mnt; export TMPDIR=/mnt
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" # it becomes /run
"#;
    let mut session = Session::started(Ends::V4, &[], |client, options| {
        Proxy::inherits_by(syslog.command_after(full, PROGRAM), client, options)
    });
    syslog.expect("cannot leave the file system: No space left on device");
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    send_all(&data.server, FILE);
    assert_eq!(read_all(&data.client).unwrap(), FILE);
    drop(data);
    session.reply("226 done");
    session.quits();
}
