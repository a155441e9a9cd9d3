//! A server at a link-local address, which means something only together with an interface (RFC 4007).

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use common::address::{Ends, address_in};
use common::fake::{Control, dial, read_all, send_all};
use common::process::Proxy;
use common::session::control_pair;

const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const OTHER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

/// An interface with both addresses, in a network of this thread's own; its number.
fn interface() -> Option<u32> {
    if !nix::unistd::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: needs root, for a network namespace"
        );
        return None;
    }
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    let ip = format!(
        "ip link set lo up && ip link add wire0 type veth peer name wire1 && ip link set wire1 up && \
         ip link set wire0 up && ip address add {ADDRESS}/64 dev wire0 nodad && \
         ip address add {OTHER}/64 dev wire0 nodad && ip -o link show wire0"
    );
    let shown = Command::new("sh").args(["-c", &ip]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    Some(shown.split(':').next().unwrap().parse().expect(&shown))
}

/// A download by the options for a server at this port of the zone.
fn downloads(zone: u32, options: &[&str], server: impl Fn(u16) -> String) -> SocketAddr {
    let bind = || TcpListener::bind(SocketAddrV6::new(ADDRESS, 0, 0, zone)).unwrap();
    let there = bind();
    let (client, inherited) = control_pair(Ends::V4);
    let server = server(there.local_addr().unwrap().port());
    let proxy = Proxy::inherits(inherited, &[&["-R", &server], options].concat());
    let mut client = Control::over(client, "client");
    let (control, from) = there.accept().unwrap();
    let mut server = Control::over(control, "server");
    server.says("220 ready");
    client.hears("220 ready");
    let passive = bind();
    client.says("PASV");
    server.hears("EPSV");
    let port = passive.local_addr().unwrap().port();
    server.says(&format!("229 here (|||{port}|)"));
    let to = address_in(&client.hears_code("227 "));
    let data = dial(Ends::V4.client, to).unwrap();
    let (source, _) = passive.accept().unwrap();
    client.says("RETR a");
    server.hears("RETR a");
    server.says("150 here");
    client.hears("150 here");
    send_all(&source, b"the file");
    assert_eq!(read_all(&data).unwrap(), b"the file");
    drop(proxy);
    from
}

#[test]
fn a_server_may_be_at_a_link_local_address() {
    let Some(zone) = interface() else { return };
    downloads(zone, &[], |port| format!("[{ADDRESS}%wire0]:{port}"));
    downloads(zone, &[], |port| format!("[{ADDRESS}%{zone}]:{port}"));
}

#[test]
fn a_source_address_may_be_link_local() {
    let Some(zone) = interface() else { return };
    let other = OTHER.to_string();
    let server = |port| format!("[{ADDRESS}%wire0]:{port}");
    let from = downloads(zone, &["-a", &other], server);
    assert_eq!(from.ip(), IpAddr::from(OTHER));
}

#[test]
fn a_zone_without_its_interface_is_told() {
    let Some(_) = interface() else { return };
    let (client, inherited) = control_pair(Ends::V4);
    let server = format!("[{ADDRESS}%nosuch0]:21");
    let mut proxy = Proxy::inherits(inherited, &["-R", &server]);
    let mut client = Control::over(client, "client");
    client.hears("421 The server's name is not known.");
    assert!(!proxy.ends().success());
}
