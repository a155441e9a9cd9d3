//! What a client is told of a passive data connection, where that is not where the proxy listens: another address, other
//! ports, as somebody who translates in front of the proxy has them.
//!
//! Pure: nothing here resolves a name.

#![forbid(unsafe_code)]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::cidr::{BadNetworks, Networks};
use crate::endpoint::{BadHostPort, Host, PortRange, parse_port};

/// The least port that a client may be told: those below belong to services (RFC 2577 §3).
const LEAST_PORT: i32 = 1024;

/// An address that some clients are told, written `host` or `host,class`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masquerade {
    /// An IPv4 address, or a name that has one.
    pub told: Host,
    /// Who is told so.
    pub class: Class,
}

/// Clients, by their address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// All of them.
    Everybody,
    /// Those whose address nobody has on the Internet.
    Private,
    /// Those of these networks.
    Networks(Networks),
}

/// Why a text is no [`Masquerade`]; its `Display` is the clause that follows the text in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadMasquerade {
    /// What is told is neither an address nor a name.
    Host(BadHostPort),
    /// An address that no client can be told, or that nobody can dial.
    Address(IpAddr),
    /// A host with a port, which is told in another way.
    Port,
    /// The class is none.
    Class(BadNetworks),
}

impl fmt::Display for BadMasquerade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadMasquerade::Host(bad) => bad.fmt(f),
            BadMasquerade::Address(IpAddr::V6(_)) => f.write_str(
                "write an IPv4 address, or a name that has one: no reply to IPv6 clients holds an address",
            ),
            BadMasquerade::Address(_) => f.write_str("write an address that clients can dial"),
            BadMasquerade::Port => f.write_str(
                "write the host without a port; --advertise-port-offset says which ports clients are told",
            ),
            BadMasquerade::Class(bad) => write!(f, "write \"private\" or networks: {bad}"),
        }
    }
}

impl FromStr for Masquerade {
    type Err = BadMasquerade;

    /// # Errors
    /// Which part is wrong: say so to whoever wrote the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (told, class) = match text.split_once(',') {
            Some((told, class)) => (told, Some(class)),
            None => (text, None),
        };
        let told = told.parse().map_err(|bad| match told.rsplit_once(':') {
            // "[2001:db8::1]" and a URL have a colon and no port.
            Some((host, port)) if parse_port(port).is_some() && !host.is_empty() => {
                BadMasquerade::Port
            }
            _ => BadMasquerade::Host(bad),
        })?;
        if let Host::Address(ip) = told {
            let nobody = ip.is_ipv6() || ip.is_unspecified() || ip.is_multicast();
            if nobody || ip == IpAddr::from(Ipv4Addr::BROADCAST) {
                return Err(BadMasquerade::Address(ip));
            }
        }
        if let Host::Zoned(ip, _) = told {
            return Err(BadMasquerade::Address(ip.into()));
        }
        let class = match class {
            None => Class::Everybody,
            Some("private") => Class::Private,
            Some(networks) => Class::Networks(networks.parse().map_err(BadMasquerade::Class)?),
        };
        Ok(Masquerade { told, class })
    }
}

impl Masquerade {
    /// What this client is told: the first whose class it is in says so. `None`: nothing else than it has dialled.
    #[must_use]
    pub fn of(all: &[Masquerade], client: IpAddr) -> Option<&Host> {
        let first = all.iter().find(|masquerade| match &masquerade.class {
            Class::Everybody => true,
            Class::Private => is_private(client),
            Class::Networks(networks) => networks.contain(client),
        });
        first.map(|masquerade| &masquerade.told)
    }
}

/// Addresses of RFC 1918, RFC 6598 (a provider's own, shared by its customers) and RFC 4193, link-local ones and the
/// loopback: a client that shows one of these has not come by way of the Internet.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

/// How far the ports that are told lie above those that are bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortOffset(i32);

impl PortOffset {
    /// This offset, if each port of the range is then still one that a client may be told.
    #[must_use]
    pub fn new(offset: i32, ports: PortRange) -> Option<PortOffset> {
        let told = |port: u16| i32::from(port).saturating_add(offset);
        let whole = told(ports.min()) >= LEAST_PORT && told(ports.max()) <= i32::from(u16::MAX);
        (offset == 0 || whole).then_some(PortOffset(offset))
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    fn told(self, port: u16) -> u16 {
        let told = i32::from(port).saturating_add(self.0);
        u16::try_from(told).unwrap_or(port) // within the range for which `new` has seen to it
    }
}

/// The address that a client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// The one by which it already talks to us.
    #[default]
    AsDialled,
    /// This one, if it is of the client's family.
    Instead(IpAddr),
    /// This one: the client has dialled it at a balancer, from whom it comes to us in whatever family.
    Dialled(IpAddr),
    /// None: there should be another, and nobody knows it now. A wrong one would leave the client waiting.
    Unknown,
}

/// What a client is told in place of an address and a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// In place of the address.
    pub address: Told,
    /// In place of the port.
    pub offset: PortOffset,
}

impl Announced {
    /// What the client is told of a listener that it would otherwise know as `at`. An unspecified address: nothing that
    /// holds an address may be said.
    #[must_use]
    pub fn of(self, at: SocketAddr) -> SocketAddr {
        let ip = match (self.address, at.ip()) {
            (Told::Instead(told), ip) if told.is_ipv4() == ip.is_ipv4() => told,
            (Told::Dialled(told), _) => told,
            (Told::Unknown, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (_, ip) => ip,
        };
        SocketAddr::new(ip, self.offset.told(at.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(all: &[&str], client: &str) -> Option<String> {
        let all: Vec<Masquerade> = all.iter().map(|text| text.parse().unwrap()).collect();
        Masquerade::of(&all, client.parse().unwrap()).map(|told| match told {
            Host::Address(ip) => ip.to_string(),
            Host::Zoned(ip, _) => ip.to_string(),
            Host::Name(name) => name.clone(),
        })
    }

    #[test]
    fn the_first_class_that_a_client_is_in_says_what_it_is_told() {
        let all = [
            "10.1.2.3,10.0.0.0/8,2001:db8::/32",
            "192.0.2.9,192.0.2.0/24",
            "192.0.2.10,192.0.0.0/16",
            "ftp.example.org",
            "203.0.113.9",
        ];
        for (client, expected) in [
            ("10.77.0.1", "10.1.2.3"),
            ("::ffff:10.77.0.1", "10.1.2.3"),
            ("2001:db8::7", "10.1.2.3"),
            ("192.0.2.1", "192.0.2.9"),
            ("192.0.3.1", "192.0.2.10"),
            ("198.51.100.1", "ftp.example.org"),
            ("2001:db9::7", "ftp.example.org"),
        ] {
            assert_eq!(told(&all, client).as_deref(), Some(expected), "{client}");
        }
        assert_eq!(told(&all[..3], "198.51.100.1"), None);
        assert_eq!(told(&[], "198.51.100.1"), None);
    }

    #[test]
    fn private_is_what_nobody_has_on_the_internet() {
        for inside in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.255.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.1.1",
            "127.0.0.1",
            "::ffff:10.0.0.1",
            "fd00::1",
            "fc00::1",
            "fe80::1",
            "::1",
        ] {
            assert!(told(&["10.0.0.5,private"], inside).is_some(), "{inside}");
        }
        for outside in [
            "9.255.255.255",
            "11.0.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "203.0.113.1",
            "2001:db8::1",
            "2000::1",
            "fec0::1",
        ] {
            assert!(told(&["10.0.0.5,private"], outside).is_none(), "{outside}");
        }
    }

    #[test]
    fn what_nobody_can_be_told_is_refused() {
        for (text, why) in [
            ("", "neither an address nor a host name"),
            ("10.0.0.300", "neither an address nor a host name"),
            ("10.0.0.5:21", "--advertise-port-offset"),
            ("0.0.0.0", "clients can dial"),
            ("224.0.0.1", "clients can dial"),
            ("255.255.255.255", "clients can dial"),
            ("2001:db8::1", "write an IPv4 address"),
            ("10.0.0.5,", "write \"private\" or networks"),
            ("10.0.0.5,public", "write \"private\" or networks"),
            (
                "10.0.0.5,private,10.0.0.0/8",
                "write \"private\" or networks",
            ),
            ("10.0.0.5,10.0.0.1/8", "10.0.0.0/8"),
        ] {
            let bad = text.parse::<Masquerade>().unwrap_err().to_string();
            assert!(bad.contains(why), "{text}: {bad}");
        }
    }

    #[test]
    fn an_offset_keeps_every_port_a_port_or_is_none() {
        let range = |min, max| PortRange::new(min, max).unwrap();
        assert!(PortOffset::new(10_000, range(50_000, 50_100)).is_some());
        assert!(PortOffset::new(15_435, range(50_000, 50_100)).is_some());
        assert!(PortOffset::new(15_436, range(50_000, 50_100)).is_none());
        assert!(PortOffset::new(-48_976, range(50_000, 50_100)).is_some());
        assert!(PortOffset::new(-48_977, range(50_000, 50_100)).is_none());
        assert!(PortOffset::new(i32::MAX, range(1, 65_535)).is_none());
        assert!(PortOffset::new(i32::MIN, range(1, 65_535)).is_none());
        assert_eq!(PortOffset::new(0, range(1, 65_535)), Some(PortOffset(0)));
    }

    #[test]
    fn an_announcement_changes_what_is_told_and_nothing_else() {
        let at: SocketAddr = "10.0.0.5:50001".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::5]:50001".parse().unwrap();
        assert_eq!(Announced::default().of(at), at);
        let offset = PortOffset::new(-20_000, PortRange::new(50_000, 50_100).unwrap()).unwrap();
        let announced = |address| Announced { address, offset };
        let instead = announced(Told::Instead([203, 0, 113, 5].into()));
        assert_eq!(instead.of(at), "203.0.113.5:30001".parse().unwrap());
        assert_eq!(instead.of(v6), "[2001:db8::5]:30001".parse().unwrap());
        let dialled = announced(Told::Dialled([203, 0, 113, 5].into()));
        assert_eq!(dialled.of(v6), "203.0.113.5:30001".parse().unwrap());
        let unknown = announced(Told::Unknown);
        assert_eq!(unknown.of(at), "0.0.0.0:30001".parse().unwrap());
        assert_eq!(unknown.of(v6), "[2001:db8::5]:30001".parse().unwrap());
    }
}
