//! How much memory a session takes, whatever its peers send: what the kernel says of the real program. Only Linux tells.
//!
//! What is held is the peak (`VmHWM`), the program itself and what of libraries it has touched included. Without
//! optimization the program is larger than people run it; there it is what the peak has grown by since the session was
//! greeted.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use common::session::Session;
use common::writable;

/// What a session may take, in bytes.
const LIMIT: usize = 4 << 20;

/// A line without end is so long, in bytes; 1 GiB if the environment has FTP_PROXY_GIBIBYTE, which takes a minute without
/// optimization.
fn endless() -> usize {
    if std::env::var_os("FTP_PROXY_GIBIBYTE").is_some() {
        1 << 30
    } else {
        64 << 20
    }
}

/// A figure of proc_pid_status(5), in bytes.
fn memory(session: &Session, what: &str) -> usize {
    let path = format!("/proc/{}/status", session.proxy.pid());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// A session and the peak of its memory when it began.
struct Measured {
    session: Session,
    before: usize,
}

impl Measured {
    #[track_caller]
    fn begin(options: &[&str]) -> Measured {
        let session = Session::begin(options);
        let before = memory(&session, "VmHWM");
        Measured { session, before }
    }

    /// Still the session that it was, and no larger than it may be.
    #[track_caller]
    fn is_small(&self) {
        let peak = memory(&self.session, "VmHWM");
        let anonymous = memory(&self.session, "RssAnon");
        let grown = peak - self.before;
        // Shown by `cargo test -- --nocapture`, for docs/trust.md.
        let _ = writeln!(
            std::io::stderr(),
            "peak {peak}, {grown} more than at the beginning; {anonymous} anonymous now"
        );
        let counts = if cfg!(debug_assertions) { grown } else { peak };
        assert!(counts < LIMIT, "grown by {grown} bytes to {peak}");
        assert!(anonymous < LIMIT, "{anonymous} bytes of its own");
    }
}

/// Writes `piece` over and over, `total` bytes of it at most, until the peer takes no more; how many it took.
fn pours(mut to: &TcpStream, piece: &[u8], total: usize) -> usize {
    let much = piece.repeat((1 << 16) / piece.len() + 1);
    to.set_nonblocking(true).unwrap();
    let mut taken = 0;
    while taken < total && writable(to, Duration::from_secs(1)) {
        let from = taken % piece.len();
        let most = (much.len() - from).min(total - taken);
        match to.write(&much[from..from + most]) {
            Ok(n) => taken += n,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break, // the session has ended
        }
    }
    let _ = to.set_nonblocking(false); // ended
    taken
}

#[test]
fn a_million_lines_of_a_reply_pass_in_constant_memory() {
    const LINES: usize = 1_000_000;
    const LINE: &[u8] = b" another line of this reply\r\n";
    let mut measured = Measured::begin(&[]);
    let session = &mut measured.session;
    session.client.says("STAT");
    session.server.hears("STAT");
    session.server.says("211-Here it begins");
    session.client.hears("211-Here it begins");
    let total = LINES * LINE.len();
    let mut heard = 0;
    thread::scope(|scope| {
        let mut server = session.server.stream();
        scope.spawn(move || {
            let thousand = LINE.repeat(1000);
            (0..LINES / 1000).for_each(|_| server.write_all(&thousand).unwrap());
        });
        let mut buffer = vec![0; 1 << 16];
        let mut client = session.client.stream();
        while heard < total {
            let most = buffer.len().min(total - heard);
            let n = client.read(&mut buffer[..most]).unwrap();
            assert!(n > 0, "the end after {heard} bytes");
            let expected = LINE.iter().cycle().skip(heard % LINE.len());
            assert!(buffer[..n].iter().eq(expected.take(n)), "at {heard}");
            heard += n;
        }
    });
    session.reply("211 Here it ends");
    measured.is_small();
    measured.session.quits();
}

#[test]
fn an_endless_line_of_the_client_is_dropped_in_constant_memory_and_answered_once() {
    let mut measured = Measured::begin(&[]);
    let total = endless();
    let session = &mut measured.session;
    assert_eq!(pours(session.client.stream(), b"x", total), total);
    session.client.says("");
    session.client.hears_code("500 ");
    session.exchange("NOOP", "200 ok");
    measured.is_small();
    measured.session.quits();
}

#[test]
fn an_endless_line_of_telnet_bytes_is_dropped_in_constant_memory() {
    let mut measured = Measured::begin(&[]);
    let session = &mut measured.session;
    // A subnegotiation that does not end, and its bytes are no line.
    session.client.says_bytes(b"\xff\xfa\x18");
    let total = endless();
    assert_eq!(pours(session.client.stream(), b"x", total), total);
    session.client.says_bytes(b"\xff\xf0");
    session.exchange("NOOP", "200 ok");
    measured.is_small();
    measured.session.quits();
}

#[test]
fn an_endless_line_of_the_server_passes_in_constant_memory() {
    for beginning in ["211 ", "211-Here\r\n "] {
        let mut measured = Measured::begin(&[]);
        let session = &mut measured.session;
        session.client.says("STAT");
        session.server.hears("STAT");
        session.server.says_bytes(beginning.as_bytes());
        // Nobody reads it.
        let taken = pours(session.server.stream(), b"x", endless());
        assert!(taken < endless(), "all of it is kept somewhere");
        // The last piece is not full, and its end has not come.
        let passed = taken - 4096;
        assert_eq!(session.client.next_bytes(passed).unwrap().len(), passed);
        measured.is_small();
    }
}

#[test]
fn a_client_that_never_reads_costs_no_more_than_the_queue() {
    for options in [&[][..], &["--max-queue", "1048576"]] {
        let mut measured = Measured::begin(options);
        let session = &mut measured.session;
        session.client.says("STAT");
        session.server.hears("STAT");
        session.server.says("211-Here it begins");
        let taken = pours(session.server.stream(), b" a line\r\n", endless());
        assert!(taken < endless(), "all of it is kept somewhere");
        measured.is_small();
    }
}

#[test]
fn a_client_that_never_reads_our_own_refusals_costs_no_more_than_the_queue() {
    for line in [&b"PORT 1\r\n"[..], b"\xff\xfd\x06"] {
        let measured = Measured::begin(&[]);
        let taken = pours(measured.session.client.stream(), line, endless());
        assert!(taken < endless(), "all of it is kept somewhere");
        measured.is_small();
    }
}

#[test]
fn a_server_that_never_reads_or_answers_costs_no_more_than_the_queue() {
    for options in [
        &["--max-command", "4096"][..],
        &[
            "--max-outstanding",
            "1024",
            "--max-line",
            "65536",
            "--max-command",
            "65536",
        ],
    ] {
        let line = [&[b'x'; 4000][..], b"\r\n"].concat();
        let measured = Measured::begin(options);
        let taken = pours(measured.session.client.stream(), &line, endless());
        assert!(taken < endless(), "all of it is kept somewhere");
        measured.is_small();
    }
}

#[test]
fn a_reader_of_data_that_never_reads_costs_no_memory() {
    let mut measured = Measured::begin(&[]);
    let data = measured.session.passive_data();
    measured.session.begin_transfer("RETR a");
    let taken = pours(&data.server, b"0123456789", endless());
    assert!(taken < endless(), "all of it is kept somewhere");
    measured.is_small();
    data.client.shutdown(Shutdown::Both).unwrap();
}

/// What a session from inetd(8) waits for before it begins, and has pages of.
#[test]
#[cfg(all(
    target_env = "gnu",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
fn no_library_is_loaded_but_the_c_library() {
    let mut loads = std::process::Command::new(env!("CARGO_BIN_EXE_ftp-proxy"));
    let loads = loads.env("LD_TRACE_LOADED_OBJECTS", "1"); // ld.so(8): say which, and end
    let said = String::from_utf8(loads.output().unwrap().stdout).unwrap();
    let names = said.lines().map(|line| line.trim_start());
    let others: Vec<_> = names
        .filter(|name| {
            !["linux-vdso.so", "libc.so", "/lib"]
                .iter()
                .any(|known| name.starts_with(known))
        })
        .collect();
    assert!(said.contains("libc.so") && others.is_empty(), "{said}");
}
