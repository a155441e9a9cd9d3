//! What a process that listens says of its command line before there is a client; and where it listens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use common::listening::Listening;

/// What is said before it listens.
fn before(options: &[&str]) -> Vec<String> {
    let mut all = Listening::begin(options).before;
    for line in &mut all {
        *line = line.split_once("]: ").unwrap().1.to_owned();
    }
    all
}

fn warns(options: &str, warning: &str) {
    let options: Vec<&str> = options.split(' ').collect();
    let said = before(&options);
    assert!(said.iter().any(|line| line == warning), "{said:#?}");
}

#[test]
fn a_source_address_of_another_machine_is_said() {
    warns(
        "-R 127.0.0.9 -a 192.0.2.77",
        "-a 192.0.2.77: this machine has no such address; until it has, connections to servers fail",
    );
    warns(
        "--forward -S 2001:db8::77",
        "-S 2001:db8::77: this machine has no such address; until it has, data connections to clients fail",
    );
}

#[test]
fn a_name_without_an_address_is_said() {
    warns(
        "-R no-such-host.invalid",
        "-R no-such-host.invalid:21: no address is found; until one is, clients are refused",
    );
    warns(
        "-R 127.0.0.9 --masquerade no-such-host.invalid",
        "--masquerade no-such-host.invalid: no IPv4 address is found; until one is, sessions refuse PASV",
    );
    warns(
        "-R [fe80::1%nosuch0]",
        "-R [fe80::1%nosuch0]:21: no address for [fe80::1%nosuch0]:21",
    );
}

#[test]
fn a_balancer_that_may_be_anybody_is_said() {
    let warning = "--accept-proxy-protocol: with these networks a client can claim any address; name the balancers alone";
    for networks in ["0.0.0.0/0", "::/0", "192.0.2.7,128.0.0.0/1"] {
        warns(
            &format!("-R 127.0.0.9 --accept-proxy-protocol {networks}"),
            warning,
        );
    }
    let said = before(&["-R", "127.0.0.9", "--accept-proxy-protocol", "10.0.0.0/8"]);
    assert!(!said.iter().any(|line| line == warning), "{said:#?}");
}

#[test]
fn what_is_right_is_not_warned_of() {
    let options = "-R localhost:2121 -a 127.0.0.1 -S ::1 --masquerade localhost";
    let options: Vec<&str> = options.split(' ').collect();
    let said = before(&options);
    assert!(
        said.iter().all(|line| line.starts_with("data path: ")),
        "{said:#?}"
    );
}

#[test]
fn a_source_address_that_is_not_ours_is_named_in_the_log() {
    let mut proxy = Listening::begin(&["-R", "127.0.0.9", "-a", "192.0.2.77"]);
    let mut client = proxy.client();
    client.hears("421 The server cannot be reached.");
    proxy.logs("cannot connect to 127.0.0.9:21: 192.0.2.77 is no address of this machine, see -a");
}

#[test]
fn a_bare_port_listens_on_both_families() {
    let six = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let port = six.local_addr().unwrap().port().to_string();
    drop(six);
    let mut proxy = Listening::begin(&["--forward", "--listen", &port]);
    proxy.logs(&format!("listening on [::]:{port}"));
    proxy.logs(&format!("listening on 0.0.0.0:{port}"));
    let port: u16 = port.parse().unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn root_is_given_up_for_a_user_and_group_by_number() {
    if !nix::unistd::geteuid().is_root() {
        return; // who is not root becomes nobody else
    }
    warns(
        "-R 127.0.0.9 -u 4242424 -g 4242425 -D 1",
        "now user 4242424 group 4242425",
    );
}
