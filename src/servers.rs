//! Which addresses a client of forward mode may name as servers.
//!
//! Pure: addresses in, a verdict out. What is this machine's own is not known here.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cidr::Networks;

/// The servers that the clients of forward mode may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Servers {
    /// Public ones; private ones too for a client that has a private address itself, or is on this machine.
    #[default]
    Usual,
    /// `--forward-to`: those in these networks.
    Among(Networks),
}

impl Servers {
    /// Whether `client` may name `server`.
    #[must_use]
    pub fn allow(&self, server: IpAddr, client: IpAddr) -> bool {
        if meanings(server).any(is_no_server) {
            return false;
        }
        match self {
            Servers::Usual => is_inside(client) || !meanings(server).any(is_private),
            Servers::Among(networks) => networks.contain(server),
        }
    }
}

/// The address, and the IPv4 addresses that a translator on the way could take it for.
pub fn meanings(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let ip = ip.to_canonical();
    let within = match ip {
        IpAddr::V4(_) => [None; 2],
        IpAddr::V6(v6) => embedded(v6),
    };
    std::iter::once(ip).chain(within.into_iter().flatten().map(IpAddr::V4))
}

/// No server for clients has such an address: of this network or link, of a group, of nobody, of a cloud's own services.
#[must_use]
pub fn is_no_server(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            first == 0
                || first >= 224
                || v4.is_link_local()
                || v4.octets().starts_with(&[192, 0, 0])
                || METADATA_V4.contains(&v4)
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6 == METADATA_V6
        }
    }
}

/// Where clouds answer a virtual machine about itself, outside of 169.254.0.0/16 and 192.0.0.0/24: Alibaba's and Azure's.
const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same of Amazon's.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Networks that are not reached from elsewhere (RFC 1918, 6598, 2544, 4193, 3879).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private()
                || (first == 100 && (64..128).contains(&second))
                || (first == 198 && (18..20).contains(&second))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.segments()[0] & 0xffc0 == 0xfec0,
    }
}

/// A client that is inside already.
fn is_inside(client: IpAddr) -> bool {
    let link_local = match client {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    is_private(client) || client.is_loopback() || link_local
}

/// IPv4 addresses that an IPv6 address holds: IPv4-compatible and -translated (RFC 4291, 2765), NAT64 (RFC 6052, 8215), 6to4
/// (RFC 3056), ISATAP (RFC 5214), Teredo (RFC 4380). Of Teredo it is two, that of the client with its bits inverted.
fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let bytes = ip.octets();
    let at = |n: usize| Ipv4Addr::new(bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]);
    let one = |ip| [Some(ip), None];
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 2],
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => one(at(12)),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => one(at(12)),
        // Any prefix of NAT64 may be cut from this network. Shorter ones than /96 have the address around byte 8, which is 0.
        [0x64, 0xff9b, 1, ..] => {
            let around = Ipv4Addr::new(bytes[6], bytes[7], bytes[9], bytes[10]);
            [Some(at(12)), Some(around)]
        }
        [0x2002, ..] => one(at(2)),
        [0x2001, 0, ..] => [Some(at(4)), Some(Ipv4Addr::from(!u32::from(at(12))))],
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => one(at(12)),
        _ => [None; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(servers: &Servers, server: &str, client: &str) -> bool {
        servers.allow(server.parse().unwrap(), client.parse().unwrap())
    }

    const NEVER: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "fe80::1",
        "febf::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:c000:201::5601:5601",
        "2001:db8::5efe:a9fe:a9fe",
        "2001:db8::200:5efe:a9fe:a9fe",
        "64:ff9b::255.255.255.255",
    ];

    #[test]
    fn some_addresses_are_no_server_whatever_is_allowed() {
        let all = Servers::Among("0.0.0.0/0,::/0".parse().unwrap());
        for server in NEVER {
            for servers in [&Servers::Usual, &all] {
                for client in ["10.0.0.2", "198.51.100.2", "127.0.0.1"] {
                    assert!(!allowed(servers, server, client), "{server} {client}");
                }
            }
        }
    }

    #[test]
    fn private_servers_are_for_private_clients() {
        for server in [
            "10.0.0.1",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "fd00::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
        ] {
            for (client, allow) in [
                ("198.51.100.2", false),
                ("2001:db8::2", false),
                ("10.9.9.9", true),
                ("127.0.0.1", true),
                ("fd00::2", true),
                ("fe80::2", true),
                ("::1", true),
            ] {
                assert_eq!(
                    allowed(&Servers::Usual, server, client),
                    allow,
                    "{server} {client}"
                );
            }
        }
        for server in [
            "192.0.2.1",
            "2001:db8::1",
            "172.32.0.1",
            "100.128.0.1",
            "64:ff9b::192.0.2.1",
        ] {
            assert!(allowed(&Servers::Usual, server, "198.51.100.2"), "{server}");
        }
    }

    #[test]
    fn a_list_of_networks_is_all_that_is_allowed() {
        let list = Servers::Among("192.0.2.0/24,10.1.0.0/16,2001:db8::/32".parse().unwrap());
        for (server, allow) in [
            ("192.0.2.9", true),
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::9", true),
            ("192.0.3.9", false),
            ("10.2.0.1", false),
            ("2001:db9::9", false),
            ("64:ff9b::192.0.2.9", false),
        ] {
            for client in ["198.51.100.2", "10.0.0.2"] {
                assert_eq!(allowed(&list, server, client), allow, "{server} {client}");
            }
        }
    }
}
