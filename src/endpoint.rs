//! Values that options and protocol share: a server as a person writes it, and a range of ports.
//!
//! Pure: text in, value out. Nothing here resolves a name.

#![forbid(unsafe_code)]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The port of the FTP control connection (RFC 959 §5.2, services(5)).
pub const FTP_PORT: u16 = 21;

/// A host as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A literal IPv4 or IPv6 address.
    Address(IpAddr),
    /// A link-local address and its zone: an interface's name or number (RFC 4007 §11).
    Zoned(Ipv6Addr, String),
    /// A name for the resolver: letters, digits, `-`, `_` and dots, at most 253 bytes.
    Name(String),
}

/// A server: host and port, written `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

/// Why a text is not a [`HostPort`]; its `Display` is the clause that follows the text in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHostPort {
    /// Not an address and not a name a resolver could know.
    Host,
    /// Not a number from 1 to 65535.
    Port,
    /// A URL, such as `ftp://ftp.example.org/`.
    Url,
    /// An IPv6 address without brackets whose end may be a port.
    Ambiguous(Ipv6Addr, u16),
    /// An IPv6 address without brackets before a port.
    Bare(Ipv6Addr, u16),
}

impl fmt::Display for BadHostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadHostPort::Host => f.write_str("is neither an address nor a host name"),
            BadHostPort::Port => f.write_str("has a port that is not 1-65535"),
            BadHostPort::Url => f.write_str("is a URL; write an address or a name"),
            BadHostPort::Ambiguous(host, port) => write!(
                f,
                "may have a port at its end; write [{host}]:{port} or [{host}:{port}]"
            ),
            BadHostPort::Bare(host, port) => write!(f, "write [{host}]:{port}"),
        }
    }
}

impl FromStr for Host {
    type Err = BadHostPort;

    /// # Errors
    /// [`BadHostPort::Host`]: say so to whoever wrote the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err(BadHostPort::Url);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Host::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Host::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Some((address, zone)) = text.split_once('%') {
            return zoned(address, zone).ok_or(BadHostPort::Host);
        }
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        // "10.0.0.300" or "12345" is a mistyped address, not a name: inet_aton's shorthand is not taken.
        let numeric = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if name.len() > 253 || name.starts_with('-') || numeric || !name.split('.').all(label) {
            return Err(BadHostPort::Host);
        }
        Ok(Host::Name(text.to_owned()))
    }
}

/// Longest zone: the name of an interface with its closing zero has 16 bytes (IFNAMSIZ).
const LONGEST_ZONE: usize = 15;

/// Only a link-local address needs a zone; with any other it is a slip.
fn zoned(address: &str, zone: &str) -> Option<Host> {
    let address: Ipv6Addr = address.parse().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let name = (1..=LONGEST_ZONE).contains(&zone.len()) && zone.bytes().all(plain);
    (address.is_unicast_link_local() && name).then(|| Host::Zoned(address, zone.to_owned()))
}

impl HostPort {
    /// The system has to be asked what it means: the resolver, or which interface has the name.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self.host, Host::Name(_) | Host::Zoned(..))
    }
}

impl FromStr for HostPort {
    type Err = BadHostPort;

    /// # Errors
    /// Which half is wrong: say so to whoever wrote the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err(BadHostPort::Url);
        }
        if let Some(bad) = unbracketed(text) {
            return Err(bad);
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(BadHostPort::Host)?;
            if !host.contains(':') {
                return Err(BadHostPort::Host); // brackets are for IPv6
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(BadHostPort::Host),
            }
        } else if text.parse::<Ipv6Addr>().is_ok() || text.contains('%') {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        Ok(HostPort {
            host: host.parse()?,
            port: port.map_or(Ok(FTP_PORT), |p| parse_port(p).ok_or(BadHostPort::Port))?,
        })
    }
}

/// `fd00::1:21` is one address, and is also how people write port 21 of `fd00::1`.
fn unbracketed(text: &str) -> Option<BadHostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let (host, port) = (host.parse().ok()?, parse_port(port)?);
    Some(match text.parse::<Ipv6Addr>() {
        Ok(_) => BadHostPort::Ambiguous(host, port),
        Err(_) => BadHostPort::Bare(host, port),
    })
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address @ IpAddr::V6(_)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(address) => write!(f, "{address}:{}", self.port),
            Host::Zoned(address, zone) => write!(f, "[{address}%{zone}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// A port from 1 to 65535 in plain decimal digits: no sign, no blanks.
#[must_use]
pub fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// The ports that data connections are bound to: both ends included, the lower never above the upper, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    min: u16,
    max: u16,
}

impl PortRange {
    /// IPPORT_HIFIRSTAUTO to IPPORT_HILASTAUTO: the ancestors' default (ftp-proxy(8), `-m` and `-M`).
    pub const DEFAULT: PortRange = PortRange {
        min: 49152,
        max: 65535,
    };

    /// The range from `min` to `max`, or `None` if it is empty or holds port 0.
    #[must_use]
    pub fn new(min: u16, max: u16) -> Option<Self> {
        (min != 0 && min <= max).then_some(PortRange { min, max })
    }

    /// The lowest of them.
    #[must_use]
    pub fn min(self) -> u16 {
        self.min
    }

    /// The highest.
    #[must_use]
    pub fn max(self) -> u16 {
        self.max
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.min..=self.max).contains(&port)
    }

    /// Every port once, in order, beginning at a place chosen by `random` and going round at the end.
    pub fn starting_at(self, random: u32) -> impl Iterator<Item = u16> {
        let count = u32::from(self.max - self.min) + 1;
        let first = random % count;
        (0..count).map(move |n| {
            let offset = u16::try_from((first + n) % count).unwrap_or(0); // below count, which is at most 65535
            self.min + offset
        })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// The address in sixteen bytes: one of IPv4 as IPv6 shows it (RFC 4291 §2.5.5.2).
#[must_use]
pub fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_may_have_a_zone() {
        for (text, shown) in [
            ("[fe80::1%eth0]:2121", "[fe80::1%eth0]:2121"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]:21"),
            ("fe80::1%eth0.12", "[fe80::1%eth0.12]:21"),
            ("[FE80:0::1%3]:21", "[fe80::1%3]:21"),
        ] {
            let server: HostPort = text.parse().unwrap();
            assert!(server.is_name(), "{text}");
            assert_eq!(server.to_string(), shown);
        }
    }

    #[test]
    fn an_ipv6_address_that_may_end_in_a_port_is_refused() {
        for text in ["fd00::1:21", "2001:db8::5:2121", "::1:21", "::1:2"] {
            let bad = text.parse::<HostPort>();
            assert!(matches!(bad, Err(BadHostPort::Ambiguous(..))), "{text}");
        }
        for text in ["::ffff:192.0.2.1:21", "2001:db8:1:2:3:4:5:6:21"] {
            let bad = text.parse::<HostPort>();
            assert!(matches!(bad, Err(BadHostPort::Bare(..))), "{text}");
        }
        for (text, shown) in [
            ("::21", "[::21]:21"),
            ("fd00::1", "[fd00::1]:21"),
            ("2001:db8::21", "[2001:db8::21]:21"),
            ("fd00::1:beef", "[fd00::1:beef]:21"),
            ("2001:db8:1:2:3:4:5:21", "[2001:db8:1:2:3:4:5:21]:21"),
            ("[fd00::1:21]", "[fd00::1:21]:21"),
            ("[fd00::1]:2121", "[fd00::1]:2121"),
        ] {
            let server: HostPort = text.parse().unwrap();
            assert_eq!(server.to_string(), shown);
        }
    }

    #[test]
    fn a_zone_that_means_nothing_is_refused() {
        for text in [
            "[fe80::1%]:21",
            "[2001:db8::1%eth0]:21",
            "[::1%lo]:21",
            "[192.0.2.1%eth0]:21",
            "192.0.2.1%eth0",
            "ftp.example.org%eth0",
            "[fe80::1%a b]:21",
            "[fe80::1%eth0%eth1]:21",
            "[fe80::1%sixteencharacter]:21",
            "[fe80::1%eth0/64]:21",
            "[ftp.example.org]:21",
            "[192.0.2.1]:21",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(BadHostPort::Host), "{text}");
        }
    }
}
