//! Networks as a person writes them: whose address is one of these?
//!
//! Pure: text in, value out. Shared by every option that treats some peers differently.

#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A list of networks, written `192.0.2.0/24,2001:db8::/32,198.51.100.7`: CIDR blocks (RFC 4632 §3.1, RFC 4291 §2.3)
/// and single addresses, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// Why a text is no list of [`Networks`]; its `Display` is the clause that follows the text in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadNetworks {
    /// This part is no network: not an address, or more bits than an address has.
    Syntax(String),
    /// An address within a network, where the network's own was to stand: a slip, since it is unclear which is meant.
    HostBits(String, IpNet),
    /// IPv4 dressed up as IPv6: an address is compared in its own family, so this one would match nobody.
    Mapped(String),
}

impl fmt::Display for BadNetworks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadNetworks::Syntax(part) => {
                write!(
                    f,
                    "\"{part}\" is no network, write 192.0.2.0/24 or 2001:db8::/32"
                )
            }
            BadNetworks::HostBits(part, net) => {
                write!(
                    f,
                    "{part} is an address within a network, write {net} or leave /{} off",
                    net.prefix_len()
                )
            }
            BadNetworks::Mapped(part) => {
                write!(f, "{part} is IPv4 written as IPv6, write it as IPv4")
            }
        }
    }
}

impl Networks {
    /// Whether `ip` is in one of them. An IPv4 address that a socket for both families shows as IPv6 is an IPv4 address.
    #[must_use]
    pub fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|net| net.contains(&ip))
    }
}

/// Networks with fewer bits than this are a great part of the Internet: nobody has one.
const NARROW: u8 = 7;

impl Networks {
    /// Whether one of them holds more than can be anybody's own, such as `0.0.0.0/0`.
    #[must_use]
    pub fn are_wide(&self) -> bool {
        self.0.iter().any(|net| net.prefix_len() < NARROW)
    }
}

impl FromStr for Networks {
    type Err = BadNetworks;

    /// # Errors
    /// Which part is wrong: say so to whoever wrote the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(network)
            .collect::<Result<_, _>>()
            .map(Networks)
    }
}

/// The parts are read by the standard library, which takes no leading zeros and so nothing that inet_aton(3) reads
/// otherwise.
fn network(part: &str) -> Result<IpNet, BadNetworks> {
    let syntax = || BadNetworks::Syntax(part.to_owned());
    let (address, bits) = match part.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (part, None),
    };
    let address: IpAddr = address.parse().map_err(|_| syntax())?;
    let net = match bits {
        Some(bits) => {
            let digits = bits.bytes().all(|b| b.is_ascii_digit()); // no sign
            let bits = bits.parse().ok().filter(|_| digits).ok_or_else(syntax)?;
            IpNet::new(address, bits).map_err(|_| syntax())?
        }
        None => address.into(),
    };
    if matches!(net, IpNet::V6(v6) if v6.prefix_len() >= 96 && v6.addr().to_ipv4_mapped().is_some())
    {
        return Err(BadNetworks::Mapped(part.to_owned()));
    }
    if net != net.trunc() {
        return Err(BadNetworks::HostBits(part.to_owned(), net.trunc()));
    }
    Ok(net)
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, net) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            if net.prefix_len() == net.max_prefix_len() {
                write!(f, "{comma}{}", net.addr())?;
            } else {
                write!(f, "{comma}{net}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        text.parse().unwrap()
    }

    fn contain(text: &str, ip: &str) -> bool {
        networks(text).contain(ip.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_a_network_of_its_own_family_to_the_last_bit() {
        let list = "192.0.2.64/26,2001:db8:8000::/33,198.51.100.7,::1";
        for inside in [
            "192.0.2.64",
            "192.0.2.127",
            "2001:db8:8000::1",
            "198.51.100.7",
            "::1",
        ] {
            assert!(contain(list, inside), "{inside}");
        }
        for outside in [
            "192.0.2.63",
            "192.0.2.128",
            "2001:db8:7fff:ffff::1",
            "198.51.100.6",
            "127.0.0.1",
        ] {
            assert!(!contain(list, outside), "{outside}");
        }
        assert!(contain("0.0.0.0/0", "203.0.113.1") && !contain("0.0.0.0/0", "2001:db8::1"));
        assert!(contain("::/0", "2001:db8::1") && !contain("::/0", "203.0.113.1"));
    }

    #[test]
    fn an_ipv4_address_shown_as_ipv6_is_compared_as_ipv4() {
        assert!(contain("192.0.2.0/24", "::ffff:192.0.2.1"));
        assert!(!contain("::/0", "::ffff:192.0.2.1"));
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_to_write() {
        for (text, why) in [
            ("", "\"\" is no network"),
            ("192.0.2.0/24,", "\"\" is no network"),
            ("192.0.2.0/24, 10.0.0.0/8", "\" 10.0.0.0/8\" is no network"),
            ("192.0.2.0/33", "\"192.0.2.0/33\" is no network"),
            ("192.0.2.0/255.255.255.0", "is no network"),
            ("192.0.2/24", "is no network"),
            ("192.0.2.0/+24", "is no network"),
            ("192.0.2.0/", "is no network"),
            ("010.0.0.0/8", "is no network"),
            ("example.org", "is no network"),
            ("2001:db8::/129", "is no network"),
            ("fe80::1%eth0", "is no network"),
            (
                "192.0.2.1/24",
                "192.0.2.1/24 is an address within a network, write 192.0.2.0/24 or leave /24 off",
            ),
            ("::ffff:192.0.2.0/120", "write it as IPv4"),
            ("::ffff:192.0.2.1", "write it as IPv4"),
        ] {
            let bad = text.parse::<Networks>().unwrap_err().to_string();
            assert!(bad.contains(why), "{text}: {bad}");
        }
    }

    #[test]
    fn a_list_is_shown_as_it_may_be_written() {
        for text in ["192.0.2.0/24", "10.0.0.0/8,::1,2001:db8::/32,198.51.100.7"] {
            assert_eq!(networks(text).to_string(), text);
        }
    }
}
