//! `--max-sessions-per-client`: one client cannot take every session of a process that listens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use common::address::{CLIENT, SERVER, STRANGER};
use common::eventually;
use common::fake::{Control, dial};
use common::listening::Listening;
use nix::sys::signal::Signal;

const TOO_MANY: &str = "421 Too many sessions of your address; try again later.";

/// A server that greets, and keeps its clients.
fn server() -> SocketAddr {
    let listener = TcpListener::bind((SERVER, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept: Vec<TcpStream> = Vec::new();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            client.write_all(b"220 ready\r\n").unwrap();
            kept.push(client);
        }
    });
    address
}

fn proxy(options: &[&str]) -> Listening {
    let server = server().to_string();
    Listening::begin(&[&["-R", &server, "--max-sessions", "50"], options].concat())
}

fn from(ip: IpAddr, proxy: &Listening) -> Control {
    Control::over(dial(ip, proxy.at).unwrap(), "client")
}

/// Another client each time.
fn other(n: u8) -> IpAddr {
    [127, 0, 1, n].into()
}

#[track_caller]
fn is_served(mut client: Control) -> Control {
    client.hears("220 ready");
    client
}

#[track_caller]
fn is_refused(mut client: Control) {
    client.hears(TOO_MANY);
    client.hears_end();
}

#[test]
fn one_client_cannot_take_every_session() {
    let mut proxy = proxy(&["--max-sessions-per-client", "2"]);
    let one = is_served(from(CLIENT, &proxy));
    let _two = is_served(from(CLIENT, &proxy));
    for n in 0..30 {
        is_refused(from(CLIENT, &proxy));
        is_served(from(other(n), &proxy));
    }
    let line = proxy.logs("refused 127.0.0.2: ");
    assert!(
        line.ends_with("refused 127.0.0.2: 2 sessions of this client already"),
        "{line}"
    );
    // A session that ends makes room for another.
    drop(one);
    let three = eventually("there is room", || {
        let mut client = from(CLIENT, &proxy);
        (client.hears_line() == "220 ready").then_some(client)
    });
    is_refused(from(CLIENT, &proxy));
    drop(three);
    proxy.proxy.signal(Signal::SIGTERM);
    eventually("it ends", || proxy.proxy.ended());
}

#[test]
fn a_client_has_twenty_sessions_unless_told() {
    let proxy = proxy(&[]);
    let _served: Vec<_> = (0..20).map(|_| is_served(from(CLIENT, &proxy))).collect();
    is_refused(from(CLIENT, &proxy));
    is_served(from(STRANGER, &proxy));
}

#[test]
fn with_zero_a_client_has_any_number() {
    let proxy = proxy(&["--max-sessions-per-client", "0"]);
    let _served: Vec<_> = (0..30).map(|_| is_served(from(CLIENT, &proxy))).collect();
}

/// Behind one address of a balancer are many clients.
#[test]
fn balancers_have_any_number_of_sessions() {
    let options = [
        "--max-sessions-per-client",
        "2",
        "--accept-proxy-protocol",
        "127.0.0.66",
    ];
    let proxy = proxy(&options);
    let brought: Vec<_> = (0..10)
        .map(|_| {
            let mut client = from(STRANGER, &proxy);
            client.says("PROXY TCP4 127.0.0.9 127.0.0.3 4000 21");
            is_served(client)
        })
        .collect();
    let _own: Vec<_> = (0..2).map(|_| is_served(from(CLIENT, &proxy))).collect();
    is_refused(from(CLIENT, &proxy));
    drop(brought);
}

/// Refusals make no process: the one that waits goes on waiting.
#[test]
fn a_flood_of_one_client_keeps_nobody_out() {
    let mut proxy = proxy(&["--max-sessions-per-client", "1"]);
    let _one = is_served(from(CLIENT, &proxy));
    let at = proxy.at;
    let flood = thread::spawn(move || {
        for _ in 0..300 {
            let _ = Control::over(dial(CLIENT, at).unwrap(), "client").rest();
        }
    });
    for n in 0..30 {
        is_served(from(other(n), &proxy));
    }
    flood.join().unwrap();
    proxy.proxy.signal(Signal::SIGTERM);
    eventually("it ends", || proxy.proxy.ended());
    proxy.logs("more refused clients were not logged");
    let refused = |line: &&String| line.contains("refused 127.0.0.2: 1 sessions");
    assert_eq!(proxy.seen.iter().filter(refused).count(), 20);
}
