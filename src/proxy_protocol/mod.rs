//! The PROXY protocol, versions 1 and 2: a header before the first byte of a connection in which a balancer says whom it
//! brings (HAProxy, doc/proxy-protocol.txt, "The PROXY protocol, Versions 1 & 2").
//!
//! Pure: bytes in, [`Header`] out, and the reverse. The reader says how many bytes it can take so that none of them is the
//! client's.

#![forbid(unsafe_code)]

mod v1;
mod v2;

use std::fmt;
use std::net::SocketAddr;

/// Longest header that is read, in bytes, both versions. The document promises that addresses and extensions fit in 536;
/// those of TLS can be longer.
pub const LONGEST: usize = 2048;

/// Which of the two forms is written. Both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text (§2.1).
    One,
    /// Binary (§2.2).
    Two,
}

/// What the sender says of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It is the sender's own, as a health check, or one whose ends it cannot tell: the socket's addresses hold.
    Local,
    /// It is somebody's. IPv4 dressed up as IPv6 has been taken out of it, so that the families of the two may differ.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// What the client has dialled.
        destination: SocketAddr,
    },
}

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// At least so many bytes are missing, never 0: so many can be read, and none of them is the client's.
    Wants(usize),
    /// It is here, to the last byte.
    Whole(Header),
}

/// Why bytes are no header and cannot become one: abort the connection (§2.1, §2.2). `Display` is a clause for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Reads what has come so far: the same bytes as before and more, but no more than were wanted.
///
/// # Errors
/// [`Malformed`], as soon as it is certain.
pub fn read(bytes: &[u8]) -> Result<Progress, Malformed> {
    // Nothing yet is taken for the shorter of the two.
    let progress = if begins(v1::PREFIX, bytes) {
        v1::read(bytes)?
    } else if begins(v2::SIGNATURE, bytes) {
        v2::read(bytes)?
    } else {
        return Err(Malformed("it does not begin as one"));
    };
    match progress {
        Progress::Whole(Header::Proxied {
            source,
            destination,
        }) => proxied(source, destination).map(Progress::Whole),
        other => Ok(other),
    }
}

/// One of the two is the beginning of the other.
fn begins(start: &[u8], bytes: &[u8]) -> bool {
    let common = start.len().min(bytes.len());
    start[..common] == bytes[..common]
}

fn proxied(source: SocketAddr, destination: SocketAddr) -> Result<Header, Malformed> {
    let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let (source, destination) = (canonical(source), canonical(destination));
    let ip = source.ip();
    if ip.is_unspecified() || ip.is_multicast() || ip == std::net::Ipv4Addr::BROADCAST {
        return Err(Malformed("its source is nobody's address"));
    }
    Ok(Header::Proxied {
        source,
        destination,
    })
}

/// The header for a connection of `source` to `destination`. Where one is IPv4 and the other IPv6, both are written as
/// IPv6, as HAProxy does: a header has one family.
#[must_use]
pub fn header(version: Version, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    match version {
        Version::One => v1::header(source, destination),
        Version::Two => v2::header(source, destination),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What comes of these bytes if no more are taken than wanted, and how many are left.
    pub(super) fn heard(bytes: &[u8]) -> Result<(Header, usize), &'static str> {
        let mut taken = 0;
        loop {
            match read(&bytes[..taken]).map_err(|bad| bad.0)? {
                Progress::Whole(header) => return Ok((header, bytes.len() - taken)),
                Progress::Wants(0) => panic!("wants nothing"),
                Progress::Wants(count) => taken = bytes.len().min(taken + count).max(taken + 1),
            }
            if taken > bytes.len() {
                return Err("incomplete");
            }
        }
    }

    #[test]
    fn no_byte_behind_a_header_is_taken_however_it_comes() {
        let headers = [
            b"PROXY UNKNOWN\r\n".to_vec(),
            header(Version::One, at("192.0.2.1:4242"), at("198.51.100.7:21")),
            header(
                Version::One,
                at("[2001:db8::1]:1"),
                at("[2001:db8::2]:65535"),
            ),
            header(Version::Two, at("192.0.2.1:4242"), at("198.51.100.7:21")),
            header(
                Version::Two,
                at("[2001:db8::1]:1"),
                at("[2001:db8::2]:65535"),
            ),
        ];
        for header in headers {
            let whole = [&header[..], b"USER a\r\n"].concat();
            let (first, left) = heard(&whole).unwrap();
            assert_eq!(left, 8, "{}", header.escape_ascii());
            for end in 0..header.len() {
                // Every beginning is still waited for, and for no more than is missing.
                let Ok(Progress::Wants(count)) = read(&header[..end]) else {
                    panic!("{} at {end}", header.escape_ascii());
                };
                assert!((1..=header.len() - end).contains(&count));
            }
            assert_eq!(read(&header), Ok(Progress::Whole(first)));
        }
    }

    #[test]
    fn what_a_client_says_is_no_header_from_its_first_byte_that_differs() {
        for (bytes, certain) in [
            (&b"USER anonymous\r\n"[..], 1),
            (b"PASS x\r\n", 2),
            (b"PROXYUSER a\r\n", 6),
            (b"GET / HTTP/1.1\r\n", 1),
            (b"\r\nUSER a\r\n", 3),
            (b"\x16\x03\x01\x02\x00", 1),
        ] {
            assert!(read(&bytes[..certain - 1]).is_ok());
            assert!(read(&bytes[..certain]).is_err());
        }
    }

    #[test]
    fn ipv4_dressed_up_as_ipv6_is_ipv4() {
        let header = header(
            Version::Two,
            at("[::ffff:192.0.2.1]:9"),
            at("[::ffff:192.0.2.2]:21"),
        );
        let expected = Header::Proxied {
            source: at("192.0.2.1:9"),
            destination: at("192.0.2.2:21"),
        };
        assert_eq!(heard(&header), Ok((expected, 0)));
        let line = b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 9 21\r\n";
        assert_eq!(heard(line), Ok((expected, 0)));
    }

    #[test]
    fn ends_of_two_families_are_written_as_ipv6_and_read_as_they_were() {
        for version in [Version::One, Version::Two] {
            let (source, destination) = (at("192.0.2.1:9"), at("[2001:db8::2]:21"));
            let bytes = header(version, source, destination);
            let expected = Header::Proxied {
                source,
                destination,
            };
            assert_eq!(heard(&bytes), Ok((expected, 0)));
        }
    }

    #[test]
    fn a_source_that_is_nobody_is_refused() {
        for source in [
            "0.0.0.0:1",
            "255.255.255.255:1",
            "224.0.0.1:1",
            "[::]:1",
            "[ff02::1]:1",
        ] {
            for version in [Version::One, Version::Two] {
                let bytes = header(version, at(source), at("192.0.2.2:21"));
                assert_eq!(heard(&bytes), Err("its source is nobody's address"));
            }
        }
    }
}
