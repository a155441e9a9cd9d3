//! What an administrator reads of a slip, word by word: what is wrong and what to write instead.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::unistd::geteuid;

const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// A command line, and all that is said of it.
const SLIPS: &[(&str, &str)] = &[
    (
        "",
        "no destination: give -R address (clients are connected to that server), --forward (clients name the server), \
         or --netfilter, -p, -i or --diverted (the packet filter has redirected the clients); see --help",
    ),
    (
        "-R --listen 127.0.0.1:8021",
        "-R needs an address; got --listen",
    ),
    ("--listen -p", "--listen needs an [address:]port; got -p"),
    ("-p -u --listen=8021", "-u needs a user; got --listen=8021"),
    (
        "--forward --forward-to --listen 8021",
        "--forward-to needs networks; got --listen",
    ),
    ("-R", "-R needs an address"),
    ("-p -t", "-t needs a timeout"),
    ("-p --max-line", "--max-line needs bytes"),
    (
        "-R ftp://ftp.example.org/pub",
        "-R ftp://ftp.example.org/pub: is a URL; write an address or a name",
    ),
    (
        "-R ftp.example.org --masquerade http://gw.example.org",
        "--masquerade http://gw.example.org: is a URL; write an address or a name",
    ),
    (
        "-R fd00::1:21",
        "-R fd00::1:21: may have a port at its end; write [fd00::1]:21 or [fd00::1:21]",
    ),
    (
        "-R 2001:db8:0:1:2:3:4:5:21",
        "-R 2001:db8:0:1:2:3:4:5:21: write [2001:db8:0:1:2:3:4:5]:21",
    ),
    (
        "-p -M 40000",
        "-M 40000: this is below the lowest port, which is 49152 by default; give -m too",
    ),
    (
        "-p -m 50000 -M 40000",
        "-m 50000 -M 40000: the lowest port is above the highest",
    ),
    (
        "-p -m 60000-65535",
        "-m 60000-65535: write the lowest port here, and the highest with -M",
    ),
    (
        "-p -M 60000:65535",
        "-M 60000:65535: write the highest port here, and the lowest with -m",
    ),
    (
        "-R 192.0.2.1 --masquerade 1.2.3.4:60000",
        "--masquerade 1.2.3.4:60000: write the host without a port; --advertise-port-offset says which ports clients \
         are told",
    ),
    (
        "-p -t 15m",
        "-t 15m: write a number of seconds from 0 to 31536000",
    ),
    (
        "-p --connect-timeout 1m",
        "--connect-timeout 1m: write a number of seconds from 1 to 3600",
    ),
    (
        "-p --max-line 4k",
        "--max-line 4k: write a number of bytes from 512 to 65536",
    ),
    (
        "-p --max-sessions 0",
        "--max-sessions 0: write a number from 1 to 100000",
    ),
    (
        "-p --listen localhost:21",
        "--listen localhost:21: write a port, or an address and a port, as 21, 192.0.2.1:21 or [2001:db8::1]:21",
    ),
    (
        "-p --listen 0",
        "--listen 0: write a port, or an address and a port, as 21, 192.0.2.1:21 or [2001:db8::1]:21",
    ),
    (
        "--netfilter --quiet",
        "--quiet is no option, see ftp-proxy --help",
    ),
    (
        "-R 192.0.2.1 -u no-such-user --listen 127.0.0.1:1",
        "-u no-such-user: no such user, create it or name another with -u",
    ),
    (
        "-R 192.0.2.1 -g no-such-group --listen 127.0.0.1:1",
        "-g no-such-group: no such group, create it or name another with -g",
    ),
    (
        "-R 192.0.2.1 -u 4242424 --listen 127.0.0.1:1",
        "-u 4242424: no user has this number, give a group too with -g",
    ),
    (
        "-R 192.0.2.1 -u 4294967295 --listen 127.0.0.1:1",
        "-u 4294967295: no such user, create it or name another with -u",
    ),
    (
        "-R 192.0.2.1",
        "descriptor 0 is no connection: start ftp-proxy from inetd, xinetd or systemd, or give --listen address:port",
    ),
    #[cfg(target_os = "linux")]
    (
        "--netfilter",
        "descriptor 0 is no connection: start ftp-proxy from inetd, xinetd or systemd, or give --listen address:port",
    ),
];

/// What a command says on its terminal, each line without the name and id of the process, and its exit code.
fn says(command: &mut Command) -> (Vec<String>, Option<i32>) {
    let pty = openpty(None, None).unwrap();
    let mut child = command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(pty.slave)
        .spawn()
        .unwrap();
    command.stderr(Stdio::null()); // our copy of the terminal's end is closed
    let mut shown = Vec::new();
    // EIO is how a terminal tells that nobody has it open any more.
    let _ = File::from(pty.master).read_to_end(&mut shown);
    let shown = String::from_utf8(shown).unwrap();
    let plain = |line: &str| line.split_once("]: ").unwrap().1.to_owned();
    let lines = shown.lines().map(plain).collect();
    (lines, child.wait().unwrap().code())
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(' ').filter(|word| !word.is_empty())
}

#[test]
fn each_slip_is_one_line_that_says_what_to_write() {
    for (line, complaint) in SLIPS {
        let (said, code) = says(Command::new(PROXY).args(words(line)));
        assert_eq!(said, [*complaint], "{line}");
        assert_eq!(code, Some(64), "{line}");
    }
}

#[test]
fn h_prints_the_help() {
    let help = |name| Command::new(PROXY).arg(name).output().unwrap();
    let (short, long) = (help("-h"), help("--help"));
    assert!(short.status.success() && short.stderr.is_empty());
    assert!(short.stdout == long.stdout && !long.stdout.is_empty());
}

#[test]
fn a_port_that_is_taken_is_said_without_a_number() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let (said, code) = says(Command::new(PROXY).args(["-R", "192.0.2.1", "--listen", &at]));
    let complaint = format!("cannot listen on {at}: Address already in use");
    assert_eq!(said.last(), Some(&complaint));
    assert_eq!(code, Some(71));
}

#[test]
fn an_address_to_listen_on_must_be_ours() {
    let line = "-R 192.0.2.1 --listen 192.0.2.77:8021";
    let (said, code) = says(Command::new(PROXY).args(words(line)));
    let said = said.last().unwrap();
    let complaint = "cannot listen on 192.0.2.77:8021 (it is no address of this machine): ";
    assert!(said.starts_with(complaint), "{said}");
    assert_eq!(code, Some(71));
}

/// Without root what a listener lacks is named.
#[test]
#[cfg(target_os = "linux")]
fn a_listener_says_which_right_it_lacks() {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let all_ports: bool = start.trim().parse::<u16>().unwrap() <= 21;
    // A copy that any user can run, wherever the build is.
    let copy = std::env::temp_dir().join(format!("ftp-proxy-{}", std::process::id()));
    fs::copy(PROXY, &copy).unwrap();
    for (line, complaint) in [
        (
            "-R 192.0.2.1 --listen 127.0.0.1:21",
            "cannot listen on 127.0.0.1:21 (root or the capability CAP_NET_BIND_SERVICE is needed for a port below 1024): \
             Permission denied",
        ),
        (
            "--diverted --listen 127.0.0.1:8021",
            "cannot listen on 127.0.0.1:8021 (root or the capability CAP_NET_ADMIN is needed with --diverted): \
             Operation not permitted",
        ),
    ] {
        if all_ports && line.ends_with(":21") {
            continue; // here every user may have port 21
        }
        let mut command = Command::new(&copy);
        if geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        let (said, code) = says(command.args(words(line)));
        assert_eq!(said.last().map(String::as_str), Some(complaint));
        assert_eq!(code, Some(71), "{line}");
    }
    fs::remove_file(copy).unwrap();
}
