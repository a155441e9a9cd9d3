//! Which client a connection is of, as far as sessions are counted.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::cidr::Networks;

/// How many sessions there may be.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// `--max-sessions`.
    pub sessions: usize,
    /// `--max-sessions-per-client`; 0 for any number.
    pub per_client: usize,
    /// Load balancers. Behind one address of theirs are many clients, which are not counted.
    pub balancers: Option<&'a Networks>,
}

impl Room<'_> {
    /// Whose session this is; `None`: it is not counted.
    pub(super) fn client(&self, from: IpAddr) -> Option<Client> {
        let many = self.balancers.is_some_and(|list| list.contain(from));
        (self.per_client > 0 && !many).then(|| Client::of(from))
    }

    /// Whether a client that has so many sessions may have another.
    pub(super) fn has_place(&self, sessions: usize) -> bool {
        sessions < self.per_client
    }
}

/// An IPv4 address, or an IPv6 network of 64 bits: one host has all addresses of such a network (RFC 4291 §2.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client([u8; 16]);

impl Client {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Client(ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => {
                let mut bytes = ip.octets();
                bytes[8..].fill(0);
                Client(bytes)
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What another process says is made a proper one.
    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Client::of(Ipv6Addr::from(bytes).into())
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match IpAddr::from(self.0).to_canonical() {
            IpAddr::V4(ip) => write!(f, "{ip}"),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Client {
        Client::of(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_a_network_of_64_bits() {
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::9"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(of("2001:db8:0:1::1").to_string(), "2001:db8:0:1::/64");
        for client in [of("192.0.2.1"), of("2001:db8::1")] {
            assert_eq!(Client::from_bytes(*client.bytes()), client);
        }
        let wild = Ipv6Addr::from(u128::MAX).octets();
        assert_eq!(
            Client::from_bytes(wild).to_string(),
            "ffff:ffff:ffff:ffff::/64"
        );
    }

    #[test]
    fn balancers_are_not_counted() {
        let list: Networks = "10.0.0.0/8".parse().unwrap();
        let room = Room {
            sessions: 100,
            per_client: 2,
            balancers: Some(&list),
        };
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(room.client(at("10.1.2.3")), None);
        assert_eq!(room.client(at("192.0.2.1")), Some(of("192.0.2.1")));
        assert!(room.has_place(1) && !room.has_place(2));
        let unlimited = Room {
            per_client: 0,
            ..room
        };
        assert_eq!(unlimited.client(at("192.0.2.1")), None);
    }
}
