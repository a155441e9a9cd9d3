//! Headers of the PROXY protocol as anybody sends them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ftp_proxy::proxy_protocol::{Header, LONGEST, Progress, Version, header, read};

/// The bytes as they come, and two ends made of them, written and read again.
pub fn check(bytes: &[u8]) {
    let said = hear(bytes, usize::MAX);
    assert_eq!(said, hear(bytes, 1), "by how it is cut");
    if let Heard::Whole(header, taken) = said {
        assert!((1..=LONGEST).contains(&taken));
        assert_eq!(taken, length(bytes), "where the header ends");
        // Not one of the client's bytes has a part in it.
        let mut other = bytes.to_vec();
        other[taken..].iter_mut().for_each(|b| *b ^= 0x55);
        assert_eq!(hear(&other, usize::MAX), said);
        assert_eq!(hear(&bytes[..taken], usize::MAX), said);
        assert_eq!(hear(&bytes[..taken - 1], usize::MAX), Heard::Part);
        if let Header::Proxied {
            source,
            destination,
        } = header
        {
            assert_eq!(source.ip(), source.ip().to_canonical());
            survives(source, destination);
        }
    }
    if let Some(ends) = bytes.first_chunk::<36>() {
        survives(end(ends, 0), end(ends, 18));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// What, and after how many bytes.
    Whole(Header, usize),
    Part,
    Refused,
}

/// Reads as a socket is read: as many bytes as are wanted, but at most so many at once.
fn hear(bytes: &[u8], most: usize) -> Heard {
    let mut taken = 0;
    loop {
        let wanted = match read(&bytes[..taken]) {
            Ok(Progress::Whole(header)) => return Heard::Whole(header, taken),
            Ok(Progress::Wants(wanted)) => wanted,
            Err(_) => return Heard::Refused,
        };
        assert!(wanted > 0);
        let more = wanted.min(most).min(bytes.len() - taken);
        if more == 0 {
            return Heard::Part;
        }
        taken += more;
        assert!(taken <= LONGEST);
    }
}

/// Where a header ends that is one.
fn length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"PROXY ") {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n");
        let length = end.expect("CR LF") + 2;
        assert!(length <= 107, "a line of {length} bytes");
        return length;
    }
    assert!(bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
    16 + usize::from(bytes[14]) * 256 + usize::from(bytes[15])
}

fn survives(source: SocketAddr, destination: SocketAddr) {
    let ip = source.ip().to_canonical();
    let nobody = ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
    let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let expected = Header::Proxied {
        source: canonical(source),
        destination: canonical(destination),
    };
    for version in [Version::One, Version::Two] {
        let bytes = header(version, source, destination);
        assert!(bytes.len() <= 107, "it has to fit everywhere");
        let expected = if nobody {
            Heard::Refused
        } else {
            Heard::Whole(expected, bytes.len())
        };
        assert_eq!(hear(&bytes, usize::MAX), expected);
    }
}

/// An address and a port of 18 bytes, in IPv4 as often as in IPv6.
fn end(bytes: &[u8; 36], from: usize) -> SocketAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[from..from + 16]);
    let port = u16::from_be_bytes([bytes[from + 16], bytes[from + 17]]);
    let ip: IpAddr = match octets {
        [a, b, c, d, last, ..] if last % 2 == 0 => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(octets).into(),
    };
    SocketAddr::new(ip, port)
}
