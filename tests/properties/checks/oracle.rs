//! A second reading of the bytes, written for plainness and not taken from the program: slices, no state.

/// Longest line that is taken (ftp-proxy(8), CAVEATS).
pub const LONGEST: usize = 4096;

/// Longest command that the server gets (ftp-proxy(8), --max-command).
pub const LONGEST_COMMAND: usize = 512;

use super::quiet::as_dropped;

pub const IAC: u8 = 255;

/// A piece of what the client sent, Telnet taken out (RFC 854).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Byte(u8),
    Synch,
    Offer([u8; 3]),
}

/// Reads Telnet, which an argument holds none of.
pub fn units(mut bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut begun = false;
    loop {
        // The byte taken last, if it was one of a line, and one of its verb: a blank behind it ends the verb.
        let last = units.last().copied();
        match last {
            Some(Unit::Byte(b'\n')) => begun = false,
            Some(Unit::Byte(byte)) if !is_blank(byte) => begun = true,
            Some(Unit::Byte(_)) if begun => {
                let end = bytes.iter().position(|&b| b == b'\n');
                let (argument, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                units.extend(argument.iter().map(|&byte| Unit::Byte(byte)));
                bytes = rest;
                begun = false;
            }
            _ => {}
        }
        bytes = match bytes {
            [] | [IAC] | [IAC, 251..=254] => return units,
            [IAC, 250, rest @ ..] => match after_sub(rest) {
                Some(rest) => rest,
                None => return units,
            },
            [IAC, 244, 242, rest @ ..] | [IAC, 242 | 244, rest @ ..] => {
                units.push(Unit::Synch);
                rest
            }
            [IAC, 253, option, rest @ ..] => {
                units.push(Unit::Offer([IAC, 252, *option]));
                rest
            }
            [IAC, 251, option, rest @ ..] => {
                units.push(Unit::Offer([IAC, 254, *option]));
                rest
            }
            [IAC, 252 | 254, _, rest @ ..] | [IAC, 240..=249, rest @ ..] => rest,
            [IAC, byte, rest @ ..] => {
                units.extend([Unit::Byte(IAC), Unit::Byte(*byte)]);
                begun = true;
                rest
            }
            [byte, rest @ ..] => {
                units.push(Unit::Byte(*byte));
                rest
            }
        };
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What is behind a subnegotiation, if it ends.
fn after_sub(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = match bytes {
            [] | [IAC] => return None,
            [IAC, 240, rest @ ..] => return Some(rest),
            [IAC, _, rest @ ..] | [_, rest @ ..] => rest,
        };
    }
}

/// A line of the client's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// With its line feed.
    pub bytes: Vec<u8>,
    /// A Synch came before its end.
    pub synch: bool,
}

impl Line {
    pub fn too_long(&self) -> bool {
        self.bytes.len() > LONGEST
    }
}

/// The client's whole lines.
pub fn lines(client: &[u8]) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    for unit in units(client) {
        let Some(line) = lines.last_mut() else { break };
        match unit {
            Unit::Byte(byte) => line.bytes.push(byte),
            Unit::Synch => line.synch = true,
            Unit::Offer(_) => {}
        }
        if unit == Unit::Byte(b'\n') {
            lines.push(Line::default());
        }
    }
    lines.pop();
    lines
}

/// A line without its end.
pub fn body(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let end = line
        .iter()
        .rposition(|&b| b != b'\r')
        .map_or(0, |at| at + 1);
    &line[..end]
}

/// Each byte a character.
pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

/// The first word and the rest, as the most tolerant server would read them.
pub fn split(text: &str) -> (&str, &str) {
    let blank = |c: char| matches!(c, ' ' | '\t'..='\r');
    let text = text.trim_matches(blank);
    let (word, rest) = text.split_once(blank).unwrap_or((text, ""));
    (word, rest.trim_matches(blank))
}

/// Verb in capitals and argument.
pub fn words(line: &[u8]) -> (String, String) {
    let text = latin(line);
    let (verb, argument) = split(&text);
    (verb.to_ascii_uppercase(), argument.to_owned())
}

/// What a line of the server's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Part of no reply.
    Text,
    /// A reply to some clients and none to others.
    Ambiguous,
    Reply {
        code: u16,
        first: bool,
        last: bool,
    },
}

/// Follows replies (RFC 959 §4.2).
#[derive(Debug, Default)]
pub struct Finals {
    open: Option<u16>,
}

impl Finals {
    pub fn read(&mut self, line: &[u8]) -> Part {
        let body = &as_dropped(body(line))[..];
        let code = body.get(..3).filter(|c| {
            (b'1'..=b'6').contains(&c[0]) && c[1].is_ascii_digit() && c[2].is_ascii_digit()
        });
        let code = code.and_then(|c| std::str::from_utf8(c).ok()?.parse().ok());
        let mark = body.get(3).copied();
        let (code, first, last) = match (self.open, code) {
            (Some(open), code) => (open, false, mark == Some(b' ') && code == Some(open)),
            (None, None) => return Part::Text,
            (None, Some(_)) if mark.is_some_and(|m| m.is_ascii_digit()) => return Part::Ambiguous,
            (None, Some(code)) => (code, true, mark != Some(b'-')),
        };
        self.open = (!last).then_some(code);
        Part::Reply { code, first, last }
    }

    /// The code of the final reply that this line ends.
    pub fn ended_by(&mut self, line: &[u8]) -> Option<u16> {
        match self.read(line) {
            Part::Reply { code, last, .. } => (last && code >= 200).then_some(code),
            _ => None,
        }
    }
}

/// The line as a client may get it that has not asked for an address: no third host is in it.
pub fn without_addresses(line: &[u8]) -> Vec<u8> {
    let dots = |&b: &u8| if b == b',' { b'.' } else { b };
    line.iter().map(dots).collect()
}
