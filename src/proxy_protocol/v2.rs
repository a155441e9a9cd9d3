//! Version 2: a signature, four bytes, two addresses, and extensions that nobody here asks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, LONGEST, Malformed, Progress};
use crate::endpoint::mapped;

/// How it begins.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length of the rest.
const FIXED: usize = 16;

/// The highest four bits of the 13th byte.
const VERSION: u8 = 0x20;
const LOCAL: u8 = 0x0;
const PROXY: u8 = 0x1;

/// The 14th byte: TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// AF_UNIX, and SOCK_DGRAM: the highest family and protocol that there are.
const HIGHEST: (u8, u8) = (0x3, 0x2);

pub(super) fn read(bytes: &[u8]) -> Result<Progress, Malformed> {
    if bytes.len() < FIXED {
        return Ok(Progress::Wants(FIXED - bytes.len()));
    }
    let (version, command) = (bytes[12] & 0xf0, bytes[12] & 0x0f);
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if version != VERSION || !matches!(command, LOCAL | PROXY) {
        return Err(Malformed("its version or command is unknown"));
    }
    if FIXED + rest > LONGEST {
        return Err(Malformed("it is longer than 2048 bytes"));
    }
    match (FIXED + rest).checked_sub(bytes.len()) {
        Some(0) => {}
        Some(missing) => return Ok(Progress::Wants(missing)),
        None => return Err(Malformed("it is shorter than what was read")),
    }
    // Of a connection of the sender's own even the family is to be ignored (§2.2).
    if command == LOCAL {
        return Ok(Progress::Whole(Header::Local));
    }
    ends(bytes[13], &bytes[FIXED..]).map(Progress::Whole)
}

/// The two ends, with whatever may stand behind them.
fn ends(kind: u8, body: &[u8]) -> Result<Header, Malformed> {
    let cut = Malformed("it is shorter than its addresses");
    let (source, destination, ports) = match kind {
        TCP4 => {
            let (addresses, rest) = body.split_first_chunk::<8>().ok_or(cut)?;
            let [a, b, c, d, to @ ..] = *addresses;
            let (from, to) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::from(to));
            (IpAddr::V4(from), IpAddr::V4(to), rest)
        }
        TCP6 => {
            let (from, rest) = body.split_first_chunk::<16>().ok_or(cut)?;
            let (to, rest) = rest.split_first_chunk::<16>().ok_or(cut)?;
            (
                Ipv6Addr::from(*from).into(),
                Ipv6Addr::from(*to).into(),
                rest,
            )
        }
        // UDP, UNIX or unspecified: valid, and nothing that we could use (§2.2).
        other if other >> 4 <= HIGHEST.0 && other & 0x0f <= HIGHEST.1 => return Ok(Header::Local),
        _ => return Err(Malformed("its family or protocol is unknown")),
    };
    let [a, b, c, d] = *ports.first_chunk::<4>().ok_or(cut)?;
    Ok(Header::Proxied {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
    })
}

pub(super) fn header(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (kind, addresses) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (TCP4, [from.octets(), to.octets()].concat()),
        (from, to) => (TCP6, [mapped(from).octets(), mapped(to).octets()].concat()),
    };
    let ports = [
        source.port().to_be_bytes(),
        destination.port().to_be_bytes(),
    ]
    .concat();
    let length: u16 = if kind == TCP4 { 12 } else { 36 };
    [
        SIGNATURE,
        &[VERSION | PROXY, kind],
        &length.to_be_bytes(),
        &addresses,
        &ports,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, heard};
    use super::super::{Version, header};
    use super::*;

    fn raw(command: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, kind], &length, body].concat()
    }

    const ENDS: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0x10, 0x92, 0, 21];

    #[test]
    fn it_is_read_and_written_as_the_document_has_it() {
        let bytes = raw(0x21, 0x11, &ENDS);
        let (source, destination) = (at("192.0.2.1:4242"), at("198.51.100.7:21"));
        let expected = Header::Proxied {
            source,
            destination,
        };
        assert_eq!(heard(&bytes), Ok((expected, 0)));
        assert_eq!(header(Version::Two, source, destination), bytes);
        let (source, destination) = (at("[2001:db8::1]:4242"), at("[2001:db8::2]:21"));
        let mut body = [0; 36];
        body[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        body[16..20].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        (body[15], body[31]) = (1, 2);
        body[32..].copy_from_slice(&[0x10, 0x92, 0, 21]);
        let bytes = raw(0x21, 0x21, &body);
        let expected = Header::Proxied {
            source,
            destination,
        };
        assert_eq!(heard(&bytes), Ok((expected, 0)));
        assert_eq!(header(Version::Two, source, destination), bytes);
    }

    #[test]
    fn extensions_are_passed_over_up_to_the_bound_and_what_follows_is_not() {
        for more in [1, 3, 500, LONGEST - FIXED - 12] {
            let bytes = raw(0x21, 0x11, &[&ENDS[..], &vec![0xff; more]].concat());
            let whole = [&bytes[..], b"USER"].concat();
            let (said, left) = heard(&whole).unwrap();
            assert!(matches!(said, Header::Proxied { .. }) && left == 4);
        }
        for length in [LONGEST - FIXED + 1, 0xffff] {
            let bytes = raw(0x21, 0x11, &vec![0; length]);
            assert_eq!(heard(&bytes), Err("it is longer than 2048 bytes"));
            assert!(super::read(&bytes[..FIXED]).is_err(), "before it has come");
        }
    }

    #[test]
    fn a_health_check_and_what_is_not_tcp_have_no_ends() {
        let body = [7; 216];
        for (command, kind, body) in [
            (0x20, 0x00, &body[..0]),
            (0x20, 0x11, &ENDS[..]),
            (0x20, 0xff, &body[..5]), // "including the family which is ignored"
            (0x21, 0x00, &body[..0]),
            (0x21, 0x00, &body[..9]),
            (0x21, 0x01, &body[..0]),
            (0x21, 0x12, &ENDS[..]),
            (0x21, 0x22, &body[..36]),
            (0x21, 0x31, &body[..]),
            (0x21, 0x32, &body[..]),
        ] {
            let bytes = raw(command, kind, body);
            assert_eq!(
                heard(&bytes),
                Ok((Header::Local, 0)),
                "{command:x} {kind:x}"
            );
        }
    }

    #[test]
    fn what_is_unassigned_or_cut_short_is_malformed() {
        for (command, kind, body) in [
            (0x11, 0x11, &ENDS[..]),
            (0x31, 0x11, &ENDS[..]),
            (0x01, 0x11, &ENDS[..]),
            (0x22, 0x11, &ENDS[..]),
            (0x2f, 0x11, &ENDS[..]),
            (0x21, 0x41, &ENDS[..]),
            (0x21, 0x13, &ENDS[..]),
            (0x21, 0xff, &ENDS[..]),
            (0x21, 0x11, &ENDS[..11]),
            (0x21, 0x11, &ENDS[..0]),
            (0x21, 0x21, &ENDS[..]),
            (0x21, 0x21, &[1; 35]),
        ] {
            let said = heard(&raw(command, kind, body));
            assert!(
                !matches!(said, Ok(_) | Err("incomplete")),
                "{command:x} {kind:x}"
            );
        }
    }
}
