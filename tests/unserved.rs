//! A proxy that cannot begin has a client already, if inetd has started it: who must not just be hung up on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// What the client hears to the end of the connection, and the exit code.
fn started_by_inetd(arguments: &str) -> (String, Option<i32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let mut process = Command::new(PROXY)
        .args(arguments.split(' '))
        .stdin(OwnedFd::from(far))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    drop(client);
    (heard, process.wait().unwrap().code())
}

#[test]
fn a_client_whose_proxy_cannot_begin_hears_421() {
    for (arguments, code) in [
        ("-p", 69),
        ("--netfilter --tag ftp", 69),
        // There is no table where the tests run.
        ("--netfilter --data-path kernel", 78),
        ("-R 127.0.0.1:9 -u no-such-user", 64),
    ] {
        let (heard, exit) = started_by_inetd(arguments);
        assert_eq!(heard, "421 The proxy is in trouble.\r\n", "{arguments}");
        assert_eq!(exit, Some(code), "{arguments}");
    }
}
