//! Who the process is, as the kernel tells it in /proc. Root only, for who is not root has nothing to drop.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "common/free.rs"]
mod free;
#[path = "common/sessions.rs"]
mod sessions;
#[path = "common/syslog.rs"]
mod syslog;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use free::free_address;
use sessions::{status, waiting_of};
use syslog::FakeSyslog;

const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// An empty set, as the kernel writes it.
const NO_CAPABILITIES: &str = "0000000000000000";

/// Ended when the test does.
struct Process(Child);

impl Process {
    /// What /proc/PID/status says after `field`, its words joined by one space.
    fn status(&self, field: &str) -> String {
        status(self.0.id(), field)
    }

    fn exit_code(&mut self) -> Option<i32> {
        until("the process ends", || self.0.try_wait().unwrap().is_some());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Four times the same number: real, effective, saved and file system's id.
fn four(id: u32) -> String {
    format!("{id} {id} {id} {id}")
}

fn uid(name: &str) -> u32 {
    users::get_user_by_name(name).unwrap().uid()
}

fn gid(name: &str) -> u32 {
    users::get_group_by_name(name).unwrap().gid()
}

#[expect(clippy::disallowed_methods, reason = "a test that waits needs a clock")]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// `false`, said aloud, if we are not root.
fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        syslog::skip("root, to see it dropped");
    }
    root
}

/// A server that greets, so that a session lives behind it.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let greet = |client: io::Result<TcpStream>| {
            let mut client = client.unwrap();
            client.write_all(b"220 ready\r\n").unwrap();
            client
        };
        listener.incoming().map(greet).collect::<Vec<_>>()
    });
    address
}

/// The proxy as `command` starts it, listening, with the address to reach it.
fn start(mut command: Command, arguments: &[&str]) -> (Process, SocketAddr) {
    let address = free_address("127.0.0.1");
    command.args([
        "-R",
        &server().to_string(),
        "--listen",
        &address.to_string(),
    ]);
    let process = command
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    (Process(process), address)
}

/// A session's first words, so that whoever serves has long dropped what it drops.
fn greeted(address: SocketAddr) -> TcpStream {
    let mut client = None;
    until("the proxy listens", || {
        client = TcpStream::connect(address).ok();
        client.is_some()
    });
    let mut client = client.unwrap();
    let mut line = [0; 11];
    client.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"220 ready\r\n");
    client
}

/// The proxy as inetd starts it, with its client, who has been greeted by the server.
fn inherited(arguments: &[&str]) -> (Process, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let process = Command::new(PROXY)
        .args(["-R", &server().to_string()])
        .args(arguments)
        .stdin(OwnedFd::from(far))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = [0; 11];
    client.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"220 ready\r\n");
    (Process(process), client)
}

/// The hard limit of the process, as the kernel words it.
fn limit(pid: u32, what: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    let words = line.unwrap().split_whitespace();
    words.clone().nth(1).unwrap().to_owned()
}

/// Where the file system begins for it.
fn root_folder(pid: u32) -> String {
    let root = fs::read_link(format!("/proc/{pid}/root")).unwrap();
    root.to_string_lossy().into_owned()
}

/// That of all its ids and groups none but these are left, and no capability.
fn is_only(pid: u32, uid: u32, gid: u32) {
    assert_eq!(status(pid, "Uid"), four(uid));
    assert_eq!(status(pid, "Gid"), four(gid));
    assert_eq!(status(pid, "Groups"), gid.to_string());
    for set in ["CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(pid, set), NO_CAPABILITIES, "{set}");
    }
}

/// The child of a listening process that serves this client's session, or will serve the next one.
fn child_of(process: &Process) -> u32 {
    let path = format!("/proc/{0}/task/{0}/children", process.0.id());
    let mut child = None;
    until("there is a child", || {
        let children = fs::read_to_string(&path).unwrap();
        child = children.split_whitespace().next().map(str::to_owned);
        child.is_some()
    });
    child.unwrap().parse().unwrap()
}

#[test]
fn sessions_are_user_proxy_and_their_parent_is_not() {
    if !root() {
        return;
    }
    let (process, address) = start(Command::new(PROXY), &[]);
    let _client = greeted(address);
    let user = users::get_user_by_name("proxy").unwrap();
    is_only(child_of(&process), user.uid(), user.primary_group_id());
    assert_eq!(process.status("Uid"), four(0));
}

#[test]
fn the_parent_keeps_only_rights_that_it_uses() {
    if !root() {
        return;
    }
    let (process, address) = start(Command::new(PROXY), &[]);
    let _client = greeted(address);
    // CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_CHROOT (linux/capability.h).
    let kept = [5, 6, 7, 8, 18].map(|bit| 1_u64 << bit).iter().sum::<u64>();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(process.status(set), format!("{kept:016x}"), "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(process.status(set), NO_CAPABILITIES, "{set}");
    }
    assert_eq!(process.status("NoNewPrivs"), "1");
}

#[test]
fn a_parent_that_is_not_root_keeps_no_right() {
    if !root() {
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]);
    command.args([
        "--inh-caps=+net_bind_service",
        "--ambient-caps=+net_bind_service",
    ]);
    command.arg(PROXY);
    let (process, address) = start(command, &[]);
    let _client = greeted(address);
    for set in ["CapPrm", "CapEff", "CapAmb", "CapInh"] {
        assert_eq!(process.status(set), NO_CAPABILITIES, "{set}");
    }
}

#[test]
fn a_session_is_in_its_cage_before_its_client_hears_a_word() {
    if !root() {
        return;
    }
    let (process, _client) = inherited(&[]);
    let pid = process.0.id();
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    assert_eq!(status(pid, "Seccomp"), "2");
    assert_eq!(limit(pid, "Max processes"), "0");
    assert_eq!(limit(pid, "Max core file size"), "0");
    assert_eq!(limit(pid, "Max file size"), "0");
    assert_eq!(limit(pid, "Max open files"), "64");
    let root = root_folder(pid);
    assert!(root.ends_with(" (deleted)"), "{root}");
}

#[test]
fn with_listen_the_cage_is_closed_before_there_is_a_client_unless_something_outside_is_needed_later()
 {
    if !root() {
        return;
    }
    let Some(mut syslog) = FakeSyslog::start() else {
        return;
    };
    let is_waiting_with = |syslog: &FakeSyslog, options: &[&str], filter: &str| {
        let (process, _) = start(syslog.command(PROXY), options);
        until(&format!("{options:?}: Seccomp is {filter}"), || {
            let waiting = waiting_of(process.0.id());
            waiting
                .map(|pid| pid.as_raw().unsigned_abs())
                .is_some_and(|pid| {
                    status(pid, "State").starts_with('S') && status(pid, "Seccomp") == filter
                })
        });
    };
    is_waiting_with(&syslog, &[], "2");
    is_waiting_with(&syslog, &["-r"], "0");
    // Should it be started anew, no other way to it can be made in the cage.
    let _stream = syslog.becomes_a_stream(8);
    is_waiting_with(&syslog, &[], "0");
}

#[test]
fn a_session_that_looks_up_names_keeps_its_files_and_the_rest_of_its_cage() {
    if !root() {
        return;
    }
    let (process, _client) = inherited(&["-r"]);
    assert_eq!(status(process.0.id(), "Seccomp"), "2");
    assert_eq!(root_folder(process.0.id()), "/");
}

#[test]
fn without_a_cage_root_is_given_up_and_nothing_else() {
    if !root() {
        return;
    }
    let (process, _client) = inherited(&["--no-cage"]);
    let pid = process.0.id();
    assert_eq!(status(pid, "Uid"), four(uid("proxy")));
    assert_eq!(status(pid, "Seccomp"), "0");
    assert_eq!(root_folder(pid), "/");
}

#[test]
fn the_group_that_is_named_wins_over_the_users_own() {
    if !root() {
        return;
    }
    let (process, address) = start(Command::new(PROXY), &["-u", "nobody", "-g", "daemon"]);
    let _client = greeted(address);
    is_only(child_of(&process), uid("nobody"), gid("daemon"));
}

#[test]
fn root_may_be_asked_for_and_then_stays() {
    if !root() {
        return;
    }
    let (process, address) = start(Command::new(PROXY), &["-u", "root", "-g", "daemon"]);
    let _client = greeted(address);
    let session = child_of(&process);
    assert_eq!(status(session, "Uid"), four(0));
    assert_eq!(status(session, "Gid"), four(gid("daemon")));
    // CAP_NET_BIND_SERVICE (linux/capability.h), for source port 20.
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status(session, set), format!("{:016x}", 1 << 10), "{set}");
    }
}

#[test]
fn without_a_user_proxy_the_user_is_the_programs_own() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let setup = r#"grep -v -e ^proxy: -e ^_ftp-proxy: /etc/passwd >"$1/passwd"
        echo _ftp-proxy:x:54323:54324::/:/bin/false >>"$1/passwd"
        mount --bind "$1/passwd" /etc/passwd"#;
    let (process, address) = start(syslog.command_after(setup, PROXY), &[]);
    let _client = greeted(address);
    is_only(child_of(&process), 54323, 54324);
    syslog.expect("no user proxy: sessions run as _ftp-proxy");
}

#[test]
fn a_system_where_root_comes_back_is_not_served() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    // Capabilities that outlive setuid(2) let a user become root again: here the drop is only for show.
    let mut command = syslog.command("setpriv");
    command.args(["--securebits=+no_setuid_fixup", PROXY]);
    let (mut process, _) = start(command, &[]);
    assert_eq!(process.exit_code(), Some(78));
    syslog.expect("cannot drop root privileges: root came back");
}

#[test]
fn who_is_not_root_stays_who_he_is_and_hears_that_names_have_no_effect() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut command = syslog.command("setpriv");
    command.args(["--reuid=54321", "--regid=54322", "--groups=54322", PROXY]);
    let (process, address) = start(command, &["-u", "nobody"]);
    let _client = greeted(address);
    is_only(process.0.id(), 54321, 54322);
    syslog.expect("not started as root: -u and -g have no effect");
}

#[test]
fn a_user_nobody_knows_is_a_slip_for_those_who_are_not_root_too() {
    if !root() {
        return;
    }
    for slip in [["-u", "no-such-user"], ["-g", "no-such-group"]] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups", PROXY]);
        let (mut process, _) = start(command, &slip);
        assert_eq!(process.exit_code(), Some(64), "{slip:?}");
    }
}
