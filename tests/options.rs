//! The command line as an administrator meets it: good help, and for each slip one line that names it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "common/syslog.rs"]
mod syslog;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use ftp_proxy::options::{TABLE, help};
use nix::pty::openpty;
use syslog::FakeSyslog;

const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// Command lines that are wrong, each with what the complaint must hold.
const SLIPS: &[(&str, &str)] = &[
    ("", "--netfilter"),
    ("-p -i", "-p and -i"),
    ("--netfilter --forward", "--netfilter and --forward"),
    ("--netfilter -R 192.0.2.1", "--netfilter and -R"),
    ("--netfilter --forward-any-port", "--forward-any-port"),
    ("--netfilter --ipf-lookup=auto", "--ipf-lookup: only"),
    ("-i --ipf-lookup=lsit", "--ipf-lookup lsit"),
    ("-i --ipf-lookup", "--ipf-lookup needs"),
    ("--netfilter -m 0", "-m 0"),
    ("--netfilter -m 70000", "-m 70000"),
    ("--netfilter -M 0x50", "-M 0x50"),
    ("--netfilter -M +80", "-M +80"),
    ("--netfilter -m 3000 -M 2000", "-m 3000 -M 2000"),
    ("--netfilter -M 2000", "-M 2000"),
    ("--netfilter -a 192.0.2.300", "-a 192.0.2.300"),
    ("--netfilter -a localhost", "-a localhost"),
    ("--netfilter -a 0.0.0.0", "-a 0.0.0.0"),
    ("--netfilter -S ::g", "-S ::g"),
    ("--netfilter -S 224.0.0.1", "-S 224.0.0.1"),
    ("--netfilter --data-path nat", "--data-path nat"),
    (
        "--forward --data-path=kernel",
        "--data-path: with --forward",
    ),
    ("-p --anchor /ftp", "--anchor /ftp"),
    ("-p --log-rules=some", "--log-rules some"),
    ("-p --tag", "--tag needs"),
    ("--netfilter -D 4", "-D 4"),
    ("--netfilter -D -1", "-D -1"),
    ("--netfilter -D", "-D needs"),
    ("--netfilter -t 31536001", "-t 31536001"),
    (
        "--netfilter -t 99999999999999999999",
        "-t 99999999999999999999",
    ),
    ("--netfilter -t 1.5", "-t 1.5"),
    ("-R 192.0.2.300", "-R 192.0.2.300"),
    ("-R 192.0.2.1:0", "-R 192.0.2.1:0"),
    ("-R ftp.example.org:70000", "-R ftp.example.org:70000"),
    ("-R [2001:db8::1", "-R [2001:db8::1"),
    ("-R", "-R needs"),
    ("--netfilter --max-sessions 0", "--max-sessions 0"),
    (
        "--netfilter --max-sessions-per-client -1",
        "--max-sessions-per-client -1",
    ),
    (
        "--netfilter --max-sessions-per-client 100001",
        "--max-sessions-per-client 100001",
    ),
    ("--netfilter --max-sessions 100001", "--max-sessions 100001"),
    ("--netfilter --listen 70000", "--listen 70000"),
    ("--netfilter --listen 127.0.0.1:0", "--listen 127.0.0.1:0"),
    ("--netfilter --listen ::1", "--listen ::1"),
    ("--netfilter --listen", "--listen needs"),
    (
        "--netfilter --accept-proxy-protocol 192.0.2.1",
        "give -R or --forward",
    ),
    (
        "-R 192.0.2.1 --accept-proxy-protocol 192.0.2.1/24",
        "--accept-proxy-protocol 192.0.2.1/24",
    ),
    (
        "-R 192.0.2.1 --data-proxy-protocol",
        "only with --accept-proxy-protocol",
    ),
    (
        "-R 192.0.2.1 --send-proxy-protocol 3",
        "--send-proxy-protocol 3",
    ),
    ("--netfilter --log-stderr=yes", "--log-stderr takes no"),
    ("--netfilter --netfilter=yes", "--netfilter takes no"),
    ("--netfilter -q", "-q is no option"),
    ("--netfilter -nq", "-q is no option"),
    ("--netfilter --quiet", "--quiet is no option"),
    ("--netfilter extra", "extra"),
    ("--netfilter -- -n", "-n"),
    ("--netfilter -u no-such-user", "-u no-such-user"),
    ("--netfilter -g no-such-group", "-g no-such-group"),
];

/// What the process showed on its terminal, and its exit code.
fn on_a_terminal(mut command: Command) -> (String, Option<i32>) {
    let pty = openpty(None, None).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(pty.slave);
    let mut child = command.spawn().unwrap();
    drop(command); // with it our copy of the terminal's end
    let mut shown = Vec::new();
    // EIO is how a terminal tells that nobody has it open any more.
    let _ = File::from(pty.master).read_to_end(&mut shown);
    (
        String::from_utf8(shown).unwrap(),
        child.wait().unwrap().code(),
    )
}

#[test]
fn each_slip_is_one_line_on_a_terminal_and_in_syslog_and_exit_64_before_anything_is_open() {
    // To open this one would fail with another code.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let syslog = FakeSyslog::start();
    for (line, complaint) in SLIPS {
        let mut command = syslog
            .as_ref()
            .map_or_else(|| Command::new(PROXY), |log| log.command(PROXY));
        command
            .args(["--listen", &listen])
            .args(line.split(' ').filter(|word| !word.is_empty()));
        let (shown, code) = on_a_terminal(command);
        assert_eq!(code, Some(64), "{line}: {shown}");
        assert!(
            shown.starts_with("ftp-proxy[") && shown.contains(complaint),
            "{line}: {shown}"
        );
        assert!(
            shown.ends_with("\r\n") && shown.lines().count() == 1,
            "{line}: {shown}"
        );
        if let Some(syslog) = &syslog {
            let logged = syslog.expect("ftp-proxy[");
            assert!(
                logged.starts_with("<27>") && logged.contains(complaint),
                "{line}: {logged}"
            );
        }
    }
}

#[test]
fn a_word_that_is_no_utf8_is_a_slip_too_and_cannot_reach_the_terminal_raw() {
    let mut command = Command::new(PROXY);
    command
        .arg("--netfilter")
        .arg(OsStr::from_bytes(b"-u\xff\x1b[2J"));
    let (shown, code) = on_a_terminal(command);
    assert_eq!(code, Some(64));
    assert!(
        shown.starts_with("ftp-proxy[") && !shown.contains('\x1b'),
        "{shown:?}"
    );
}

#[test]
fn a_slip_is_said_to_a_pipe_and_not_to_a_socket_which_may_be_the_client() {
    for line in ["-q", "--netfilter --log-stderr"] {
        let slip = || {
            let mut command = Command::new(PROXY);
            command.args(line.split(' ')).stdin(Stdio::null());
            command
        };
        let said = slip().output().unwrap();
        assert_eq!(said.status.code(), Some(64));
        assert!(said.stdout.is_empty());
        let text = String::from_utf8(said.stderr).unwrap();
        assert!(
            text.starts_with("ftp-proxy[") && text.lines().count() == 1,
            "{text}"
        );

        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let status = slip().stderr(OwnedFd::from(theirs)).status().unwrap();
        assert_eq!(status.code(), Some(64));
        let mut heard = Vec::new();
        ours.read_to_end(&mut heard).unwrap();
        assert!(heard.is_empty(), "{line}: {heard:?}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let said = Command::new(PROXY).arg("--help").output().unwrap();
    assert!(said.status.success());
    assert_eq!(String::from_utf8(said.stdout).unwrap(), help());
    let said = Command::new(PROXY).arg("--version").output().unwrap();
    assert!(said.status.success());
    assert_eq!(
        said.stdout,
        format!("ftp-proxy {}\n", env!("CARGO_PKG_VERSION")).into_bytes()
    );
}

/// The options that the manual describes: name, and argument without the brackets that mark a part as optional.
fn described(manual: &str) -> Vec<(String, String)> {
    let items = manual
        .lines()
        .filter_map(|line| line.strip_prefix(".It Fl "));
    let item = |item: &str| {
        let mut words = item.split_whitespace();
        // A long option is an "-" flag to mdoc, so that two dashes are printed.
        let flag = words
            .next()
            .unwrap_or("")
            .trim_start_matches("\\&")
            .trim_start_matches('-');
        let argument: String = words
            .filter(|word| !["Ar", "Cm", "Ns", "Op", "Oo", "Oc"].contains(word))
            .collect();
        (flag.to_owned(), argument)
    };
    items.map(item).collect()
}

#[test]
fn the_manual_describes_every_option_and_no_other_in_the_order_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ftp-proxy.8");
    let manual = fs::read_to_string(path).unwrap();
    let plain = |argument: &str| argument.replace(['[', ']'], "");
    let table: Vec<_> = TABLE
        .iter()
        .map(|opt| (opt.short.to_owned() + opt.long, plain(opt.argument)))
        .collect();
    assert_eq!(described(&manual), table);
}

#[test]
fn items_of_the_manual_are_read_as_mdoc_writes_them() {
    let manual = ".It Fl A\n.It Fl R Ar address Ns Op : Ns Ar port\n.It Fl \\&-listen Ar address : Ns Ar port\n\
                  .It Fl -listen Ar address Ns : Ns Ar port\n.It Fl \\&-log-rules Ns Op = Ns Cm all\n\
                  .It Pa /etc/hosts.allow\n";
    let item = |flag: &str, argument: &str| (flag.to_owned(), argument.to_owned());
    let listen = item("listen", "address:port");
    assert_eq!(
        described(manual),
        [
            item("A", ""),
            item("R", "address:port"),
            listen.clone(),
            listen,
            item("log-rules", "=all")
        ]
    );
}
