//! The PROXY protocol from both ends: balancers in front, and servers that are told who the client is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use common::address::{CLIENT, Ends, FRONT, SERVER, STRANGER, V6, numbers};
use common::fake::{Control, Listener, dial, read_all, send_all, visit};
use common::listening::Listening;
use common::process::Proxy;
use common::session::{DataEnds, Session};
use common::{is_reset, readable};

/// Stands in front of us.
const BALANCER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
/// What clients dial, which is the balancer's.
const DIALLED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 8));

const ACCEPT: [&str; 2] = ["--accept-proxy-protocol", "127.0.0.7,192.0.2.0/24"];
const ON_DATA: &str = "--data-proxy-protocol";

/// How long to look whether something comes that must not. A slow machine makes this miss a fault, never see one.
const MOMENT: Duration = Duration::from_millis(100);

/// Version 1, by hand.
fn one(client: &str, dialled: &str) -> Vec<u8> {
    let (client, dialled) = (at(client), at(dialled));
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to, from_port, to_port) = (client.ip(), dialled.ip(), client.port(), dialled.port());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n").into_bytes()
}

/// Version 2, by hand, with an extension that nobody knows.
fn two(client: &str, dialled: &str) -> Vec<u8> {
    let (client, dialled) = (at(client), at(dialled));
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let extension = [0xe0, 0, 3, 1, 2, 3];
    let body = [
        octets(client.ip()),
        octets(dialled.ip()),
        client.port().to_be_bytes().to_vec(),
        dialled.port().to_be_bytes().to_vec(),
        extension.to_vec(),
    ]
    .concat();
    let family = if client.is_ipv4() { 0x11 } else { 0x21 };
    let length = u8::try_from(body.len()).unwrap();
    let fixed = [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x21, family, 0, length]].concat();
    [fixed, body].concat()
}

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ours(version: fn(&str, &str) -> Vec<u8>) -> Vec<u8> {
    version("127.0.0.2:4242", "127.0.0.8:21")
}

/// What is between a connection from `from`, which begins with these bytes, and a server that has not greeted.
fn begin(from: IpAddr, bytes: &[u8], options: &[&str]) -> (Session, Listener) {
    let there = Listener::at(SERVER);
    let front = Listener::front(FRONT);
    let mut client = dial(from, front.address()).unwrap();
    client.write_all(bytes).unwrap();
    let server = there.address().to_string();
    let options = [&["-R", server.as_str()], options].concat();
    let proxy = Proxy::inherits(front.accepts(), &options);
    let session = Session {
        client: Control::over(client, "client"),
        server: Control::over(there.accepts(), "server"),
        proxy,
        ends: Ends {
            client: from,
            front: FRONT,
            server: SERVER,
        },
    };
    (session, there)
}

/// A session of a client that the balancer brings, greeted.
fn brought(header: &[u8], options: &[&str]) -> Session {
    let (mut session, _) = begin(BALANCER, header, &[&ACCEPT, options].concat());
    session.reply("220 ready");
    session
}

/// Connects to where passive data is awaited, as the balancer does: at our own address, and with a header.
fn by_balancer(port: u16, header: &[u8]) -> TcpStream {
    let mut data = dial(BALANCER, SocketAddr::new(FRONT, port)).unwrap();
    data.write_all(header).unwrap();
    data
}

fn carries(session: &mut Session, client: TcpStream, there: &Listener) {
    let server = there.accepts();
    session.begin_transfer("RETR a");
    send_all(&server, b"the file");
    assert_eq!(read_all(&client).unwrap(), b"the file");
    drop((client, server));
    session.reply("226 done");
}

#[test]
fn the_client_that_a_balancer_brings_is_the_client() {
    for header in [ours(one), ours(two)] {
        let mut session = brought(&header, &[]);
        // Its own address is the one that PORT may name; the balancer's is as foreign as any.
        session.ends.client = CLIENT;
        let data = session.active_data("RETR a");
        send_all(&data.server, b"the file");
        assert_eq!(read_all(&data.client).unwrap(), b"the file");
        drop(data);
        session.reply("226 done");
        for foreign in [BALANCER, FRONT, STRANGER] {
            let listener = Listener::at(foreign);
            session
                .client
                .says(&format!("PORT {}", numbers(listener.address())));
            session.client.hears_code("501 ");
            assert!(!listener.is_called(MOMENT));
        }
        session.quits();
    }
}

#[test]
fn the_address_that_the_client_dialled_is_announced_and_the_client_may_come_by_itself() {
    let mut session = brought(&ours(two), &[]);
    session.ends.client = CLIENT;
    let (to, there) = session.pasv();
    assert_eq!(to.ip(), DIALLED);
    // Whatever the balancer is, without a header it is nobody's data connection.
    let ours = SocketAddr::new(FRONT, to.port());
    let refused = visit(BALANCER, ours);
    assert!(refused.is_err() || refused.unwrap().is_empty());
    let data = dial(CLIENT, ours).unwrap();
    carries(&mut session, data, &there);
    let (to, there) = session.epsv();
    let data = dial(CLIENT, SocketAddr::new(FRONT, to.port())).unwrap();
    carries(&mut session, data, &there);
    session.quits();
}

#[test]
fn the_client_s_class_and_not_the_balancer_s_says_what_is_announced() {
    let mask = |told: &str, class: &str| ["--masquerade".to_owned(), format!("{told},{class}")];
    let to_balancers = mask("192.0.2.66", "127.0.0.7");
    // A name is looked up only now that the client is known.
    for (told, expected) in [("192.0.2.77", "192.0.2.77"), ("localhost", "127.0.0.1")] {
        let options = [to_balancers.clone(), mask(told, "127.0.0.2")].concat();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut session = brought(&ours(two), &options);
        let (to, there) = session.pasv();
        assert_eq!(to.ip().to_string(), expected);
        let data = dial(CLIENT, SocketAddr::new(FRONT, to.port())).unwrap();
        carries(&mut session, data, &there);
        session.quits();
        // A health check is the balancer, and of its class.
        let mut session = brought(LOCAL, &options);
        assert_eq!(session.pasv().0.ip().to_string(), "192.0.2.66");
    }
}

#[test]
fn under_inetd_a_balancer_without_a_header_is_closed_and_76() {
    let front = Listener::front(FRONT);
    let mut balancer = dial(BALANCER, front.address()).unwrap();
    balancer.write_all(b"USER anonymous\r\n").unwrap();
    let options = [&["-R", "127.0.0.4:21"], &ACCEPT[..]].concat();
    let mut proxy = Proxy::inherits(front.accepts(), &options);
    assert_eq!(proxy.ends().code(), Some(76));
    let heard = read_all(&balancer);
    assert!(is_reset(&heard) || heard.unwrap().is_empty());
}

#[test]
fn what_comes_behind_a_header_is_the_client_s() {
    for header in [
        ours(one),
        ours(two),
        LOCAL.to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
    ] {
        let pipelined = [&header[..], b"USER a\r\nPASS b\r\n"].concat();
        let mut session = brought(&pipelined, &[]);
        session.server.hears("USER a");
        session.reply("331 word");
        session.server.hears("PASS b");
        session.reply("230 in");
        session.quits();
    }
}

#[test]
fn a_second_header_is_a_command() {
    let twice = [ours(two), one("127.0.0.66:4242", "127.0.0.8:21")].concat();
    let mut session = brought(&twice, &[]);
    session
        .server
        .hears("PROXY TCP4 127.0.0.66 127.0.0.8 4242 21");
    session.reply("500 unknown");
    let victim = Listener::at(STRANGER);
    session
        .client
        .says(&format!("PORT {}", numbers(victim.address())));
    session.client.hears_code("501 ");
}

#[test]
fn a_header_may_come_in_pieces() {
    for header in [ours(one), ours(two)] {
        let there = Listener::at(SERVER);
        let front = Listener::front(FRONT);
        let mut client = dial(BALANCER, front.address()).unwrap();
        client.set_nodelay(true).unwrap();
        let server = there.address().to_string();
        let options = [&["-R", server.as_str()], &ACCEPT[..]].concat();
        let _proxy = Proxy::inherits(front.accepts(), &options);
        for byte in header {
            assert!(
                !there.is_called(Duration::ZERO),
                "before the header is whole"
            );
            client.write_all(&[byte]).unwrap();
        }
        let mut server = Control::over(there.accepts(), "server");
        server.says("220 ready");
        Control::over(client, "client").hears("220 ready");
    }
}

#[test]
fn a_health_check_and_a_client_that_cannot_be_told_are_the_balancer_itself() {
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let mut session = brought(header, &[ON_DATA]);
        let (to, there) = session.pasv();
        assert_eq!(to.ip(), FRONT);
        let data = by_balancer(to.port(), header);
        carries(&mut session, data, &there);
        session.quits();
    }
}

/// The client is told that its header is not expected, and the server sees nothing of it.
fn is_shown_out(mut session: Session) {
    let _ = session.server.stream().write_all(b"220 ready\r\n"); // gone already: it need not greet
    let heard = String::from_utf8(session.client.rest().unwrap()).unwrap();
    let last = heard.lines().next_back().unwrap();
    assert!(
        last.starts_with("421 The proxy expects no PROXY "),
        "{heard}"
    );
    // A greeting that nothing has read makes the end a reset.
    let got = session.server.rest().unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(&got), "");
}

#[test]
fn a_header_from_elsewhere_ends_the_session() {
    // A stranger would like to be another client, at whom the server's data would then be sent.
    let header = one("127.0.0.2:4242", "127.0.0.8:21");
    for header in [header, ours(two)] {
        let (session, _) = begin(STRANGER, &header, &[&ACCEPT[..], &[ON_DATA]].concat());
        is_shown_out(session);
    }
}

#[test]
fn a_header_from_elsewhere_is_data_at_a_data_port() {
    let header = one("127.0.0.2:4242", "127.0.0.8:21");
    let (mut session, _) = begin(STRANGER, b"", &[&ACCEPT[..], &[ON_DATA]].concat());
    session.reply("220 ready");
    let (to, there) = session.pasv();
    let mut data = dial(STRANGER, to).unwrap();
    data.write_all(&header).unwrap();
    let mut server = there.accepts();
    session.begin_transfer("STOR a");
    let mut first = [0; 6];
    server.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"PROXY ");
}

#[test]
fn from_a_balancer_nothing_but_a_header_is_taken_and_no_server_is_dialled() {
    for (first, why) in [
        (
            &b"USER anonymous\r\n"[..],
            "malformed PROXY protocol header",
        ),
        (
            b"PROXY TCP4 127.0.0.2 127.0.0.8 4242\r\n",
            "malformed PROXY protocol header",
        ),
        (
            b"PROXY TCP4 127.0.0.2 127.0.0.8 +1 21\r\n",
            "malformed PROXY protocol header",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            "longer than 2048 bytes",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
            "malformed PROXY protocol header",
        ),
        (&[b'x'; 5000], "malformed PROXY protocol header"),
        (
            &[&b"PROXY UNKNOWN "[..], &[b'x'; 5000]].concat(),
            "longer than 107 bytes",
        ),
        (b"PROXY TCP4 0.0.0.0 127.0.0.8 1 21\r\n", "nobody's address"),
    ] {
        let there = Listener::at(SERVER);
        let server = there.address().to_string();
        let mut listening = Listening::begin(&[&["-R", server.as_str()], &ACCEPT[..]].concat());
        let mut balancer = dial(BALANCER, listening.at).unwrap();
        balancer.write_all(first).unwrap();
        let line = listening.logs("refused 127.0.0.7:");
        assert!(line.contains(why), "{line}");
        // Nothing is said: whoever is there is no client.
        let heard = read_all(&balancer);
        assert!(is_reset(&heard) || heard.unwrap().is_empty());
        assert!(!there.is_called(MOMENT));
    }
}

#[test]
fn a_balancer_that_says_nothing_or_too_little_is_closed_after_three_seconds() {
    for first in [&b""[..], b"PROXY TCP4 127.0.0.2 "] {
        let there = Listener::at(SERVER);
        let server = there.address().to_string();
        let mut listening = Listening::begin(&[&["-R", server.as_str()], &ACCEPT[..]].concat());
        let mut balancer = dial(BALANCER, listening.at).unwrap();
        balancer.write_all(first).unwrap();
        let line = listening.logs("refused 127.0.0.7:");
        assert!(
            line.contains("no PROXY protocol header within 3 s"),
            "{line}"
        );
        assert_eq!(read_all(&balancer).unwrap(), b"");
        // And others have not waited for it.
        let mut client = listening.client();
        let mut server = Control::over(there.accepts(), "server");
        server.says("220 ready");
        client.hears("220 ready");
    }
}

#[test]
fn while_balancers_say_nothing_another_client_is_served() {
    let there = Listener::at(SERVER);
    let server = there.address().to_string();
    // With a log that lasts who waits for a client is prepared.
    let mut listening =
        Listening::begin_with_pipe(&[&["-R", server.as_str()], &ACCEPT[..]].concat());
    let silent: Vec<_> = (0..3)
        .map(|_| dial(BALANCER, listening.at).unwrap())
        .collect();
    let mut client = listening.client();
    let mut server = Control::over(there.accepts(), "server");
    server.says("220 ready");
    client.hears("220 ready");
    listening.logs("connected to");
    let refused = listening
        .seen
        .iter()
        .filter(|line| line.contains("refused"));
    assert_eq!(refused.count(), 0, "{:#?}", listening.seen);
    drop(silent);
}

#[test]
fn the_log_shows_the_client_and_the_way_that_it_came() {
    let there = Listener::at(SERVER);
    let server = there.address().to_string();
    let mut listening = Listening::begin(&[&["-R", server.as_str()], &ACCEPT[..]].concat());
    let mut balancer = dial(BALANCER, listening.at).unwrap();
    balancer.write_all(&ours(two)).unwrap();
    let line = listening.logs("accepted connection");
    let way = format!(
        "from 127.0.0.2:4242 by way of {} to {server}",
        balancer.local_addr().unwrap()
    );
    assert!(line.contains(&way), "{line}");
    // A client outside the list has come by itself.
    let _client = listening.client();
    let line = listening.logs("accepted connection");
    assert!(
        line.contains("from 127.0.0.2:") && !line.contains("by way of"),
        "{line}"
    );
}

#[test]
fn passive_data_comes_through_the_balancer_with_a_header_of_its_own() {
    for version in [one, two] {
        let mut session = brought(&ours(version), &[ON_DATA]);
        for _ in 0..2 {
            let (to, there) = session.pasv();
            assert_eq!(to.ip(), DIALLED);
            let data = by_balancer(to.port(), &version("127.0.0.2:5555", &to.to_string()));
            carries(&mut session, data, &there);
        }
        session.quits();
    }
}

#[test]
fn a_client_of_ipv6_behind_a_balancer_of_ipv4_has_passive_data() {
    let (client, dialled) = ("[2001:db8::9]:4242", "[2001:db8::1]:21");
    let mut session = brought(&two(client, dialled), &[ON_DATA]);
    session.client.says("PASV");
    session.client.hears_code("502 ");
    let (to, there) = session.epsv();
    let header = two("[2001:db8::9]:5555", "[2001:db8::1]:50000");
    let data = by_balancer(to.port(), &header);
    carries(&mut session, data, &there);
    session.quits();
}

#[test]
fn a_stranger_behind_the_balancer_is_dropped_and_the_client_still_served() {
    let mut session = brought(&ours(two), &[ON_DATA]);
    let (to, there) = session.pasv();
    for header in [
        two("127.0.0.66:5555", "127.0.0.8:50000"),
        one("127.0.0.7:5555", "127.0.0.8:50000"),
        LOCAL.to_vec(),
        b"USER a\r\n".to_vec(),
        b"PROXY TCP4 127.0.0.2 127.0.0.8 1\r\n".to_vec(),
    ] {
        let stranger = by_balancer(to.port(), &header);
        let heard = read_all(&stranger);
        assert!(is_reset(&heard) || heard.unwrap().is_empty());
        assert!(
            !there.is_called(Duration::ZERO),
            "the server is not dialled for it"
        );
    }
    // One that is no balancer has no say, whatever it says.
    let refused = visit(STRANGER, SocketAddr::new(FRONT, to.port()));
    assert!(refused.is_err() || refused.unwrap().is_empty());
    let data = by_balancer(to.port(), &two("127.0.0.2:5555", "127.0.0.8:50000"));
    carries(&mut session, data, &there);
}

#[test]
fn those_who_only_wait_at_a_data_port_keep_nobody_out_and_stop_nothing() {
    let mut session = brought(&ours(two), &[ON_DATA]);
    let (to, there) = session.pasv();
    // More than are waited for at a time, and some of them have begun.
    let halves: Vec<TcpStream> = (0..20)
        .map(|n| by_balancer(to.port(), &ours(one)[..n]))
        .collect();
    session.exchange("NOOP", "200 ok");
    let data = by_balancer(to.port(), &two("127.0.0.2:5555", "127.0.0.8:50000"));
    carries(&mut session, data, &there);
    drop(halves);
    session.quits();
}

#[test]
fn a_header_of_data_may_come_in_pieces_and_is_late_after_three_seconds() {
    let mut session = brought(&ours(two), &[ON_DATA]);
    let (to, there) = session.pasv();
    let slow = by_balancer(to.port(), b"PROXY ");
    assert_eq!(read_all(&slow).unwrap_or_default(), b"", "it is closed");
    let header = one("127.0.0.2:5555", "127.0.0.8:50000");
    let mut data = by_balancer(to.port(), b"");
    data.set_nodelay(true).unwrap();
    for byte in header {
        assert!(!there.is_called(Duration::ZERO));
        data.write_all(&[byte]).unwrap();
    }
    carries(&mut session, data, &there);
}

#[test]
fn bytes_behind_a_header_of_data_are_the_client_s() {
    let mut session = brought(&ours(two), &[ON_DATA]);
    let (to, there) = session.pasv();
    let header = one("127.0.0.2:5555", "127.0.0.8:50000");
    let client = by_balancer(to.port(), &[&header[..], b"the file"].concat());
    let server = there.accepts();
    session.begin_transfer("STOR a");
    send_all(&client, b", whole");
    assert_eq!(read_all(&server).unwrap(), b"the file, whole");
    drop((client, server));
    session.reply("226 done");
    session.quits();
}

#[test]
fn the_server_is_told_the_client_before_anything_else() {
    for (option, version) in [("1", one as fn(&str, &str) -> Vec<u8>), ("2", plain_two)] {
        let (mut session, _) = begin(CLIENT, b"", &["--send-proxy-protocol", option]);
        let client = session.client.stream();
        let (from, to) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let expected = version(&from.to_string(), &to.to_string());
        assert_eq!(session.server.next_bytes(expected.len()).unwrap(), expected);
        session.reply("220 ready");
        session.exchange("USER a", "331 word");

        let (to, there) = session.pasv();
        let DataEnds { client, mut server } = session.dials(to, &there);
        let from = client.local_addr().unwrap();
        // The server knows its own port, and not that of the proxy.
        let to = SocketAddr::new(to.ip(), there.address().port());
        let expected = version(&from.to_string(), &to.to_string());
        let mut header = vec![0; expected.len()];
        server.read_exact(&mut header).unwrap();
        assert_eq!(header, expected);
        session.begin_transfer("STOR a");
        send_all(&client, b"the file");
        assert_eq!(read_all(&server).unwrap(), b"the file");
        drop((client, server));
        session.reply("226 done");

        // Where the server dials, there is nobody to tell.
        let data = session.active_data("STOR b");
        send_all(&data.client, b"another");
        assert_eq!(read_all(&data.server).unwrap(), b"another");
    }
}

/// Version 2 as it is sent: without extensions.
fn plain_two(client: &str, dialled: &str) -> Vec<u8> {
    let mut bytes = two(client, dialled);
    bytes.truncate(bytes.len() - 6);
    bytes[15] -= 6;
    bytes
}

#[test]
fn a_server_that_knows_headers_on_its_control_connection_alone_gets_none_with_data() {
    let (mut session, _) = begin(CLIENT, b"", &["--send-proxy-protocol", "1,control"]);
    assert!(
        session
            .server
            .hears_line()
            .starts_with("PROXY TCP4 127.0.0.2 127.0.0.3 ")
    );
    session.reply("220 ready");
    let (to, there) = session.pasv();
    let data = session.dials(to, &there);
    session.begin_transfer("STOR a");
    send_all(&data.client, b"the file");
    assert_eq!(read_all(&data.server).unwrap(), b"the file");
}

#[test]
fn what_a_balancer_says_is_passed_on_and_counts_as_no_data() {
    let there = Listener::at(SERVER);
    let server = there.address().to_string();
    let options = [
        &["-R", server.as_str(), ON_DATA, "--send-proxy-protocol", "1"],
        &ACCEPT[..],
    ];
    let mut listening = Listening::begin(&options.concat());
    let mut balancer = dial(BALANCER, listening.at).unwrap();
    balancer.write_all(&ours(two)).unwrap();
    let mut client = Control::over(balancer, "client");
    let mut server = Control::over(there.accepts(), "server");
    server.hears("PROXY TCP4 127.0.0.2 127.0.0.8 4242 21");
    server.says("220 ready");
    client.hears("220 ready");
    let data_there = Listener::at(SERVER);
    client.says("PASV");
    server.hears("PASV");
    server.says(&format!("227 ({})", numbers(data_there.address())));
    let to = common::address::address_in(&client.hears_code("227 "));
    let data = by_balancer(to.port(), &two("127.0.0.2:5555", "127.0.0.8:50001"));
    let mut data_server = Control::over(data_there.accepts(), "server");
    let port = data_there.address().port();
    data_server.hears(&format!("PROXY TCP4 127.0.0.2 127.0.0.8 5555 {port}"));
    client.says("STOR a");
    server.hears("STOR a");
    server.says("150 go");
    client.hears("150 go");
    send_all(&data, b"the file");
    assert_eq!(data_server.rest().unwrap(), b"the file");
    drop((data, data_server));
    server.says("226 done");
    client.hears("226 done");
    client.says("QUIT");
    server.hears("QUIT");
    server.says("221 bye");
    drop((server, client));
    let line = listening.logs("session ended");
    assert!(
        line.contains("0 bytes to client, 8 bytes to server"),
        "{line}"
    );
}

#[test]
fn a_balancer_on_this_machine_makes_nobody_a_client_of_this_machine() {
    // In forward mode this machine's own servers are for clients on this machine.
    let victim = Listener::at(SERVER);
    let front = Listener::front(FRONT);
    let options = [&["--forward", "--forward-any-port"], &ACCEPT[..]].concat();
    for (client, hears) in [("192.0.2.9:4242", "530 "), ("127.0.0.2:4242", "220 ")] {
        let mut balancer = dial(BALANCER, front.address()).unwrap();
        balancer.write_all(&one(client, "127.0.0.8:21")).unwrap();
        let _proxy = Proxy::inherits(front.accepts(), &options);
        let mut client = Control::over(balancer, "client");
        client.hears_code("220 ");
        let port = victim.address().port();
        client.says(&format!("USER a@127.0.0.4:{port}"));
        if hears == "530 " {
            client.hears_code(hears);
            assert!(!victim.is_called(MOMENT));
        } else {
            let _server = victim.accepts();
        }
    }
}

#[test]
fn ipv6_throughout() {
    if TcpStream::connect_timeout(&SocketAddr::new(V6, 1), MOMENT)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::AddrNotAvailable)
    {
        return; // no IPv6 here
    }
    let front = Listener::front(V6);
    let there = Listener::at(V6);
    let server = there.address();
    let target = format!("[::1]:{}", server.port());
    let options = [
        "-R",
        &target,
        "--accept-proxy-protocol",
        "::1",
        "--send-proxy-protocol",
        "2",
    ];
    let mut balancer = dial(V6, front.address()).unwrap();
    let header = plain_two("[2001:db8::9]:4242", "[2001:db8::1]:21");
    balancer.write_all(&header).unwrap();
    let _proxy = Proxy::inherits(front.accepts(), &options);
    let mut server = Control::over(there.accepts(), "server");
    assert_eq!(server.next_bytes(header.len()).unwrap(), header);
    assert!(!readable(server.stream(), Duration::ZERO));
}
