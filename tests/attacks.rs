//! Attacks of docs/past-attacks.md that need sockets, and that no other test shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::collections::VecDeque;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, spawn};
use std::time::Duration;

use common::address::{BACK, CLIENT, FRONT, SERVER, STRANGER, extended, numbers};
use common::fake::{Listener, dial, read_all, send_all};
use common::session::Session;
use ftp_proxy::destination::{Guard, Unreachable};
use ftp_proxy::net::LocalAddresses;
use ftp_proxy::servers::Servers;
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

/// Nobody may come meanwhile.
const MOMENT: Duration = Duration::from_millis(300);

/// For a dial; nobody here is silent.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_bounce_reaches_nobody() {
    let victim = Listener::at(STRANGER);
    let at = victim.address();
    let mut session = Session::begin(&[]);
    for command in [
        format!("PORT {}", numbers(at)),
        format!("EPRT {}", extended(at)),
    ] {
        session.client.says(&command);
        session.client.hears_code("501 ");
        session.exchange("RETR a", "425 first PORT");
    }
    assert!(!victim.is_called(MOMENT), "the victim was called");
    session.quits();
}

/// RFC 2577 §8: one who knows the last port must not know the next.
#[test]
fn the_port_of_one_data_connection_does_not_tell_the_next() {
    let mut session = Session::begin(&[]);
    let ports: Vec<u16> = (0..12).map(|_| session.pasv().0.port()).collect();
    // Of 12! orders one is ascending and one descending.
    let ascending = ports.windows(2).all(|p| p[0] < p[1]);
    let descending = ports.windows(2).all(|p| p[0] > p[1]);
    assert!(!ascending && !descending, "{ports:?}");
    let steps: Vec<_> = ports.windows(2).map(|p| p[1].wrapping_sub(p[0])).collect();
    assert!(steps.iter().any(|step| *step != steps[0]), "{ports:?}");
}

/// The kernel keeps room for so many, and then answers nobody until there is room again.
#[test]
fn strangers_who_fill_the_queue_of_a_data_port_do_not_keep_the_client_out() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    session.proxy.signal(Signal::SIGSTOP);
    let mut strangers = Vec::new();
    while let Some(stranger) = knocks(to) {
        strangers.push(stranger);
        assert!(strangers.len() < 1000, "a queue without end");
    }
    let client = spawn(move || dial(CLIENT, to).unwrap());
    // So that it comes last.
    std::thread::sleep(MOMENT);
    session.proxy.signal(Signal::SIGCONT);
    let client = client.join().unwrap();
    downloads(&mut session, &client, &listener.accepts());
    session.quits();
}

/// As many as a machine makes, each of which would like to stay.
#[test]
fn a_flood_of_strangers_keeps_neither_the_client_nor_its_commands_waiting() {
    let mut session = Session::begin(&[]);
    let (to, listener) = session.pasv();
    let over = AtomicBool::new(false);
    scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut strangers = VecDeque::new();
                while !over.load(Ordering::Relaxed) {
                    strangers.extend(knocks(to));
                    strangers.truncate(100);
                }
            });
        }
        for _ in 0..20 {
            session.exchange("NOOP", "200 ok");
        }
        let client = dial(CLIENT, to).unwrap();
        let server = listener.accepts();
        over.store(true, Ordering::Relaxed);
        downloads(&mut session, &client, &server);
    });
    session.quits();
}

/// A stranger's connection, if the kernel answers soon.
fn knocks(to: SocketAddr) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(STRANGER, 0).into()).unwrap();
    socket.connect_timeout(&to.into(), MOMENT).ok()?;
    Some(socket)
}

fn downloads(session: &mut Session, client: &TcpStream, server: &TcpStream) {
    session.begin_transfer("RETR a");
    send_all(server, b"the file");
    assert_eq!(read_all(client).unwrap(), b"the file");
    client.shutdown(Shutdown::Both).unwrap();
    session.reply("226 done");
}

/// A transfer has one direction. What comes against it is its sender's own affair and spoils nothing.
#[test]
fn bytes_against_the_direction_of_a_transfer_do_not_spoil_it() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    send_all(&data.server, b"nobody asked for this");
    send_all(&data.client, b"the file");
    assert_eq!(read_all(&data.server).unwrap(), b"the file");
    assert_eq!(read_all(&data.client).unwrap(), b"nobody asked for this");
    drop(data);
    session.reply("226 done");
    session.quits();
}

/// A name that resolves to an inside address the second time (DNS rebinding) is never asked a second time: what is
/// judged is the address, each of them, and what is judged is dialled.
#[test]
fn each_address_of_a_server_is_judged_before_it_is_dialled() {
    let (inside, proxy) = (Listener::at(BACK), Listener::front(FRONT));
    let guard = Guard {
        local: LocalAddresses::read().unwrap(),
        proxy: proxy.address(),
        client: "192.0.2.1".parse().unwrap(),
        client_chose: Some(Servers::Usual),
    };
    let disguised = SocketAddr::new(SERVER, proxy.address().port());
    for forbidden in [
        inside.address(),
        proxy.address(),
        disguised,
        "0.0.0.0:21".parse().unwrap(),
        "[::]:21".parse().unwrap(),
        "224.0.0.1:21".parse().unwrap(),
    ] {
        let refused = guard
            .dial(&[forbidden], None, PATIENCE, &mut |_| {})
            .unwrap_err();
        assert!(
            matches!(refused, Unreachable::Forbidden(_) | Unreachable::Loop(_)),
            "{forbidden}: {refused}"
        );
    }
    assert!(!inside.is_called(MOMENT) && !proxy.is_called(MOMENT));
    let of_this_machine = Guard {
        client: CLIENT,
        ..guard
    };
    of_this_machine
        .dial(
            &[proxy.address(), inside.address()],
            None,
            PATIENCE,
            &mut |_| {},
        )
        .unwrap();
    assert!(inside.is_called(MOMENT) && !proxy.is_called(MOMENT));
}
