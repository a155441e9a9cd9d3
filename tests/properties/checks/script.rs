//! A whole session as text: what both sides and the edge do, one step a line, any bytes being some session.
//!
//! Lines of one side that stand together are said in one piece; a blank line parts them.
//!
//! The first line has the terms, a letter each: `A` `-A`, `n` `-n`, `e` EPSV is possible, `p` any port, `f` forward, `d` some
//! verbs are denied, `i` `o` foreign addresses of the client's are ignored or allowed, `r` `w` those of the server's are
//! refused or allowed, `6` an IPv6 client, `8` an IPv6 server. Then the first byte of a line says what happens:
//!
//! | | |
//! |---|---|
//! | `C` `n` `c` | the client says the rest of the line, and CRLF, LF or nothing |
//! | `S` `m` `s` | the server likewise |
//! | `R` | the server answers its oldest command, well or badly by the next byte |
//! | `b` `B` | the client, the server says 1000 times `x` |
//! | `.` `!` | the client, the server closes |
//! | `K` | the client's connection breaks |
//! | `D` | the data connection: `c`, `s` delivered, `u` unopened, `x` unreachable, `b` broken, `e` elsewhere |
//! | `T` | time passes |
//! | `X` | the edge stops the session |
//! | `P` | nobody can stand in for the next data connection |
//! | `Q` | the next server named is forbidden, with a `u` unreachable |

use std::net::IpAddr;

use ftp_proxy::ftp::{DataEnd, Side, Terms};
use ftp_proxy::permit::{ForeignAddresses, Permit, Verbs};

/// A session to be played.
#[derive(Debug)]
pub struct Script {
    pub terms: Terms,
    pub forward: bool,
    pub server: IpAddr,
    pub steps: Vec<Step>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Says(Side, Vec<u8>),
    Answers(u8),
    Closes(Side),
    Lost,
    Data(DataEnd),
    Time,
    Stop,
    NoPort,
    NoServer { forbidden: bool },
    Nothing,
}

pub const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
pub const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// What is denied: of each kind of verb one. What becomes of foreign addresses.
fn permit(has: impl Fn(u8) -> bool) -> Permit {
    let denied = if has(b'd') {
        "EPSV,PORT,RETR,MLSD,SITE,ABOR,FEAT".parse()
    } else {
        Ok(Verbs::default())
    };
    let mut foreign = ForeignAddresses::default();
    for (letter, word) in [
        (b'i', "active=ignore"),
        (b'o', "active=allow"),
        (b'r', "passive=refuse"),
        (b'w', "passive=allow"),
    ] {
        if has(letter) {
            foreign = foreign.with(word).unwrap_or_default();
        }
    }
    Permit {
        denied: denied.unwrap_or_default(),
        foreign,
        pasv_only: has(b'p'),
        low_ports: has(b'l'),
    }
}

fn v6(last: u16) -> IpAddr {
    IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last])
}

impl Script {
    pub fn read(bytes: &[u8]) -> Script {
        let mut lines = bytes.split(|&b| b == b'\n');
        let header = lines.next().unwrap_or_default();
        let has = |letter| header.contains(&letter);
        Script {
            terms: Terms {
                epsv: has(b'e'),
                anonymous_only: has(b'A'),
                nat_mode: has(b'n'),
                any_port: has(b'p'),
                permit: permit(has),
                ..Terms::of(if has(b'6') { v6(2) } else { CLIENT })
            },
            forward: has(b'f'),
            server: if has(b'8') { v6(1) } else { SERVER },
            steps: lines.map(Step::read).fold(Vec::new(), in_one_piece),
        }
    }

    /// All that the client will say.
    pub fn client_says(&self) -> Vec<u8> {
        let says = |step: &Step| match step {
            Step::Says(Side::Client, bytes) => bytes.clone(),
            _ => Vec::new(),
        };
        self.steps.iter().flat_map(says).collect()
    }

    /// The server says nothing but answers.
    pub fn is_honest(&self) -> bool {
        let lies = |step: &Step| matches!(step, Step::Says(Side::Server, _));
        !self.steps.iter().any(lies)
    }
}

/// What a side says in several steps comes in one piece, unless a blank line is between them.
fn in_one_piece(mut steps: Vec<Step>, step: Step) -> Vec<Step> {
    match (steps.last_mut(), step) {
        (Some(Step::Says(side, said)), Step::Says(same, more)) if *side == same => {
            said.extend(more);
        }
        (_, step) => steps.push(step),
    }
    steps
}

impl Step {
    fn read(line: &[u8]) -> Step {
        let Some((what, rest)) = line.split_first() else {
            return Step::Nothing;
        };
        let with = |end: &[u8]| [rest, end].concat();
        match what {
            b'C' => Step::Says(Side::Client, with(b"\r\n")),
            b'n' => Step::Says(Side::Client, with(b"\n")),
            b'c' => Step::Says(Side::Client, with(b"")),
            b'S' => Step::Says(Side::Server, with(b"\r\n")),
            b'm' => Step::Says(Side::Server, with(b"\n")),
            b's' => Step::Says(Side::Server, with(b"")),
            b'b' => Step::Says(Side::Client, vec![b'x'; 1000]),
            b'B' => Step::Says(Side::Server, vec![b'x'; 1000]),
            b'R' => Step::Answers(rest.first().copied().unwrap_or(b'0')),
            b'.' => Step::Closes(Side::Client),
            b'!' => Step::Closes(Side::Server),
            b'K' => Step::Lost,
            b'D' => Step::Data(match rest.first() {
                Some(b'c') => DataEnd::Delivered(Side::Client),
                Some(b's') => DataEnd::Delivered(Side::Server),
                Some(b'x') => DataEnd::ClientUnreachable,
                Some(b'b') => DataEnd::Broken,
                Some(b'e') => DataEnd::Elsewhere,
                _ => DataEnd::Unopened,
            }),
            b'T' => Step::Time,
            b'X' => Step::Stop,
            b'P' => Step::NoPort,
            b'Q' => Step::NoServer {
                forbidden: rest.first() != Some(&b'u'),
            },
            _ => Step::Nothing,
        }
    }
}
