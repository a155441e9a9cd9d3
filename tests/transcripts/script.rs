//! How a transcript is written; see README beside the transcripts.

use std::net::{IpAddr, SocketAddr};

use ftp_proxy::ftp::Side;
use ftp_proxy::options::{Invocation, Options, parse};

use crate::common::address::{CLIENT, Ends, SERVER};

/// A transcript, its steps not yet read: they may name the server's port, which only a driver knows.
#[derive(Clone)]
pub struct Script {
    pub options: Vec<String>,
    pub ends: Ends,
    /// The client that answers a 229 reaches us.
    pub epsv: bool,
    /// Needs a set-up that loopback cannot give.
    pub only_session: bool,
    lines: Vec<(usize, String)>,
}

/// One step, and the line of the file where it stands.
pub struct Step {
    pub line: usize,
    pub what: What,
}

/// What happens, or must happen.
pub enum What {
    Says(Side, Vec<u8>),
    HearsLine(Side, Pattern),
    HearsBytes(Side, Vec<u8>),
    HearsNothing(Side),
    Closes(Side),
    HearsEnd(Side),
    /// The session asks the edge for something.
    Asks(String),
    /// The edge tells the session something.
    Tells(String),
}

impl Script {
    pub fn read(text: &str) -> Script {
        let mut script = Script {
            options: Vec::new(),
            ends: Ends::between(CLIENT, SERVER),
            epsv: true,
            only_session: false,
            lines: Vec::new(),
        };
        let (mut client, mut server) = (CLIENT, SERVER);
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let address = |value: &str| value.parse::<IpAddr>().expect("an address");
            match line.split_once(": ").filter(|_| script.lines.is_empty()) {
                Some(("options", value)) => {
                    script.options = value.split(' ').map(str::to_owned).collect();
                }
                Some(("client", value)) => client = address(value),
                Some(("server", value)) => server = address(value),
                Some(("epsv", "unreachable")) => script.epsv = false,
                Some(("only", "session")) => script.only_session = true,
                _ => script.lines.push((number, line.to_owned())),
            }
        }
        script.ends = Ends::between(client, server);
        script.only_session |= !script.epsv;
        script
    }

    /// The options as the program reads them.
    pub fn understood(&self) -> Options {
        let mut words = self.options.clone();
        if !self.has("--forward") {
            words.extend(["-R".to_owned(), self.ends.server.to_string()]);
        }
        match parse(words.into_iter().map(Into::into)) {
            Ok(Invocation::Run(options)) => *options,
            other => panic!("{:?}: {other:?}", self.options),
        }
    }

    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option)
    }

    /// The number behind an option.
    pub fn number(&self, option: &str) -> Option<usize> {
        let at = self.options.iter().position(|o| o == option)?;
        Some(self.options[at + 1].parse().expect("a number"))
    }

    /// The steps, told where the server listens.
    pub fn steps(&self, server: SocketAddr) -> Vec<Step> {
        let step = |(line, text): &(usize, String)| Step {
            line: *line,
            what: What::read(text, server).unwrap_or_else(|| panic!("line {line}: no step")),
        };
        self.lines.iter().map(step).collect()
    }
}

impl What {
    fn read(text: &str, server: SocketAddr) -> Option<What> {
        let text = text
            .replace("{server}", &server.ip().to_string())
            .replace("{port}", &server.port().to_string());
        let (mark, rest) = text.split_once(' ').unwrap_or((&text, ""));
        if let "P>" | "D>" | "--" = mark {
            return Some(match (mark, rest) {
                ("P>", _) => What::Asks(rest.to_owned()),
                ("D>", _) => What::Tells(rest.to_owned()),
                (_, "nothing for client") => What::HearsNothing(Side::Client),
                (_, "nothing for server") => What::HearsNothing(Side::Server),
                _ => return None,
            });
        }
        let side = match mark.chars().next()? {
            'C' => Side::Client,
            'S' => Side::Server,
            _ => return None,
        };
        let line = || [unescaped(rest), b"\r\n".to_vec()].concat();
        Some(match &mark[1..] {
            ">" => What::Says(side, line()),
            ">>" => What::Says(side, unescaped(rest)),
            "<" => What::HearsLine(side, Pattern(line())),
            "<<" => What::HearsBytes(side, unescaped(rest)),
            "<EOF" => What::HearsEnd(side),
            "." => What::Closes(side),
            _ => return None,
        })
    }
}

/// Reads `\r \n \t \0 \\ \xff`, and `{300*9}` for three hundred nines.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (value, taken) = match (c, repeated(rest)) {
            (_, Some((value, taken))) => (value, taken),
            ('\\', None) => escape(rest),
            _ => (c.to_string().into_bytes(), c.len_utf8()),
        };
        bytes.extend(value);
        rest = &rest[taken..];
    }
    bytes
}

fn escape(text: &str) -> (Vec<u8>, usize) {
    let byte = match text.as_bytes()[1] {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b'\\' => b'\\',
        b'x' => {
            let byte = u8::from_str_radix(&text[2..4], 16).expect("two hexadecimal digits");
            return (vec![byte], 4);
        }
        other => panic!("\\{} is no escape", char::from(other)),
    };
    (vec![byte], 2)
}

fn repeated(text: &str) -> Option<(Vec<u8>, usize)> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let (count, what) = inside.split_once('*')?;
    let value = unescaped(what).repeat(count.parse().ok()?);
    Some((value, inside.len() + 2))
}

/// A line with `{text}` for anything, `{p}` for a port and `{pp}` for one as PORT writes it.
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// Whether the line is such; then the ports that stood in it.
    pub fn matches(&self, line: &[u8]) -> Option<Vec<u16>> {
        matches(&self.0, line)
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

fn matches(pattern: &[u8], line: &[u8]) -> Option<Vec<u16>> {
    // As far as both are the same there is nothing to try; a line may be long.
    let same = |at: &usize| pattern.get(*at) == line.get(*at) && pattern.get(*at) != Some(&b'{');
    let end = pattern.len().max(line.len());
    let at = (0..end).find(|at| !same(at)).unwrap_or(end);
    let (pattern, line) = (pattern.get(at..)?, line.get(at..)?);
    if pattern.is_empty() && line.is_empty() {
        Some(Vec::new())
    } else if let Some(rest) = pattern.strip_prefix(b"{text}") {
        (0..=line.len()).find_map(|at| matches(rest, &line[at..]))
    } else if let Some(rest) = pattern.strip_prefix(b"{pp}") {
        let (high, line) = number(line)?;
        let (low, line) = number(line.strip_prefix(b",")?)?;
        let port = u16::from_be_bytes([u8::try_from(high).ok()?, u8::try_from(low).ok()?]);
        Some([vec![port], matches(rest, line)?].concat())
    } else if let Some(rest) = pattern.strip_prefix(b"{p}") {
        let (port, line) = number(line)?;
        Some([vec![port], matches(rest, line)?].concat())
    } else {
        None
    }
}

fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let value = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((value, &text[end..]))
}
