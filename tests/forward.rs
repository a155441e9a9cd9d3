//! Forward mode: the client names its server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::net::{IpAddr, SocketAddr};

use common::address::{BACK, CLIENT, Ends, FRONT, SERVER, address_in, extended, numbers, port_in};
use common::fake::{Control, Listener, dial, nowhere, read_all, send_all};
use common::process::Proxy;
use common::session::control_pair;

const ANY_PORT: &[&str] = &["--forward", "--forward-any-port"];

struct Forward {
    client: Control,
    proxy: Proxy,
}

impl Forward {
    #[track_caller]
    fn begin(ends: Ends, options: &[&str]) -> Self {
        let (client, inherited) = control_pair(ends);
        let proxy = Proxy::inherits(inherited, options);
        let mut client = Control::over(client, "client");
        client.hears_code("220 ");
        Forward { client, proxy }
    }

    /// Logs in to a server at this address.
    #[track_caller]
    fn logs_in(&mut self, login: &str, there: &Listener) -> Control {
        self.client.says(login);
        let mut server = Control::over(there.accepts(), "server");
        server.says("220 hidden");
        server.hears("USER bob");
        server.says("230 in");
        self.client.hears("230 in");
        server
    }
}

#[test]
fn a_login_reaches_the_server_that_it_names_and_data_flows() {
    for ends in [Ends::V4, Ends::V6, Ends::V4_TO_V6, Ends::V6_TO_V4] {
        let mut session = Forward::begin(ends, ANY_PORT);
        let there = Listener::at(ends.server);
        let login = format!("USER bob@{}", there.address());
        let mut server = session.logs_in(&login, &there);
        let data = Listener::at(ends.server);
        let port = data.address().port();
        session.client.says("EPSV");
        server.hears("EPSV");
        server.says(&format!("229 ok (|||{port}|)"));
        let port = port_in(&session.client.hears_code("229 "));
        let here = dial(ends.client, SocketAddr::new(ends.front, port)).unwrap();
        let there = data.accepts();
        session.client.says("RETR a");
        server.hears("RETR a");
        server.says("150 here");
        session.client.hears("150 here");
        send_all(&there, b"the file");
        assert_eq!(read_all(&here).unwrap(), b"the file");
        // And the other way: the server dials.
        drop((here, there));
        server.says("226 done");
        session.client.hears("226 done");
        let mine = Listener::at(ends.client);
        session
            .client
            .says(&format!("EPRT {}", extended(mine.address())));
        let to = address_in(&server.hears_line());
        assert_eq!(to.ip(), ends.back());
        server.says("200 ok");
        session.client.hears("200 ok");
        let _there = dial(ends.server, to).unwrap();
        let _here = mine.accepts();
    }
}

#[test]
fn a_server_may_be_named_by_name() {
    let there = Listener::at(BACK);
    let port = there.address().port();
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    // localhost may be ::1 first, where nobody listens: then the next address is tried.
    let server = session.logs_in(&format!("USER bob@localhost:{port}"), &there);
    drop(server);
    session.client.hears_code("421 ");
}

#[test]
fn the_server_s_own_greeting_is_hidden_and_its_words_after_it_are_not() {
    let there = Listener::at(SERVER);
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    session
        .client
        .says(&format!("SITE 127.0.0.4 {}", there.address().port()));
    let mut server = Control::over(there.accepts(), "server");
    server.says("220 hidden");
    let line = session.client.hears_code("220 ");
    assert!(!line.contains("hidden"), "{line}");
    server.says("421 gone for lunch");
    session.client.hears("421 gone for lunch");
}

#[test]
fn a_server_that_refuses_connections_is_421() {
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    let gone = nowhere(SERVER);
    session.client.says(&format!("USER bob@{gone}"));
    session.client.hears_code("421 ");
    session.client.hears_end();
}

#[test]
fn a_server_without_an_address_is_421() {
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    session.client.says("USER bob@no-such-host.invalid");
    session.client.hears_code("421 ");
    session.client.hears_end();
}

/// The proxy is asked to connect to itself, and must not.
#[track_caller]
fn is_refused(name: impl Fn(SocketAddr) -> String) {
    let front = Listener::front(FRONT);
    let client = dial(CLIENT, front.address()).unwrap();
    let _proxy = Proxy::inherits(front.accepts(), ANY_PORT);
    let mut client = Control::over(client, "client");
    client.hears_code("220 ");
    client.says(&name(front.address()));
    let line = client.hears_line();
    assert!(
        line.starts_with("421 ") || line.starts_with("530 "),
        "{line}"
    );
    assert!(
        !front.is_called(std::time::Duration::ZERO),
        "the proxy dialled itself"
    );
}

#[test]
fn the_proxy_itself_is_refused() {
    is_refused(|proxy| format!("USER bob@{proxy}"));
}

#[test]
fn the_proxy_itself_is_refused_in_disguise() {
    is_refused(|proxy| format!("USER bob@[::ffff:{}]:{}", proxy.ip(), proxy.port()));
}

#[test]
fn nobody_and_everybody_are_refused() {
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    for host in ["255.255.255.255", "224.0.0.1", "[ff02::1]"] {
        session.client.says(&format!("USER bob@{host}"));
        session.client.hears_code("530 ");
    }
    session.client.says("QUIT");
    session.client.hears_code("221 ");
    session.client.hears_end();
    drop(session.client);
    assert_eq!(session.proxy.ends().code(), Some(0));
}

/// Linux takes packets for a whole network where a local route says so (AnyIP), and no interface has those addresses.
#[test]
fn addresses_that_a_route_keeps_here_are_refused() {
    if !nix::unistd::geteuid().is_root() {
        return; // no namespace can be made
    }
    let script = "ip link set lo up && ip route add local 10.77.0.0/16 dev lo && exec python3 -c \"$1\" \"$2\"";
    let trial = r#"
import socket, subprocess, sys, time
own = socket.create_server(("10.77.0.1", 2121))
own.settimeout(0.2)
front = ("10.77.0.3", 8021)
for options in [], ["-a", "127.0.0.1"]:
    proxy = subprocess.Popen([sys.argv[1], "--forward", "--forward-any-port", "--log-stderr", *options,
                              "--listen", "%s:%d" % front], stderr=subprocess.PIPE)
    while b"listening on" not in proxy.stderr.readline():
        pass
    for named, code in ("10.77.0.1:2121", b"530 "), ("10.77.0.9:2121", b"530 "), ("%s:%d" % front, b"421 "):
        client = socket.create_connection(front, 20, ("10.77.0.2", 0))
        lines = client.makefile("rb")
        assert lines.readline().startswith(b"220 ")
        client.sendall(b"USER x@%s\r\n" % named.encode())
        reply = lines.readline()
        assert reply.startswith(code), (named, options, reply)
    try:
        own.accept()
        sys.exit("the proxy has dialled its own machine")
    except TimeoutError:
        pass
    proxy.terminate()
    log = proxy.stderr.read()
    assert b"accepted connection from 10.77.0.3" not in log, log
"#;
    let output = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", script, "sh", trial])
        .arg(common::process::PROGRAM)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn link_local_servers_are_refused() {
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    for host in [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
    ] {
        session.client.says(&format!("USER bob@{host}"));
        session.client.hears_code("530 ");
    }
}

#[test]
fn forward_to_names_the_networks_of_servers() {
    let there = Listener::at(SERVER);
    let mut options = ANY_PORT.to_vec();
    options.extend(["--forward-to", "192.0.2.0/24", "--forward-to", "127.0.0.5"]);
    let mut session = Forward::begin(Ends::V4, &options);
    for host in [
        there.address().to_string(),
        format!("localhost:{}", there.address().port()),
    ] {
        session.client.says(&format!("USER bob@{host}"));
        session.client.hears_code("530 ");
    }
    assert!(!there.is_called(std::time::Duration::ZERO));
    options.extend(["--forward-to", "127.0.0.4/32"]);
    let mut session = Forward::begin(Ends::V4, &options);
    session.logs_in(&format!("USER bob@{}", there.address()), &there);
}

#[test]
fn any_port_needs_the_administrator_s_word() {
    let there = Listener::at(SERVER);
    let port = there.address().port();
    let mut session = Forward::begin(Ends::V4, &["--forward"]);
    for login in [
        format!("USER bob@127.0.0.4:{port}"),
        format!("USER bob@127.0.0.4 {port}"),
        format!("USER 127.0.0.4!bob {port}"),
        format!("SITE 127.0.0.4 {port}"),
    ] {
        session.client.says(&login);
        session.client.hears_code("530 ");
    }
    assert!(!there.is_called(std::time::Duration::ZERO));
}

#[test]
fn nothing_is_dialled_before_the_client_names_a_server() {
    let mut session = Forward::begin(Ends::V4, ANY_PORT);
    let there = Listener::at(SERVER);
    let at = numbers(there.address());
    for command in [format!("PORT {at}"), "PASV".into(), "RETR a".into()] {
        session.client.says(&command);
        session.client.hears_code("530 ");
    }
    assert!(!there.is_called(std::time::Duration::ZERO));
}

#[test]
fn a_names_the_source_of_the_connection() {
    let mut options = ANY_PORT.to_vec();
    options.extend(["-a", "127.0.0.8"]);
    let there = Listener::at(SERVER);
    let mut session = Forward::begin(Ends::V4, &options);
    session
        .client
        .says(&format!("USER bob@{}", there.address()));
    let (_, from) = there.accepts_from();
    assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 8]));
}
