//! nftables: a grant as elements of the sets and maps of `table inet ftp_proxy` (nftables.conf.example).
//!
//! The table is loaded once; a grant is two or three elements that expire by themselves.

use std::net::{IpAddr, SocketAddr};

use super::{Grant, Kind, Source};

/// The table that the administrator loads; family inet.
pub const TABLE: &str = "ftp_proxy";

/// Every set and map that must be there.
pub const SETS: [&str; 8] = [
    "once4",
    "once6",
    "to4",
    "to6",
    "from4",
    "from6",
    "from4_port",
    "from6_port",
];

/// One element. Keys and data are concatenations as nf_tables wants them: network byte order, each part filled up to
/// four bytes (nft(8), CONCATENATIONS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The set or map that it is for.
    pub set: &'static str,
    /// The key.
    pub key: Vec<u8>,
    /// What a map has for this key; `None` for a set.
    pub data: Option<Vec<u8>>,
}

/// The elements of a grant. The first packet uses up the one in `once`, so that no second connection is let through.
#[must_use]
pub fn elements(grant: &Grant) -> Vec<Element> {
    let v4 = grant.at.is_ipv4();
    let pick = |four, six| if v4 { four } else { six };
    let mut elements = Vec::new();
    if grant.kind != Kind::Outward {
        let key = tuple(grant.from, grant.at);
        elements.push(Element {
            set: pick("once4", "once6"),
            key: key.clone(),
            data: None,
        });
        elements.push(Element {
            set: pick("to4", "to6"),
            key,
            data: Some([address(grant.to.ip()), port(grant.to.port())].concat()),
        });
    }
    if let Some(Source {
        address: ip,
        port: from,
    }) = grant.source
    {
        let (set, data) = match from {
            None => (pick("from4", "from6"), address(ip)),
            Some(from) => (
                pick("from4_port", "from6_port"),
                [address(ip), port(from)].concat(),
            ),
        };
        elements.push(Element {
            set,
            key: tuple(grant.from, grant.to),
            data: Some(data),
        });
    }
    elements
}

/// Source address, destination address, destination port.
fn tuple(from: IpAddr, to: SocketAddr) -> Vec<u8> {
    [address(from), address(to.ip()), port(to.port())].concat()
}

fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn port(port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    vec![high, low, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(kind: Kind, source: Option<Source>) -> Grant {
        Grant {
            kind,
            from: [10, 0, 0, 2].into(),
            at: ([192, 0, 2, 1], 50000).into(),
            to: ([192, 0, 2, 1], 40000).into(),
            source,
        }
    }

    fn source(port: Option<u16>) -> Option<Source> {
        Some(Source {
            address: [198, 51, 100, 9].into(),
            port,
        })
    }

    fn sets(grant: &Grant) -> Vec<&'static str> {
        elements(grant).iter().map(|e| e.set).collect()
    }

    #[test]
    fn a_connection_through_the_filter_has_a_destination_and_a_source() {
        let elements = elements(&grant(Kind::Through, source(None)));
        let dialled = [10, 0, 0, 2, 192, 0, 2, 1, 0xc3, 0x50, 0, 0];
        let brought = [10, 0, 0, 2, 192, 0, 2, 1, 0x9c, 0x40, 0, 0];
        assert_eq!(
            elements,
            [
                Element {
                    set: "once4",
                    key: dialled.into(),
                    data: None
                },
                Element {
                    set: "to4",
                    key: dialled.into(),
                    data: Some(vec![192, 0, 2, 1, 0x9c, 0x40, 0, 0])
                },
                Element {
                    set: "from4",
                    key: brought.into(),
                    data: Some(vec![198, 51, 100, 9])
                },
            ]
        );
    }

    #[test]
    fn a_fixed_source_port_has_a_map_of_its_own() {
        let elements = elements(&grant(Kind::Through, source(Some(20))));
        assert_eq!(elements[2].set, "from4_port");
        assert_eq!(elements[2].data, Some(vec![198, 51, 100, 9, 0, 20, 0, 0]));
    }

    #[test]
    fn a_connection_to_or_from_us_needs_only_the_half_that_changes() {
        assert_eq!(sets(&grant(Kind::Inward, None)), ["once4", "to4"]);
        assert_eq!(sets(&grant(Kind::Outward, source(None))), ["from4"]);
    }

    #[test]
    fn ipv6_has_sets_of_its_own_and_whole_addresses_in_the_keys() {
        let client: IpAddr = "2001:db8:1::2".parse().unwrap();
        let server = "[2001:db8:2::1]:50000".parse().unwrap();
        let elements = elements(&Grant {
            kind: Kind::Through,
            from: client,
            at: server,
            to: server,
            source: Some(Source {
                address: client,
                port: Some(20),
            }),
        });
        let sets: Vec<_> = elements.iter().map(|e| e.set).collect();
        assert_eq!(sets, ["once6", "to6", "from6_port"]);
        assert!(elements.iter().all(|e| e.key.len() == 36));
        assert!(sets.iter().all(|set| SETS.contains(set)));
    }
}
