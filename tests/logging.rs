//! What the operator reads: each session's life, never a password, never a byte that a terminal would obey.
//!
//! With `--listen` on a terminal the lines of syslog are shown there too, so a terminal is what these tests read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;
#[path = "common/free.rs"]
mod free;

use std::fs::{self, File};
use std::time::Duration;

use common::address::{CLIENT, SERVER, STRANGER, address_in};
use common::fake::{Control, Listener, dial, nowhere, read_all, reset, send_all, visit};
use common::listening::Listening;
use common::logged::Logged;
use common::process::Proxy;
use free::free_address;
use nix::sys::signal::Signal;

#[test]
fn the_life_of_a_session_is_logged() {
    let mut session = Logged::begin(&[]);
    let client = session.client.stream().local_addr().unwrap();
    let server = session.server.stream().local_addr().unwrap();
    let from = session.server.stream().peer_addr().unwrap();
    session
        .log
        .logs(&format!("accepted connection from {client} to {server}"));
    session
        .log
        .logs(&format!("connected to {server} from {from}"));
    session.downloads(b"the file");
    session.log.logs("transfer to client: 8 bytes in 0.");
    let (client, server) = session.data();
    session.exchange("STOR b", "150 go");
    send_all(&client, b"another");
    assert_eq!(read_all(&server).unwrap(), b"another");
    drop((client, server));
    session.server.says("226 done");
    session.client.hears("226 done");
    let line = session.log.logs("transfer to server: 7 bytes in 0.");
    assert!(line.ends_with(" s, complete"), "{line}");
    let log = session.quits();
    let end = log.last().unwrap();
    assert!(
        end.contains("session ended: 2 transfers, 8 bytes to client, 7 bytes to server, "),
        "{end}"
    );
}

#[test]
fn log_stderr_has_the_life_of_a_session_in_a_pipe() {
    let mut session = Logged::by(Listening::begin_with_pipe, &["-V"]);
    session.log.logs("accepted connection from ");
    session.exchange("PASS secret", "230 in");
    session.log.logs("client: PASS XXXX");
    session.downloads(b"the file");
    session.log.logs("transfer to client: 8 bytes in 0.");
    let parent = format!("ftp-proxy[{}]: ", session.log.proxy.pid());
    let log = session.quits();
    assert!(log.iter().all(|line| line.starts_with("ftp-proxy[")));
    assert!(
        !log.iter().any(|line| line.starts_with(&parent)),
        "a line names the process whose it is: {log:#?}"
    );
}

#[test]
fn log_stderr_may_be_a_file() {
    let there = Listener::at(SERVER);
    let path = std::env::temp_dir().join(format!("log-stderr-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    let listen = free_address("127.0.0.3").to_string();
    let server = there.address().to_string();
    let options = ["--log-stderr", "--listen", &listen, "-V", "-R", &server];
    let mut proxy = Proxy::listens(&options, file);
    let client = common::eventually("it listens", || dial(CLIENT, listen.parse().unwrap()).ok());
    let mut client = Control::over(client, "client");
    let mut server = Control::over(there.accepts(), "server");
    server.says("220 ready");
    client.hears("220 ready");
    proxy.signal(Signal::SIGHUP);
    client.says("QUIT");
    server.hears("QUIT");
    drop((client, server));
    assert_eq!(proxy.ends().code(), Some(0));
    let log = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        log.contains("client: QUIT\n") && log.contains("session ended: "),
        "{log}"
    );
}

#[test]
fn a_transfer_that_broke_is_logged_as_such() {
    let mut session = Logged::begin(&[]);
    let (client, server) = session.data();
    session.exchange("RETR a", "150 here");
    reset(server);
    assert!(common::is_reset(&read_all(&client)));
    let line = session.log.logs("transfer to client: 0 bytes");
    assert!(line.ends_with("reset by server"), "{line}");
}

#[test]
fn an_upload_that_broke_is_logged_as_one() {
    let mut session = Logged::begin(&[]);
    let (client, server) = session.data();
    session.exchange("STOR a", "150 go");
    reset(client);
    assert!(common::is_reset(&read_all(&server)));
    let line = session.log.logs("transfer to ");
    assert!(line.ends_with("reset by client"), "{line}");
}

#[test]
fn a_bounce_is_logged() {
    let mut session = Logged::begin(&[]);
    session.client.says("PORT 10,9,9,9,200,10");
    session.client.hears_code("501 ");
    let line = session.log.logs("PORT 10,9,9,9,200,10");
    assert!(line.contains("refused"), "{line}");
}

#[test]
fn a_stranger_at_a_data_port_is_logged() {
    let mut session = Logged::begin(&[]);
    session.client.says("PASV");
    session.server.hears("PASV");
    session.server.says("227 ok (127,0,0,4,200,10)");
    let to = address_in(&session.client.hears_code("227 "));
    drop(visit(STRANGER, to)); // Whether it still sees itself connected is a race with its refusal.
    let line = session.log.logs(&format!("{STRANGER}:"));
    assert!(line.contains("refused"), "{line}");
}

#[test]
fn a_227_of_another_host_is_logged() {
    let mut session = Logged::begin(&[]);
    session.client.says("PASV");
    session.server.hears("PASV");
    session.server.says("227 ok (10,9,9,9,200,10)");
    session.client.hears_code("227 ");
    session.log.logs("10.9.9.9");
}

#[test]
fn a_server_that_cannot_be_reached_is_logged() {
    let gone = nowhere(SERVER).to_string();
    let mut log = Listening::begin(&["-R", &gone]);
    let mut client = log.client();
    client.hears_code("421 ");
    let line = log.logs("cannot connect to");
    assert!(line.contains(&gone), "{line}");
}

#[test]
fn without_v_no_command_is_logged() {
    let mut session = Logged::begin(&[]);
    session.exchange("RETR secret-plans", "550 no such file: secret-plans");
    let log = session.quits().join("\n");
    assert!(!log.contains("secret-plans"), "{log}");
}

#[test]
fn with_v_commands_and_replies_are_logged() {
    let mut session = Logged::begin(&["-V"]);
    session.exchange("RETR plans", "550 no such file");
    session.log.logs("client: RETR plans");
    session.log.logs("server: 550 no such file");
    session.quits();
}

/// All the ways in which a client can say a password.
const SECRET: &str = "sEcReT";

#[test]
fn a_password_is_never_logged_whatever_is_asked_for() {
    let mut session = Logged::begin(&["-V", "-D", "3"]);
    session.exchange("USER bob", "331 password");
    session.exchange(&format!("PASS {SECRET}"), "530 no");
    for odd in ["pass", "PaSs ", " PASS", "PASS\t", "ACCT"] {
        session.exchange(&format!("{odd} {SECRET}"), "530 no");
    }
    session
        .client
        .says_bytes(format!("PASS {SECRET}\rNOOP\r\n").as_bytes());
    session.client.hears_code("500 ");
    session
        .client
        .says_bytes(format!("PASS \0{SECRET}\r\n").as_bytes());
    session.client.hears_code("500 ");
    session
        .client
        .says_bytes(format!("PASS {SECRET}{}\r\n", "x".repeat(5000)).as_bytes());
    session.client.hears_code("500 ");
    session.client.says_bytes(b"PA\xff\xf1SS sEcReT\r\n");
    session.server.hears(&format!("PASS {SECRET}"));
    session.server.says("230 in");
    session.client.hears("230 in");
    let log = session.quits().join("\n");
    assert!(!log.contains(SECRET), "{log}");
    assert!(log.contains("client: PASS XXXX"), "{log}");
    assert!(log.contains("client: USER bob"), "{log}");
}

#[test]
fn a_password_without_its_line_end_is_not_logged() {
    let mut session = Logged::begin(&["-V", "-D", "3"]);
    session
        .client
        .says_bytes(format!("PASS {SECRET}").as_bytes());
    session.client.shuts_down();
    session.server.hears_end();
    drop(session.server);
    session.log.logs("session ended");
    let log = session.log.seen.join("\n");
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    let mut session = Logged::begin(&["-V"]);
    let before = "CWD \x1b[2Ja\x07b\x08c\x7f\\d\te";
    session.client.says(before);
    session.server.hears(before);
    session
        .server
        .says_bytes(b"550 \x1b]0;owned\x07 \xe9\xc2\x9b\r\n");
    session.client.hears_code("550 ");
    let command = session.log.logs("client: CWD ");
    assert!(
        command.ends_with(r"client: CWD \033[2Ja\007b\010c\177\\d\te"),
        "{command}"
    );
    let reply = session.log.logs("server: 550 ");
    assert!(reply.contains(r"\033]0;owned\007 \351"), "{reply}");
    let raw = |c: char| c.is_control();
    let log = session.quits();
    assert!(!log.iter().any(|l| l.trim_end().contains(raw)), "{log:#?}");
}

#[test]
fn each_bound_that_is_passed_is_logged() {
    let mut session = Logged::begin(&["--max-line", "512", "--max-outstanding", "4"]);
    session.client.says(&"x".repeat(600));
    session.client.hears_code("500 ");
    session.log.logs("refused command, line too long");
    session.client.says_bytes(&b"NOOP\r\n".repeat(5));
    session
        .log
        .logs("4 commands wait for their answers: the client is not read for now");
    session.server.says(&format!("200 {}", "x".repeat(600)));
    session.client.hears_code("200 ");
    session
        .log
        .logs("the server sent a line of more than 512 bytes: it passes in pieces");
}

#[test]
fn replies_to_no_command_are_logged() {
    let mut session = Logged::begin(&[]);
    session.client.says("NOOP");
    session.server.hears("NOOP");
    session
        .server
        .says_bytes(&[b"227 (10,9,9,9,200,10)\r\n", &b"200 x\r\n".repeat(22)[..]].concat());
    session.client.hears("227 (10.9.9.9.200.10)");
    session
        .log
        .logs("address of another host in a reply to no PASV, changed to: 227 (10.9.9.9.200.10)");
    session.log.logs("reply to no command, dropped: 200 x");
    session.client.hears_code("421 ");
    let end = session.log.logs("session ended");
    assert!(end.ends_with("(the server broke the protocol)"), "{end}");
}

#[test]
fn a_peer_that_takes_nothing_is_logged_once() {
    let mut session = Logged::begin(&["--max-queue", "4096"]);
    session.client.says("STAT");
    session.server.hears("STAT");
    session.server.says("211-Here it begins");
    let line = "x".repeat(1000);
    let mut said = 0;
    while common::writable(session.server.stream(), Duration::from_millis(300)) {
        session.server.says(&line);
        said += 1;
    }
    session
        .log
        .logs("the client takes nothing, 4096 bytes wait: the server is not read for now");
    session.client.hears("211-Here it begins");
    (0..said).for_each(|_| session.client.hears(&line));
    session.server.says("211 Here it ends");
    session.client.hears("211 Here it ends");
    let all = session.quits();
    let told = all.iter().filter(|l| l.contains("takes nothing"));
    assert_eq!(told.count(), 1, "{all:#?}");
}

#[test]
fn a_line_names_its_process_and_each_session_is_another() {
    let mut session = Logged::begin(&[]);
    let second = session.log.client();
    let pid = |line: String| line.split(']').next().unwrap().to_owned();
    let one = pid(session.log.logs("accepted connection"));
    let other = pid(session.log.logs("accepted connection"));
    assert!(one.starts_with("ftp-proxy["), "{one}");
    assert_ne!(one, other);
    drop(second);
}

#[test]
fn d_shows_more_the_higher_it_is() {
    let lines = |level: &str| {
        let mut session = Logged::begin(&["-D", level]);
        session.downloads(b"the file");
        session.quits().len()
    };
    let counts: Vec<usize> = ["0", "1", "2"].into_iter().map(lines).collect();
    assert!(counts.is_sorted_by(|a, b| a < b), "{counts:?}");
}

#[test]
fn under_inetd_nothing_is_said_to_the_client_but_ftp() {
    let session = common::session::Session::begin(&["-V", "-D", "3"]);
    assert!(
        !session.client.hears_something(Duration::from_millis(100)),
        "the log reached the client"
    );
    session.quits();
}
