//! Who is where, and addresses as FTP writes them. The tests have their own reading of RFC 959 and RFC 2428, on
//! purpose: the program's must not judge itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses of a session's parties.
///
/// In IPv4 they are four different ones, so that no test can pass by taking one party for another: the client dials
/// `front`, and the proxy dials the server from 127.0.0.1, as the kernel chooses. IPv6 has but one on loopback.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub client: IpAddr,
    pub front: IpAddr,
    pub server: IpAddr,
}

pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub const FRONT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
/// The proxy as the server sees it.
pub const BACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// One who has no business here.
pub const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

impl Ends {
    pub const V4: Ends = Ends::between(CLIENT, SERVER);
    pub const V6: Ends = Ends::between(V6, V6);
    pub const V4_TO_V6: Ends = Ends::between(CLIENT, V6);
    pub const V6_TO_V4: Ends = Ends::between(V6, SERVER);

    /// The parties of a session between these two.
    #[must_use]
    pub const fn between(client: IpAddr, server: IpAddr) -> Ends {
        let front = if client.is_ipv4() { FRONT } else { V6 };
        Ends {
            client,
            front,
            server,
        }
    }

    /// The proxy as the server sees it.
    #[must_use]
    pub fn back(&self) -> IpAddr {
        if self.server.is_ipv4() { BACK } else { V6 }
    }
}

/// `h1,h2,h3,h4,p1,p2`
#[must_use]
pub fn numbers(at: SocketAddr) -> String {
    let IpAddr::V4(ip) = at.ip() else {
        panic!("{at} cannot be written so");
    };
    let [high, low] = at.port().to_be_bytes();
    let [a, b, c, d] = ip.octets();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// `|1|address|port|` or `|2|address|port|`
#[must_use]
pub fn extended(at: SocketAddr) -> String {
    let family = if at.is_ipv4() { 1 } else { 2 };
    format!("|{family}|{}|{}|", at.ip(), at.port())
}

/// The address in a line that holds one as [`numbers`] or as [`extended`].
#[must_use]
#[track_caller]
pub fn address_in(line: &str) -> SocketAddr {
    if let Some(at) = line.find('|') {
        let fields: Vec<&str> = line[at..].split('|').collect();
        return SocketAddr::new(
            fields[2].parse().expect("an address"),
            fields[3].parse().expect("a port"),
        );
    }
    let digits = |c: char| c.is_ascii_digit() || c == ',';
    let list = line
        .split(|c| !digits(c))
        .find(|word| word.matches(',').count() == 5)
        .unwrap_or_else(|| panic!("no address in {line:?}"));
    let n: Vec<u8> = list.split(',').map(|n| n.parse().expect("0-255")).collect();
    SocketAddr::new(
        [n[0], n[1], n[2], n[3]].into(),
        u16::from_be_bytes([n[4], n[5]]),
    )
}

/// The port in `229 Entering Extended Passive Mode (|||port|)`.
#[must_use]
#[track_caller]
pub fn port_in(line: &str) -> u16 {
    let (_, rest) = line.split_once("(|||").expect("(|||port|)");
    rest.strip_suffix("|)")
        .expect("(|||port|)")
        .parse()
        .expect("a port")
}
