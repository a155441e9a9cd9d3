//! Addresses as FTP writes them: PORT and 227 (RFC 959 §4.1.2), EPRT and 229 (RFC 2428 §2, §3).
//!
//! Commands are read strictly, since a server could read a sloppy one otherwise than we do. Replies are read as
//! tolerantly as clients must (RFC 1123 §4.1.2.6): only a port is ever taken from them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;

use crate::endpoint::parse_port;

/// `h1,h2,h3,h4,p1,p2`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortArgument(pub SocketAddrV4);

impl PortArgument {
    /// Six numbers up to 255, three digits at most, nothing else but blanks around the whole.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut numbers = [0u8; 6];
        let mut fields = text.trim_ascii().split(|&b| b == b',');
        for number in &mut numbers {
            *number = octet(fields.next()?)?;
        }
        fields
            .next()
            .is_none()
            .then(|| PortArgument::from_numbers(numbers))
    }

    fn from_numbers([a, b, c, d, high, low]: [u8; 6]) -> Self {
        PortArgument(SocketAddrV4::new(
            Ipv4Addr::new(a, b, c, d),
            u16::from_be_bytes([high, low]),
        ))
    }
}

impl fmt::Display for PortArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([a, b, c, d], [high, low]) = (self.0.ip().octets(), self.0.port().to_be_bytes());
        write!(f, "{a},{b},{c},{d},{high},{low}")
    }
}

fn octet(text: &[u8]) -> Option<u8> {
    let plain = matches!(text.len(), 1..=3) && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}

/// `|1|10.0.0.1|2000|` or `|2|fd00::1|2000|`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EprtArgument(pub SocketAddr);

/// Why an EPRT argument was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEprt {
    /// Answer 501.
    Syntax,
    /// A protocol other than IPv4 and IPv6: answer 522 (RFC 2428 §2).
    Family,
}

impl EprtArgument {
    /// # Errors
    /// See [`BadEprt`]: answer it and go on.
    pub fn parse(text: &[u8]) -> Result<Self, BadEprt> {
        let text = std::str::from_utf8(text.trim_ascii()).map_err(|_| BadEprt::Syntax)?;
        let delimiter = text
            .chars()
            .next()
            .filter(|d| matches!(d, '!'..='~'))
            .ok_or(BadEprt::Syntax)?;
        let fields: Vec<&str> = text.split(delimiter).collect();
        let &["", protocol, address, port, ""] = fields.as_slice() else {
            return Err(BadEprt::Syntax);
        };
        let address: IpAddr = match protocol {
            "1" => address
                .parse::<Ipv4Addr>()
                .map_err(|_| BadEprt::Syntax)?
                .into(),
            "2" => address
                .parse::<Ipv6Addr>()
                .map_err(|_| BadEprt::Syntax)?
                .into(),
            other if !other.is_empty() && other.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(BadEprt::Family);
            }
            _ => return Err(BadEprt::Syntax),
        };
        // An IPv4 address dressed as IPv6 is one address with two names: let nobody compare them differently.
        if address != address.to_canonical() {
            return Err(BadEprt::Syntax);
        }
        Ok(EprtArgument(SocketAddr::new(
            address,
            parse_port(port).ok_or(BadEprt::Syntax)?,
        )))
    }
}

impl fmt::Display for EprtArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.0.is_ipv4() { 1 } else { 2 };
        write!(f, "|{protocol}|{}|{}|", self.0.ip(), self.0.port())
    }
}

/// The address in the text of a 227: the first six numbers with commas between, wherever they stand
/// (RFC 1123 §4.1.2.6: parentheses are not to be relied on).
pub(super) fn find_in_227(text: &[u8]) -> Option<PortArgument> {
    numbers_of_227(text).map(|(address, _)| address)
}

/// The same, and the place of the numbers.
fn numbers_of_227(text: &[u8]) -> Option<(PortArgument, Range<usize>)> {
    let starts = (0..text.len()).filter(|&at| {
        text[at].is_ascii_digit()
            && (at == 0 || !(text[at - 1].is_ascii_digit() || text[at - 1] == b','))
    });
    starts.into_iter().find_map(|at| {
        let rest = &text[at..];
        let end = rest
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b',' | b' '))
            .unwrap_or(rest.len());
        let mut numbers = [0u8; 6];
        let mut fields = rest[..end].split(|&b| b == b',');
        let mut length = 5; // commas
        for (n, number) in numbers.iter_mut().enumerate() {
            let whole = fields.next()?;
            let field = whole.trim_ascii_start();
            // After the sixth number words may follow, but no seventh number.
            let field = if n == 5 {
                let last = field.split(|&b| b == b' ').next()?;
                length += whole.len() - field.len() + last.len();
                last
            } else {
                length += whole.len();
                field.trim_ascii_end()
            };
            *number = octet(field)?;
        }
        fields
            .next()
            .is_none()
            .then(|| (PortArgument::from_numbers(numbers), at..at + length))
    })
}

/// A 227 in the server's words with another address. `None`: some client could find another address in them.
pub(super) fn put_in_227(line: &[u8], address: PortArgument) -> Option<Vec<u8>> {
    let (code, text) = line.split_at_checked(3)?;
    let (_, at) = numbers_of_227(text)?;
    let (before, after) = (&text[..at.start], &text[at.end..]);
    let plain = is_plain(before) && is_plain(trimmed(after));
    plain.then(|| {
        [
            code,
            before,
            address.to_string().as_bytes(),
            trimmed(after),
            line_end(after),
        ]
        .concat()
    })
}

/// A 229 in the server's words with another port, in the form of RFC 2428 §3. `None`: it has another form, or some client could
/// find another port in it, or an address.
pub(super) fn put_in_229(line: &[u8], port: u16) -> Option<Vec<u8>> {
    let (code, text) = line.split_at_checked(3)?;
    let open = text.iter().position(|&b| b == b'(')? + 1;
    let delimiters = text.get(open..open + 3)?;
    let digits = &text[open + 3..];
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    let (before, after) = (&text[..open - 1], trimmed(&digits[end..]));
    let same = delimiters == b"|||" && after.starts_with(b"|");
    let around = |part: &[u8]| is_plain(part) && !part.contains(&b'(') && !part.contains(&b'|');
    let plain = around(before) && after.get(1) == Some(&b')') && around(&after[2..]);
    (same && plain).then(|| {
        let port = port.to_string();
        [
            code,
            &text[..open + 3],
            port.as_bytes(),
            after,
            line_end(digits),
        ]
        .concat()
    })
}

/// The line end of the server; a line that was cut has none, and gets one.
fn line_end(text: &[u8]) -> &[u8] {
    match text.len() - trimmed(text).len() {
        0 => b"\r\n",
        length => &text[text.len() - length..],
    }
}

/// Without its line end.
fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// Words alone: no number, no comma, and nothing that is no printable ASCII, which a client may read as Telnet.
fn is_plain(text: &[u8]) -> bool {
    let plain = |b: &u8| matches!(b, b' '..=b'~') && !b.is_ascii_digit() && *b != b',';
    text.iter().all(plain)
}

/// Takes the meaning from every row of numbers with `least` commas or more that is not an address of `own`: its commas become
/// dots. `true` if there was one. Numbers are what the most tolerant client takes for such, with blanks and signs.
pub(super) fn dots_for_commas(line: &mut [u8], least: usize, own: Option<Ipv4Addr>) -> bool {
    let is_part = |b: &u8| b.is_ascii_digit() || b.is_ascii_whitespace() || b",+-".contains(b);
    let mut found = false;
    for row in line.split_mut(|b| !is_part(b)) {
        let commas = row.iter().filter(|&&b| b == b',').count();
        let own_address = || find_in_227(row).is_some_and(|a| own == Some(*a.0.ip()));
        let numbers = row.iter().any(u8::is_ascii_digit);
        if !numbers || commas < least || commas == 5 && own_address() {
            continue;
        }
        found = true;
        let commas = row.iter_mut().filter(|b| **b == b',');
        commas.for_each(|comma| *comma = b'.');
    }
    found
}

/// The port in the text of a 229: `(|||port|)`, with any delimiter, with or without parentheses, and with the first
/// two fields filled in by servers that do so.
pub(super) fn find_in_229(text: &[u8]) -> Option<u16> {
    let fields = |at: usize| {
        let delimiter = *text
            .get(at)
            .filter(|d| matches!(d, b'!'..=b'~') && !d.is_ascii_alphanumeric())?;
        let mut fields = text[at + 1..].split(|&b| b == delimiter);
        let (_protocol, _address) = (fields.next()?, fields.next()?);
        // The closing delimiter may be missing; then the digits end where something else begins.
        let port = fields.next()?;
        let digits = port
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(port.len());
        parse_port(std::str::from_utf8(&port[..digits]).ok()?)
    };
    let triple = || {
        text.windows(3).position(|w| {
            w[0] == w[1] && w[1] == w[2] && !w[0].is_ascii_whitespace() && w[0] != b'.'
        })
    };
    let parenthesis = text.iter().position(|&b| b == b'(');
    parenthesis
        .and_then(|at| fields(at + 1))
        .or_else(|| triple().and_then(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_argument_is_six_small_numbers_and_nothing_else() {
        let good = PortArgument(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 5), 2000));
        assert_eq!(PortArgument::parse(b"10,0,0,5,7,208"), Some(good));
        assert_eq!(PortArgument::parse(b" 10,0,0,5,7,208 "), Some(good));
        assert_eq!(good.to_string(), "10,0,0,5,7,208");
        let bad: [&[u8]; 11] = [
            b"",
            b"1,2,3,4,5",
            b"1,2,3,4,5,6,7",
            b"256,2,3,4,5,6",
            b"-1,2,3,4,5,6",
            b"+1,2,3,4,5,6",
            b"1, 2,3,4,5,6",
            b"1,2,3,4,5,",
            b"1,2,3,4,5,6x",
            b"0001,2,3,4,5,6",
            b"1.2.3.4,5,6",
        ];
        for text in bad {
            assert_eq!(
                PortArgument::parse(text),
                None,
                "{}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn an_eprt_argument_takes_any_delimiter_and_both_families() {
        let v4 = EprtArgument("10.0.0.9:2000".parse().unwrap());
        let v6 = EprtArgument("[fd00::9]:2000".parse().unwrap());
        assert_eq!(EprtArgument::parse(b"|1|10.0.0.9|2000|"), Ok(v4));
        assert_eq!(EprtArgument::parse(b"!1!10.0.0.9!2000!"), Ok(v4));
        assert_eq!(EprtArgument::parse(b"|2|fd00::9|2000|"), Ok(v6));
        assert_eq!(
            (v4.to_string(), v6.to_string()),
            ("|1|10.0.0.9|2000|".into(), "|2|fd00::9|2000|".into())
        );
    }

    #[test]
    fn a_bad_eprt_argument_is_told_from_an_unknown_family() {
        assert_eq!(
            EprtArgument::parse(b"|3|10.0.0.9|2000|"),
            Err(BadEprt::Family)
        );
        let bad: [&[u8]; 10] = [
            b"",
            b"|",
            b"|1|10.0.0.9|2000",
            b"|1|fd00::9|2000|",
            b"|2|10.0.0.9|2000|",
            b"|2|::ffff:10.0.0.9|2000|",
            b"|2|fe80::1%eth0|2000|",
            b"|1|10.0.0.9|ftp|",
            b"|1|10.0.0.9|0|",
            b"|1|10.0.0.9|65536|",
        ];
        for text in bad {
            assert_eq!(
                EprtArgument::parse(text),
                Err(BadEprt::Syntax),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn a_227_is_understood_in_all_the_forms_that_servers_send() {
        let good: [&[u8]; 8] = [
            b" Entering Passive Mode (1,2,3,4,5,6).",
            b" Entering Passive Mode (1,2,3,4,5,6)",
            b" =1,2,3,4,5,6",
            b" Entering Passive Mode 1,2,3,4,5,6",
            b" Entering Passive Mode. 1,2,3,4,5,6",
            b" Ok (1,2,3,4,5,6). 7 files",
            b" Passive ( 1, 2, 3, 4, 5, 6 )",
            b" Mode 9 on [1,2,3,4,5,6] ok",
        ];
        for text in good {
            assert_eq!(
                find_in_227(text).map(|a| a.to_string()).as_deref(),
                Some("1,2,3,4,5,6"),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        let bad: [&[u8]; 5] = [
            b" Logout.",
            b" (1,2,3,4,5)",
            b" (1,2,3,4,5,6,7)",
            b" (1,2,3,4,5,256)",
            b" (1.2.3.4:5)",
        ];
        for text in bad {
            assert_eq!(find_in_227(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn the_servers_words_stay_around_another_address() {
        let at = PortArgument(SocketAddrV4::new(Ipv4Addr::new(9, 8, 7, 6), 1286));
        for (line, expected) in [
            (
                "227 Passive (1,2,3,4,5,6).\r\n",
                "227 Passive (9,8,7,6,5,6).\r\n",
            ),
            ("227 =1,2,3,4,5,6\n", "227 =9,8,7,6,5,6\n"),
            (
                "227 On ( 1, 2, 3, 4, 5, 6 )\r\n",
                "227 On ( 9,8,7,6,5,6 )\r\n",
            ),
            ("227 1,2,3,4,5,6", "227 9,8,7,6,5,6\r\n"),
        ] {
            let put = put_in_227(line.as_bytes(), at).unwrap();
            assert_eq!(String::from_utf8_lossy(&put), expected);
        }
        for line in [
            "227 Mode 9 (1,2,3,4,5,6)",
            "227 (1,2,3,4,5,6) (1,2,3,4,5,6)",
            "227 (1,2,3,4,5,6). 7 files",
            "227 , (1,2,3,4,5,6)",
            "227 \u{ff}(1,2,3,4,5,6)",
            "227 (1,2,3,4,5,6)\rx",
            "227",
        ] {
            assert_eq!(put_in_227(line.as_bytes(), at), None, "{line}");
        }
    }

    #[test]
    fn the_servers_words_stay_around_another_port() {
        for (line, expected) in [
            (
                "229 Entering (|||60000|)\r\n",
                "229 Entering (|||2000|)\r\n",
            ),
            ("229 ok (|||1|). Go\n", "229 ok (|||2000|). Go\n"),
        ] {
            let put = put_in_229(line.as_bytes(), 2000).unwrap();
            assert_eq!(String::from_utf8_lossy(&put), expected);
        }
        for line in [
            "229 ok (|1|10.0.0.1|60000|)",
            "229 ok |||60000|",
            "229 ok (!!!60000!)",
            "229 ok (|||60000)",
            "229 ok (||!60000|)",
            "229 5 (|||60000|)",
            "229 ok (|||60000|) (|||60001|)",
            "229 ok (|||60000|) |||6|",
            "229 ok (   60000 )",
            "229",
        ] {
            assert_eq!(put_in_229(line.as_bytes(), 2000), None, "{line}");
        }
    }

    #[test]
    fn a_229_is_understood_in_all_the_forms_that_servers_send() {
        let good: [&[u8]; 6] = [
            b" Entering Extended Passive Mode (|||60000|)",
            b" ok (!!!60000!)",
            b" ok |||60000|",
            b" (|1|10.0.0.1|60000|)",
            b" Entering... (|||60000|). now",
            b" ok (|||60000)",
        ];
        for text in good {
            assert_eq!(
                find_in_229(text),
                Some(60000),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        for text in [
            b" ok".as_slice(),
            b" (|||0|)",
            b" (|||65536|)",
            b" (||60000|)",
            b" (1,2,3,4,5,6)",
        ] {
            assert_eq!(find_in_229(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
