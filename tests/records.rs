//! What the log keeps of each session: who, as which user, had which file, and what a server or a balancer refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::time::Duration;

use common::address::{CLIENT, SERVER, STRANGER};
use common::fake::{Listener, dial, nowhere, read_all, send_all};
use common::listening::Listening;
use common::logged::Logged;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A line without the name and id of its process.
fn text(line: &str) -> &str {
    line.split_once("]: ").unwrap().1
}

fn pid(line: &str) -> Pid {
    let (_, rest) = line.split_once('[').unwrap();
    Pid::from_raw(rest.split_once(']').unwrap().0.parse().unwrap())
}

fn log_in(session: &mut Logged, user: &str) {
    session.exchange(&format!("USER {user}"), "331 password");
    session.exchange("PASS secret", "230 in");
}

#[test]
fn a_transfer_is_logged_with_its_user_and_file() {
    let mut session = Logged::begin(&[]);
    let client = session.client.stream().local_addr().unwrap();
    log_in(&mut session, "ada");
    session.downloads(b"the file");
    let line = session.log.logs("transfer to client: 8 bytes in 0.");
    let begin = format!("{client}: user \"ada\", \"RETR a\", transfer to client: 8 bytes in 0.");
    assert!(text(&line).starts_with(&begin), "{line}");
    assert!(line.ends_with(" s, complete"), "{line}");
    let (client, server) = session.data();
    session.exchange("APPE b c", "150 go");
    send_all(&client, b"more");
    drop(client);
    assert_eq!(read_all(&server).unwrap(), b"more");
    drop(server);
    session.server.says("226 done");
    session.client.hears("226 done");
    session
        .log
        .logs(": user \"ada\", \"APPE b c\", transfer to server: 4 bytes in 0.");
    let log = session.quits();
    assert!(!log.iter().any(|line| line.contains("secret")), "{log:#?}");
}

#[test]
fn no_file_can_forge_what_the_line_says_behind_it() {
    let mut session = Logged::begin(&[]);
    let name = format!(
        "\" x\\, transfer to client: 1 bytes {}",
        "\u{1}".repeat(400)
    );
    let (client, server) = session.data();
    session.exchange(&format!("RETR {name}"), "150 here");
    send_all(&server, b"the file");
    drop(server);
    assert_eq!(read_all(&client).unwrap(), b"the file");
    drop(client);
    session.server.says("226 done");
    let line = session.log.logs("transfer to client: 8 bytes in 0.");
    assert!(
        line.contains(r#""RETR \" x\\, transfer to client: 1 bytes \001\001"#),
        "{line}"
    );
    assert!(
        line.contains(r#"...", transfer to client: 8 bytes"#),
        "{line}"
    );
    assert!(line.ends_with(" s, complete"), "{line}");
    assert!(line.len() < 700, "{line}");
}

#[test]
fn each_line_of_a_session_names_its_client() {
    let mut session = Logged::begin(&["-V", "-D", "3", "-r"]);
    let client = session.client.stream().local_addr().unwrap().to_string();
    session.client.says("PORT 127,0,0,9,1,1");
    session.client.hears_code("501 ");
    session.downloads(b"the file");
    let log = session.quits();
    let of_session = |line: &&String| line.contains(&client);
    let accepted = log.iter().find(of_session).map(|line| pid(line)).unwrap();
    let lines: Vec<_> = log.iter().filter(|line| pid(line) == accepted).collect();
    assert!(lines.len() > 10, "{log:#?}");
    let begun = lines
        .iter()
        .position(|line| line.contains("accepted connection"))
        .unwrap();
    for line in &lines[begun..] {
        assert!(line.contains(&client), "{line}");
        assert!(
            !line.contains("Passive {") && !line.contains("Active {"),
            "{line}"
        );
    }
}

#[test]
fn a_login_that_the_server_refuses_is_logged() {
    let mut session = Logged::begin(&[]);
    session.exchange("USER ada", "331 password");
    session.exchange("PASS wrong-secret", "530 wrong-secret is wrong");
    session
        .log
        .logs(": the server refuses the login of user \"ada\": 530");
    session.exchange("USER eve", "530 not you");
    session
        .log
        .logs(": the server refuses the login of user \"eve\": 530");
    session.exchange("CWD x", "530 log in");
    log_in(&mut session, "ada");
    session.exchange("DELE x", "530 no");
    let log = session.quits();
    let refused = log.iter().filter(|line| line.contains("refuses the login"));
    assert_eq!(refused.count(), 2, "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("secret")), "{log:#?}");
}

#[test]
fn a_server_that_refuses_our_port_is_logged_once() {
    let mut session = Logged::begin(&[]);
    let listener = Listener::at(CLIENT);
    // A server that does not know EPRT says nothing of the address.
    let eprt = common::address::extended(listener.address());
    session.client.says(&format!("EPRT {eprt}"));
    session.server.hears_code("EPRT ");
    session.server.says("500 EPRT?");
    session.client.hears("500 EPRT?");
    for _ in 0..2 {
        session.client.says(&format!(
            "PORT {}",
            common::address::numbers(listener.address())
        ));
        session.server.hears_code("PORT ");
        session.server.says("500 Illegal PORT command.");
        session.client.hears("500 Illegal PORT command.");
    }
    let log = session.quits();
    let lines: Vec<_> = log
        .iter()
        .filter(|line| line.contains("the server refuses this proxy's address for active data: 500 Illegal PORT command."))
        .collect();
    assert_eq!(lines.len(), 1, "{log:#?}");
    assert!(lines[0].contains("use passive mode"), "{log:#?}");
}

/// A peer that begins with these bytes.
fn unlisted(options: &[&str], header: &[u8]) {
    let there = Listener::at(SERVER);
    let server = there.address().to_string();
    let options = [&["-R", server.as_str()], options].concat();
    let mut proxy = Listening::begin(&options);
    let stream = dial(STRANGER, proxy.at).unwrap();
    send_all(&stream, header);
    let heard = read_all(&stream).unwrap_or_default();
    let heard = String::from_utf8(heard).unwrap();
    let last = heard.lines().last().unwrap();
    assert_eq!(
        last,
        "421 The proxy expects no PROXY protocol header from this address."
    );
    let line = proxy.logs("refused a PROXY protocol header from ");
    let cure =
        format!("from {STRANGER}: if that is your balancer, add it to --accept-proxy-protocol");
    assert!(line.ends_with(&cure), "{line}");
    assert!(
        !proxy.seen.iter().any(|line| line.contains("NUL")),
        "{:#?}",
        proxy.seen
    );
}

#[test]
fn a_balancer_that_is_not_listed_is_named() {
    let listed = ["--accept-proxy-protocol", "192.0.2.7"];
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x10\0\0\x15";
    for options in [&[][..], &listed] {
        unlisted(
            options,
            b"PROXY TCP4 10.0.0.1 10.0.0.2 4096 21\r\nUSER ada\r\n",
        );
        unlisted(options, b"PROXY UNKNOWN\r\n");
        unlisted(options, v2);
    }
}

#[test]
fn proxy_is_a_word_like_others_later_on() {
    let mut session = Logged::begin(&[]);
    session.exchange("NOOP", "200 ok");
    session.exchange("PROXY TCP4", "500 unknown");
}

/// While the client does not close, the farewell takes two seconds.
#[test]
fn why_a_client_is_refused_is_logged_before_the_farewell() {
    let server = nowhere(SERVER).to_string();
    let mut proxy = Listening::begin(&["-R", &server]);
    let mut client = proxy.client();
    client.hears_code("421 ");
    let line = proxy.logs(&format!("cannot connect to {server}: "));
    assert!(!line.contains("os error"), "{line}");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        kill(pid(&line), None).is_ok(),
        "the session has ended already"
    );
    drop(client);
    let said = proxy
        .seen
        .iter()
        .filter(|line| line.contains("cannot connect"));
    assert_eq!(said.count(), 1, "{:#?}", proxy.seen);
}

/// As from README's first command under nohup(1), or in a container.
#[test]
fn without_a_syslogd_a_listener_logs_to_standard_error() {
    if ftp_proxy::log::has_syslogd() {
        return; // here syslogd has the lines, as ever
    }
    let mut proxy = Listening::begin_without_syslogd(&["-R", "127.0.0.9", "-a", "127.0.0.1"]);
    let mut client = proxy.client();
    client.hears_code("421 ");
    proxy.logs("accepted connection from ");
    proxy.logs("cannot connect to 127.0.0.9:21: ");
}
