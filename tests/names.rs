//! Names of addresses, which their owners choose: with `-r` they decide in rules of tcp wrappers who is served. The
//! resolver asks a name server of this test's own, in a mount namespace with an /etc of its own. Needs root.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/syslog.rs"]
mod syslog;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use std::thread;

use ftp_proxy::net::name_of;
use syslog::{FakeSyslog, skip};

/// Set where a process is to say what name it sees.
const PROBE: &str = "FTP_PROXY_TEST_NAMES";

const PRIVATE_ETC: &str = r#"
set -e
mkdir "$KEEP/etc"
for file in passwd group ld.so.cache services protocols; do
    [ ! -e "/etc/$file" ] || cp "/etc/$file" "$KEEP/etc/$file"
done
echo 'hosts: dns' > "$KEEP/etc/nsswitch.conf"
printf '%s\n' "nameserver $NAME_SERVER" 'options attempts:1 timeout:5' > "$KEEP/etc/resolv.conf"
mount --bind "$KEEP/etc" /etc
"#;

/// A name server for which every address is called `trusted.example`, and that name has one address.
fn name_server(socket: UdpSocket, address: Ipv4Addr) {
    const PTR: u16 = 12;
    const A: u16 = 1;
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let name = query[12..length].iter().position(|&b| b == 0).unwrap();
            let end = 12 + name + 5;
            let kind = u16::from_be_bytes([query[end - 4], query[end - 3]]);
            let data = match kind {
                PTR => b"\x07trusted\x07example\0".to_vec(),
                A => address.octets().to_vec(),
                _ => Vec::new(),
            };
            let count = u8::from(!data.is_empty());
            let mut reply = query[..2].to_vec();
            reply.extend([0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
            reply.extend(&query[12..end]);
            if count == 1 {
                // The question's name, its kind, class IN, an hour, the length.
                reply.extend([0xc0, 12]);
                reply.extend(kind.to_be_bytes());
                reply.extend([0, 1, 0, 0, 14, 16, 0]);
                reply.push(u8::try_from(data.len()).unwrap());
                reply.extend(data);
            }
            socket.send_to(&reply, from).unwrap();
        }
    });
}

/// What the program takes for the name of 127.0.0.1 if the name leads to `address`, asked of a name server at `at`;
/// `None` if the test cannot be.
fn name_if_it_leads_to(address: Ipv4Addr, at: &str) -> Option<String> {
    let folder = FakeSyslog::start()?;
    // A resolver asks no other port.
    let Ok(socket) = UdpSocket::bind((at, 53)) else {
        skip("root, to be a name server");
        return None;
    };
    name_server(socket, address);
    let me = std::env::current_exe().unwrap();
    let mut command: Command = folder.command_after(PRIVATE_ETC, me.to_str().unwrap());
    command.args(["--exact", "probe", "--nocapture"]);
    command.env("KEEP", folder.directory());
    let ran = command.env("NAME_SERVER", at).env(PROBE, "1").output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let name = said
        .lines()
        .find_map(|line| line.split_once("the name is "));
    Some(name.unwrap_or_else(|| panic!("{ran:?}")).1.to_owned())
}

/// Not a claim but the other half of the test here; without its variable it does nothing.
#[test]
fn probe() {
    if std::env::var_os(PROBE).is_some() {
        let name = name_of(IpAddr::V4(Ipv4Addr::LOCALHOST));
        writeln!(io::stdout(), "the name is {name:?}").unwrap();
    }
}

#[test]
fn a_name_counts_only_if_it_leads_back() {
    // Whoever owns an address can call it so.
    if let Some(name) = name_if_it_leads_to(Ipv4Addr::new(127, 0, 0, 66), "127.0.0.98") {
        assert_eq!(name, "None");
    }
    if let Some(name) = name_if_it_leads_to(Ipv4Addr::LOCALHOST, "127.0.0.99") {
        assert_eq!(name, "Some(\"trusted.example\")");
    }
}
