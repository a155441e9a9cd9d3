//! A server of the BSD family that reads its commands in pieces: GNU inetutils ftpd, as inetd starts it.
//! `tests/setup/peers` fetches it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::address::Ends;
use common::fake::{Control, Listener};
use common::process::Proxy;
use common::session::control_pair;

/// The user that no filter lets in.
const USER: &[u8] = b"USER root\r\n";

struct Ftpd(Child);

impl Ftpd {
    fn serves(client: TcpStream) -> Ftpd {
        let libraries = ["usr/lib", "lib"].map(|lib| {
            let folder = format!("{lib}/{}-linux-gnu", std::env::consts::ARCH);
            root().join(folder).display().to_string()
        });
        let client = OwnedFd::from(client);
        let mut command = Command::new(program());
        command
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .stdin(client.try_clone().unwrap())
            .stdout(client)
            .stderr(Stdio::null());
        Ftpd(command.spawn().unwrap())
    }
}

impl Drop for Ftpd {
    fn drop(&mut self) {
        let _ = self.0.kill(); // gone already, as a rule
        let _ = self.0.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.work/root")
}

fn program() -> PathBuf {
    root().join("usr/sbin/ftpd")
}

fn is_here() -> bool {
    let here = program().exists();
    if !here {
        let _ = writeln!(io::stderr(), "skipped: needs tests/setup/peers");
    }
    here
}

/// A client of that server with nothing between.
fn direct() -> (Control, Ftpd) {
    let (client, inherited) = control_pair(Ends::V4);
    greeted(client, Ftpd::serves(inherited))
}

/// A client of that server behind the proxy.
fn through(options: &[&str]) -> (Control, Ftpd, Proxy) {
    let there = Listener::at(Ends::V4.server);
    let (client, inherited) = control_pair(Ends::V4);
    let address = there.address().to_string();
    let options = [&["-R", &address], options].concat();
    let proxy = Proxy::inherits(inherited, &options);
    let (client, ftpd) = greeted(client, Ftpd::serves(there.accepts()));
    (client, ftpd, proxy)
}

fn greeted(client: TcpStream, ftpd: Ftpd) -> (Control, Ftpd) {
    let mut client = Control::over(client, "client");
    client.hears_code("220 ");
    (client, ftpd)
}

/// `NOOP`, filled to `length` bytes by whatever fills, and then a command, all in one line.
fn hidden(length: usize, fill: &[u8], command: &[u8]) -> Vec<u8> {
    let mut line = b"NOOP ".to_vec();
    let room = length - line.len();
    line.extend(vec![b'A'; room % fill.len()]);
    line.extend(fill.repeat(room / fill.len()));
    line.extend(command);
    line
}

/// The codes of the replies until the server says goodbye.
fn codes_until_quit(client: &mut Control, line: &[u8]) -> Vec<String> {
    client.says_bytes(line);
    client.says_bytes(b"QUIT\r\n");
    let mut codes = Vec::new();
    while codes.last().is_none_or(|code| code != "221") {
        let reply = client.next_line().unwrap();
        let reply = reply.strip_prefix(b"\xff").map_or(&reply[..], |r| &r[2..]); // IAC DONT, as an answer to IAC WILL
        assert!(!reply.is_empty(), "no goodbye: {codes:?}");
        codes.push(String::from_utf8_lossy(&reply[..3]).into_owned());
    }
    codes
}

#[test]
fn that_server_takes_a_piece_for_a_command() {
    if !is_here() {
        return;
    }
    for (length, fill) in [(511, &b"A"[..]), (1022, b"A"), (2044, b"A")] {
        let (mut client, _ftpd) = direct();
        let codes = codes_until_quit(&mut client, &hidden(length, fill, USER));
        assert!(codes.contains(&"331".to_owned()), "{length}: {codes:?}");
    }
}

#[test]
fn no_piece_of_a_command_evades_a_filter() {
    if !is_here() {
        return;
    }
    let lengths = (500..=520)
        .chain(1016..=1026)
        .chain([1533, 2044, 3066, 4080]);
    for length in lengths {
        for fill in [&b"A"[..], b"\xff\xff", b"\xffA"] {
            let (mut client, _ftpd, _proxy) = through(&["-A"]);
            let codes = codes_until_quit(&mut client, &hidden(length, fill, USER));
            assert_eq!(codes, ["500", "221"], "{length} {fill:?}");
        }
    }
}

#[test]
fn a_command_of_the_bound_has_one_reply() {
    if !is_here() {
        return;
    }
    for length in 500..=512 {
        for (fill, end) in [
            (&b"A"[..], &b"\r\n"[..]),
            (b"\xff\xff", b"\r\n"),
            (b"A", b"\n"),
        ] {
            let (mut client, _ftpd, _proxy) = through(&[]);
            let line = hidden(length - end.len(), fill, end);
            assert_eq!(line.len(), length);
            let codes = codes_until_quit(&mut client, &line);
            assert_eq!(codes, ["500", "221"], "{length} {fill:?}");
        }
    }
}

/// That server reads Telnet in the whole line. Whatever stands behind a 255, it sees as many commands as the proxy.
#[test]
fn a_byte_of_255_hides_no_command_there() {
    if !is_here() {
        return;
    }
    let bytes = (1..=u8::MAX).filter(|byte| !b"\r\n".contains(byte));
    for byte in bytes.filter(|byte| *byte >= 0xf0 || byte.is_multiple_of(16)) {
        for line in [
            [&b"NOOP \xff"[..], &[byte], b"USER root\r\n"].concat(),
            [&b"NOOP \xff"[..], &[byte], b"\r\n"].concat(),
            [&b"NOOP \xff"[..], &[byte], b"\n"].concat(),
            [&b"NOOP \xff\xff\xff"[..], &[byte], b"\n"].concat(),
        ] {
            let (mut client, _ftpd, _proxy) = through(&["-A"]);
            let codes = codes_until_quit(&mut client, &line);
            assert_eq!(codes, ["500", "221"], "{line:?}");
        }
    }
}
