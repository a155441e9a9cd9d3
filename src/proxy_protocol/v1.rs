//! Version 1: `PROXY TCP4 192.0.2.1 198.51.100.7 56324 21` and CR LF.

use std::net::{IpAddr, SocketAddr};

use super::{Header, Malformed, Progress};
use crate::endpoint::mapped;

/// How it begins.
pub(super) const PREFIX: &[u8] = b"PROXY ";

/// `PROXY UNKNOWN` and CR LF.
const SHORTEST: usize = 15;

/// Longest line with its CR LF, in bytes (§2.1).
const LONGEST: usize = 107;

pub(super) fn read(bytes: &[u8]) -> Result<Progress, Malformed> {
    if bytes.len() < SHORTEST {
        return Ok(Progress::Wants(SHORTEST - bytes.len()));
    }
    match bytes.windows(2).position(|pair| pair == b"\r\n") {
        Some(end) if end + 2 == bytes.len() => {
            let text = std::str::from_utf8(&bytes[PREFIX.len()..end]);
            parse(text.map_err(|_| NOT_TEXT)?).map(Progress::Whole)
        }
        Some(_) => Err(Malformed("its line is too short")),
        None if bytes.len() >= LONGEST => Err(Malformed("its line is longer than 107 bytes")),
        // The shortest that can still come is CR LF.
        None if bytes.last() == Some(&b'\r') => Ok(Progress::Wants(1)),
        None => Ok(Progress::Wants(2.min(LONGEST - bytes.len()))),
    }
}

const NOT_TEXT: Malformed = Malformed("its line is no text");

fn parse(text: &str) -> Result<Header, Malformed> {
    let fields: Vec<&str> = text.split(' ').collect();
    match fields.as_slice() {
        // "The receiver must ignore anything presented before the CRLF."
        ["UNKNOWN", ..] => Ok(Header::Local),
        [family @ ("TCP4" | "TCP6"), from, to, from_port, to_port] => {
            let end = |ip, number| Some(SocketAddr::new(address(family, ip)?, port(number)?));
            match (end(from, from_port), end(to, to_port)) {
                (Some(source), Some(destination)) => Ok(Header::Proxied {
                    source,
                    destination,
                }),
                _ => Err(Malformed("an address or a port is none")),
            }
        }
        _ => Err(Malformed(
            "it is not TCP4, TCP6 or UNKNOWN with two addresses and two ports",
        )),
    }
}

/// The standard library takes no leading zeroes and no scope. IPv4 inside IPv6 may have its dots: inet_ntop(3) of those
/// who send it writes them.
fn address(family: &str, text: &str) -> Option<IpAddr> {
    match family {
        "TCP4" => text.parse().ok().map(IpAddr::V4),
        _ => text.parse().ok().map(IpAddr::V6),
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()); // no sign
    let zeroes = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| digits && !zeroes)
}

pub(super) fn header(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = match (source.ip(), destination.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
        _ => "TCP6",
    };
    let shown = |at: SocketAddr| {
        let ip = at.ip();
        let plain = family == "TCP4" || ip.is_ipv6() && ip == ip.to_canonical();
        if plain {
            return ip.to_string();
        }
        // Hexadecimal throughout: the document has no dots in IPv6.
        let [.., high, low] = mapped(ip).segments();
        format!("::ffff:{high:x}:{low:x}")
    };
    let (from, to) = (shown(source), shown(destination));
    let (from_port, to_port) = (source.port(), destination.port());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, heard};
    use super::super::{Version, header};
    use super::*;

    fn line(text: &str) -> Result<(Header, usize), &'static str> {
        heard(format!("{text}\r\n").as_bytes())
    }

    fn proxied(source: &str, destination: &str) -> Result<(Header, usize), &'static str> {
        let (source, destination) = (at(source), at(destination));
        Ok((
            Header::Proxied {
                source,
                destination,
            },
            0,
        ))
    }

    #[test]
    fn the_lines_of_the_document_are_understood() {
        assert_eq!(
            line("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443"),
            proxied("192.168.0.1:56324", "192.168.0.11:443")
        );
        assert_eq!(
            line("PROXY TCP6 2001:DB8::1 ::1 0 65535"),
            proxied("[2001:db8::1]:0", "[::1]:65535")
        );
        let longest = ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0"; 2].join(" ");
        for unknown in [
            "PROXY UNKNOWN",
            "PROXY UNKNOWN \t?\r? \n",
            &format!("PROXY UNKNOWN {longest} 65535 65535"),
        ] {
            assert_eq!(line(unknown), Ok((Header::Local, 0)), "{unknown:?}");
        }
    }

    #[test]
    fn what_does_not_match_exactly_is_malformed() {
        for text in [
            "PROXY UNKNOWNTCP",
            "PROXY unknown",
            "PROXY TCP4 192.0.2.1",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 ",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3",
            "PROXY TCP4  192.0.2.1 192.0.2.2 1 2",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP4\t192.0.2.1 192.0.2.2 1 2",
            "PROXY tcp4 192.0.2.1 192.0.2.2 1 2",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP4 192.0.2.01 192.0.2.2 1 2",
            "PROXY TCP4 192.0.2.256 192.0.2.2 1 2",
            "PROXY TCP4 192.0.2.1 2001:db8::1 1 2",
            "PROXY TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP6 192.0.2.1 2001:db8::1 1 2",
            "PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2",
            "PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2",
            "PROXY TCP4 example.org 192.0.2.2 1 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 01 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 \u{0662}",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r",
        ] {
            assert!(!matches!(line(text), Ok(_) | Err("incomplete")), "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_or_too_short_is_malformed() {
        let unknown = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
        assert_eq!(heard(unknown(107).as_bytes()), Ok((Header::Local, 0)));
        for length in [108, 109, 5000] {
            let said = heard(unknown(length).as_bytes());
            assert_eq!(said, Err("its line is longer than 107 bytes"));
        }
        assert_eq!(
            heard(b"PROXY \r\nUSER anonymous\r\n"),
            Err("its line is too short")
        );
    }

    #[test]
    fn a_single_cr_or_lf_ends_no_line() {
        for text in [
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r",
        ] {
            assert_eq!(heard(text.as_bytes()), Err("incomplete"));
        }
    }

    #[test]
    fn it_is_written_as_the_document_has_it() {
        for (source, destination, line) in [
            (
                "192.0.2.1:4242",
                "198.51.100.7:21",
                "PROXY TCP4 192.0.2.1 198.51.100.7 4242 21\r\n",
            ),
            (
                "[2001:db8::1]:1",
                "[::1]:21",
                "PROXY TCP6 2001:db8::1 ::1 1 21\r\n",
            ),
            (
                "192.0.2.1:1",
                "[2001:db8::1]:21",
                "PROXY TCP6 ::ffff:c000:201 2001:db8::1 1 21\r\n",
            ),
            (
                "[::ffff:192.0.2.1]:1",
                "[::1]:21",
                "PROXY TCP6 ::ffff:c000:201 ::1 1 21\r\n",
            ),
        ] {
            let written = header(Version::One, at(source), at(destination));
            assert_eq!(written, line.as_bytes());
        }
    }
}
