//! `--listen` and systemd's sockets: the parent that forks a child for each client, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "common/free.rs"]
mod free;
#[path = "common/sessions.rs"]
mod sessions;
#[path = "common/silent.rs"]
mod silent;
#[path = "common/syslog.rs"]
mod syslog;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use free::free_address;
use ftp_proxy::listen::bind;
use ftp_proxy::options::Listen::At;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sessions::{sessions_of, status, waiting_of};
use silent::Silent;
use syslog::{FakeSyslog, skip};

const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// Longest wait for anything at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// An FTP server that greets and then holds its tongue.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut clients = Vec::new();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            client.write_all(b"220 ready\r\n").unwrap();
            clients.push(client);
        }
    });
    address
}

/// The proxy in front of a server, ended when the test does.
struct Proxy {
    process: Child,
    address: SocketAddr,
}

impl Proxy {
    /// Runs `command`, which is the proxy or becomes it, with a server behind and `arguments`.
    fn start(command: Command, arguments: &[&str]) -> Proxy {
        Self::before(server(), command, arguments)
    }

    /// Before this server, and with a log that lasts, so that who waits for a client does it in its cage.
    fn prepared_before(server: SocketAddr) -> Proxy {
        let mut command = Command::new(PROXY);
        command.stderr(Stdio::null());
        Self::before(server, command, &["--log-stderr"])
    }

    /// Runs `command` before this server.
    fn before(server: SocketAddr, mut command: Command, arguments: &[&str]) -> Proxy {
        let address = free_address("127.0.0.1");
        command.args(["-R", &server.to_string(), "--listen", &address.to_string()]);
        let process = command
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Proxy { process, address };
        until("the proxy listens", || listening(address));
        proxy
    }

    fn client(&self) -> Client {
        Client(BufReader::new(TcpStream::connect(self.address).unwrap()))
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap())
    }

    fn exit_code(&mut self) -> Option<i32> {
        until("the proxy ends", || {
            self.process.try_wait().unwrap().is_some()
        });
        self.process.wait().unwrap().code()
    }

    /// The ids of its sessions, those that ended and were not reaped included.
    fn sessions(&self) -> Vec<Pid> {
        sessions_of(self.process.id())
    }

    /// The child that waits for a client; there is one soon, if there may be.
    fn waiting(&self) -> Pid {
        until("a child waits", || waiting_of(self.process.id()).is_some());
        waiting_of(self.process.id()).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its sessions end with it, for their client goes too.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    /// The next line; empty at the end of the connection.
    fn line(&mut self) -> String {
        self.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }
}

/// Whether somebody listens there, without knocking: a knock would be a client.
fn listening(address: SocketAddr) -> bool {
    // The kernel writes the port in hexadecimal; 0A is the state LISTEN (proc_net_tcp in the kernel's documentation).
    let port = format!(":{:04X}", address.port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|table| fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines()).any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.len() > 3 && words[1].ends_with(&port) && words[3] == "0A"
    })
}

#[expect(clippy::disallowed_methods, reason = "a test that waits needs a clock")]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn each_client_has_a_child_and_one_too_many_is_told_421_until_another_leaves() {
    let proxy = Proxy::start(Command::new(PROXY), &["--max-sessions", "2"]);
    let (mut first, mut second) = (proxy.client(), proxy.client());
    assert_eq!(
        (first.line(), second.line()),
        ("220 ready\r\n".into(), "220 ready\r\n".into())
    );
    assert_eq!(proxy.sessions().len(), 2);

    // Its words are there before it is refused: unread, they must not cost it the reply.
    proxy.signal(Signal::SIGSTOP);
    let mut third = proxy.client();
    third.0.get_mut().write_all(b"USER x\r\n").unwrap();
    proxy.signal(Signal::SIGCONT);
    assert_eq!(third.line(), "421 Too many sessions; try again later.\r\n");
    assert_eq!(third.line(), "");
    // The next refusal says that this one is over. A reset makes many systems throw away what was not read yet.
    assert!(proxy.client().line().starts_with("421 "));
    assert!(third.0.get_ref().take_error().unwrap().is_none(), "reset");

    drop(first);
    until("the child ends and is reaped", || {
        proxy.sessions().len() == 1
    });
    assert_eq!(proxy.client().line(), "220 ready\r\n");
}

#[test]
fn sigterm_and_sigint_end_the_sessions_and_the_parent() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut proxy = Proxy::start(Command::new(PROXY), &[]);
        let mut client = proxy.client();
        assert_eq!(client.line(), "220 ready\r\n");
        let sessions = proxy.sessions();
        proxy.signal(signal);
        assert!(client.line().starts_with("421 "));
        assert_eq!(client.line(), "");
        assert_eq!(proxy.exit_code(), Some(0));
        assert!(
            sessions.iter().all(|child| kill(*child, None).is_err()),
            "a session outlived its parent"
        );
    }
}

#[test]
fn a_session_that_has_only_just_begun_hears_of_the_end_too() {
    for _ in 0..20 {
        let mut proxy = Proxy::start(Command::new(PROXY), &[]);
        let mut client = proxy.client();
        // No sleep here: the signal shall come while the child still finds its feet.
        while proxy.sessions().is_empty() {}
        proxy.signal(Signal::SIGTERM);
        let mut said = client.line();
        if said.starts_with("220 ") {
            said = client.line();
        }
        assert!(said.starts_with("421 "), "{said}");
        drop(client); // or the session lingers for its farewell
        assert_eq!(proxy.exit_code(), Some(0));
    }
}

#[test]
fn sighup_lets_sessions_finish_and_frees_the_port_at_once() {
    let mut proxy = Proxy::start(Command::new(PROXY), &[]);
    let mut client = proxy.client();
    assert_eq!(client.line(), "220 ready\r\n");
    proxy.signal(Signal::SIGHUP);
    // Nobody may hold it, neither a session nor who waits for one.
    until("the port is free", || !listening(proxy.address));
    drop(bind(&[At(proxy.address)], false).unwrap());
    assert!(proxy.process.try_wait().unwrap().is_none());
    until("the session alone is left", || {
        proxy.sessions().len() == 1 && waiting_of(proxy.process.id()).is_none()
    });
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn sigterm_after_sighup_ends_what_was_to_finish() {
    let mut proxy = Proxy::start(Command::new(PROXY), &[]);
    let mut client = proxy.client();
    assert_eq!(client.line(), "220 ready\r\n");
    proxy.signal(Signal::SIGHUP);
    until("the port is free", || !listening(proxy.address));
    proxy.signal(Signal::SIGTERM);
    assert!(client.line().starts_with("421 "));
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn a_session_that_will_not_end_delays_the_parent_for_seconds_only() {
    let mut proxy = Proxy::start(Command::new(PROXY), &[]);
    let mut client = proxy.client();
    assert_eq!(client.line(), "220 ready\r\n");
    let child = proxy.sessions()[0];
    kill(child, Signal::SIGSTOP).unwrap();
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.exit_code(), Some(0));
    kill(child, Signal::SIGCONT).unwrap();
    assert!(client.line().starts_with("421 "));
}

#[test]
fn a_client_that_comes_and_goes_leaves_nothing_behind() {
    let proxy = Proxy::start(Command::new(PROXY), &[]);
    let descriptors = || {
        fs::read_dir(format!("/proc/{}/fd", proxy.process.id()))
            .unwrap()
            .count()
    };
    let before = descriptors();
    for _ in 0..30 {
        assert_eq!(proxy.client().line(), "220 ready\r\n");
    }
    until("all are reaped", || proxy.sessions().is_empty());
    assert_eq!(descriptors(), before);
}

#[test]
fn a_crash_costs_one_session_and_is_logged() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let proxy = Proxy::start(syslog.command(PROXY), &[]);
    let (mut client, mut other) = (proxy.client(), proxy.client());
    assert_eq!(
        (client.line(), other.line()),
        ("220 ready\r\n".into(), "220 ready\r\n".into())
    );
    let child = proxy.sessions()[0];
    kill(child, Signal::SIGABRT).unwrap();
    syslog.expect(&format!("session [{child}] was ended by SIGABRT"));
    assert_eq!(proxy.sessions().len(), 1);
    assert_eq!(proxy.client().line(), "220 ready\r\n");
}

#[test]
fn a_want_of_descriptors_is_outlived_and_said_once() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    // As root still, for only the same user may change its limits.
    let proxy = Proxy::start(syslog.command(PROXY), &["-u", "root"]);
    let waiting = proxy.waiting();
    let limit = |soft: usize| {
        let (pid, limit) = (waiting.to_string(), format!("--nofile={soft}:"));
        let mut prlimit = Command::new("prlimit");
        assert!(
            prlimit
                .args(["--pid", &pid, &limit])
                .status()
                .unwrap()
                .success()
        );
    };
    syslog.expect("listening on");
    // What it opens, and its own limits, are behind it then.
    until("it is in its cage", || {
        let status = |field| status(waiting.as_raw().unsigned_abs(), field);
        status("Seccomp") == "2" && status("State").starts_with('S')
    });
    // So that the lowest number that is free is one too high.
    let descriptor = |number: &usize| format!("/proc/{waiting}/fd/{number}");
    let free = |number: &usize| fs::symlink_metadata(descriptor(number)).is_err();
    limit((0..).find(free).unwrap());
    let mut client = proxy.client();
    syslog.expect("cannot accept clients, trying again: Too many open files");
    assert_eq!(
        syslog.next(Duration::from_millis(2500)),
        None,
        "one line is enough"
    );
    limit(64);
    assert_eq!(client.line(), "220 ready\r\n");
}

/// SCHED_OTHER is 0, SCHED_BATCH 3 (sched(7)); `policy` is field 41 of proc_pid_stat(5), and 2 ends in a parenthesis.
fn policy(pid: Pid) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(41 - 3).unwrap().to_owned()
}

#[test]
fn who_makes_children_gives_way_to_sessions_and_they_to_nobody() {
    if policy(Pid::this()) != "0" {
        return skip("a test under the usual policy");
    }
    let proxy = Proxy::start(Command::new(PROXY), &[]);
    let mut client = proxy.client();
    assert_eq!(client.line(), "220 ready\r\n");
    assert_eq!(policy(proxy.pid()), "3");
    let session = proxy.sessions()[0];
    until("a child is no parent", || policy(proxy.waiting()) == "0");
    assert_eq!(policy(session), "0");
}

#[test]
fn a_server_that_is_slow_to_greet_keeps_no_other_client_waiting() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::prepared_before(server.local_addr().unwrap());
    let clients: Vec<_> = (0..3).map(|_| proxy.client()).collect();
    until("each has a process", || proxy.sessions().len() == 3);
    proxy.waiting(); // for one who may come, though nobody has been greeted
    let servers: Vec<_> = (0..3).map(|_| server.accept().unwrap().0).collect();
    for mut server in &servers {
        server.write_all(b"220 ready\r\n").unwrap();
    }
    for mut client in clients {
        assert_eq!(client.line(), "220 ready\r\n");
    }
}

#[test]
fn a_server_that_does_not_accept_keeps_no_other_client_waiting() {
    let server = Silent::new();
    let proxy = Proxy::prepared_before(server.address());
    let _clients: Vec<_> = (0..3).map(|_| proxy.client()).collect();
    until("each has a process", || proxy.sessions().len() == 3);
    proxy.waiting(); // for one who may come
}

/// Each process waits for its client to hear that before it closes.
#[test]
fn who_is_turned_away_keeps_no_other_client_waiting() {
    let nobody = free_address("127.0.0.1");
    let proxy = Proxy::prepared_before(nobody);
    let clients: Vec<_> = (0..3).map(|_| proxy.client()).collect();
    until("all are turned away at a time", || {
        proxy.sessions().len() == 3
    });
    for mut client in clients {
        assert!(client.line().starts_with("421 "));
    }
}

#[test]
fn a_syslogd_that_was_started_anew_hears_of_the_client_of_who_waited() {
    let Some(mut syslog) = FakeSyslog::start() else {
        return;
    };
    let proxy = Proxy::start(syslog.command(PROXY), &[]);
    let waiting = proxy.waiting();
    syslog.stop();
    syslog.restart();
    assert_eq!(proxy.client().line(), "220 ready\r\n");
    syslog.expect(&format!("ftp-proxy[{waiting}]: "));
}

#[test]
fn a_child_that_dies_before_it_has_a_client_costs_none() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let proxy = Proxy::start(syslog.command(PROXY), &[]);
    let waiting = proxy.waiting();
    kill(waiting, Signal::SIGKILL).unwrap();
    syslog.expect(&format!("session [{waiting}] was ended by SIGKILL"));
    assert_eq!(proxy.client().line(), "220 ready\r\n");
    assert_ne!(proxy.waiting(), waiting);
}

#[test]
fn a_parent_that_is_killed_leaves_nobody_at_its_port_and_its_sessions_go_on() {
    let mut proxy = Proxy::start(Command::new(PROXY), &[]);
    let mut client = proxy.client();
    assert_eq!(client.line(), "220 ready\r\n");
    proxy.waiting();
    proxy.signal(Signal::SIGKILL);
    proxy.process.wait().unwrap();
    until("the port is free", || !listening(proxy.address));
    client.0.get_mut().write_all(b"QUIT\r\n").unwrap();
    let stream = client.0.get_ref();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let still = client.0.fill_buf().unwrap_err();
    assert_eq!(still.kind(), std::io::ErrorKind::WouldBlock, "{still}");
}

#[test]
fn clients_at_each_of_several_listeners_are_served_in_turn() {
    let others: Vec<_> = (0..3).map(|_| free_address("127.0.0.1")).collect();
    let listen: Vec<_> = others.iter().map(|at| format!("--listen={at}")).collect();
    let listen: Vec<_> = listen.iter().map(String::as_str).collect();
    let proxy = Proxy::start(Command::new(PROXY), &listen);
    for _ in 0..3 {
        for address in others.iter().chain([&proxy.address]) {
            let mut client = Client(BufReader::new(TcpStream::connect(address).unwrap()));
            assert_eq!(client.line(), "220 ready\r\n");
        }
    }
}

#[test]
fn a_client_that_no_process_can_be_made_for_is_told_421() {
    if !is_root() {
        return skip("root, to be a user with no other process");
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        "prlimit",
        "--nproc=1",
        PROXY,
    ]);
    let proxy = Proxy::start(command, &[]);
    for _ in 0..2 {
        let mut client = proxy.client();
        let line = client.line();
        assert!(line.starts_with("421 "), "{line:?}");
        assert_eq!(client.line(), "");
    }
}

/// The proxy with `socket` as systemd would pass it, on descriptor 3.
fn with_passed(socket: OwnedFd, arguments: &[&str]) -> Child {
    let script = r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, PROXY, "-R", &server().to_string()])
        .args(arguments);
    command.stdin(socket).spawn().unwrap()
}

#[test]
fn a_listener_passed_by_systemd_stands_in_for_listen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Proxy {
        process: with_passed(listener.into(), &[]),
        address,
    };
    let (mut first, mut second) = (proxy.client(), proxy.client());
    assert_eq!(
        (first.line(), second.line()),
        ("220 ready\r\n".into(), "220 ready\r\n".into())
    );
}

#[test]
fn a_connection_passed_by_systemd_is_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = Client(BufReader::new(TcpStream::connect(address).unwrap()));
    let mut proxy = Proxy {
        process: with_passed(listener.accept().unwrap().0.into(), &[]),
        address,
    };
    assert_eq!(client.line(), "220 ready\r\n");
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn anything_else_passed_by_systemd_is_a_fault_of_the_set_up() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut proxy = Proxy {
        process: with_passed(socket.into(), &[]),
        address,
    };
    assert_eq!(proxy.exit_code(), Some(78));
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind(&[At(free_address("127.0.0.1")), At(address)], false).unwrap_err();
    assert_eq!(error.exit_code(), 71);
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {address}: ")),
        "{error}"
    );
}

#[test]
fn the_two_wildcards_stand_side_by_side() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("IPv6");
    }
    let port = free_address("0.0.0.0").port();
    let both = [
        SocketAddr::from(([0; 4], port)),
        SocketAddr::from(([0u16; 8], port)),
    ];
    assert_eq!(bind(&both.map(At), false).unwrap().len(), 2);
}

#[test]
fn a_diverted_listener_takes_what_is_not_its_own_address() {
    if !is_root() {
        return skip("root, for IP_TRANSPARENT");
    }
    // Only a transparent socket may be bound to an address of another machine.
    for foreign in ["192.0.2.1:2121", "[2001:db8::1]:2121"] {
        let foreign: SocketAddr = foreign.parse().unwrap();
        if foreign.is_ipv6() && TcpListener::bind("[::1]:0").is_err() {
            return skip("IPv6");
        }
        assert_eq!(bind(&[At(foreign)], false).unwrap_err().exit_code(), 71);
        assert_eq!(bind(&[At(foreign)], true).unwrap().len(), 1);
    }
}
