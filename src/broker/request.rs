//! What a session may ask of its broker, and what it is told, as bytes of a fixed length.
//!
//! A request names neither the client, nor the address that it dialled, nor ours toward it: the broker knows all three,
//! and puts them in itself.

use std::net::{IpAddr, Ipv6Addr};

use super::rights::Objection;
use crate::endpoint::mapped;

/// Bytes of a request.
pub(super) const LENGTH: usize = 37;

/// Bytes of an answer.
pub(super) const ANSWER: usize = 5;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Let a data connection through, in place of any before.
    Grant(Wanted),
    /// Let nothing through any more.
    Revoke,
    /// Begin to connect to this port of the client's from port 20.
    Dial { port: u16 },
}

/// A data connection that the packet filter is to let through. Ports are those of the data connection's two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Who carries it and who dials.
    pub way: Way,
    /// The port that whoever dials is told.
    pub announced: u16,
    /// The port at which somebody really listens.
    pub real: u16,
    /// The server, as its control connection shows it.
    pub server: IpAddr,
    /// Our address toward the server.
    pub facing_server: IpAddr,
}

/// Who carries a data connection, and who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The packet filter; the client.
    KernelPassive,
    /// The packet filter; the server.
    KernelActive,
    /// We; the client.
    RedirectPassive,
    /// We; we dial the client. Only `real` counts, the client's port.
    RedirectActive,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done; a socket comes along if one was asked for.
    Done,
    /// Another session has the same.
    Taken,
    /// errno(2).
    Failed(i32),
}

impl Answer {
    pub(super) fn encode(self) -> [u8; ANSWER] {
        let (kind, errno) = match self {
            Answer::Done => (0, 0),
            Answer::Taken => (1, 0),
            Answer::Failed(errno) => (2, errno),
        };
        let [a, b, c, d] = errno.to_be_bytes();
        [kind, a, b, c, d]
    }

    pub(super) fn decode(&[kind, a, b, c, d]: &[u8; ANSWER]) -> Answer {
        match kind {
            0 => Answer::Done,
            1 => Answer::Taken,
            _ => Answer::Failed(i32::from_be_bytes([a, b, c, d])),
        }
    }
}

impl Request {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let nobody = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let (verb, ports, addresses) = match self {
            Request::Grant(w) => (
                match w.way {
                    Way::KernelPassive => 1,
                    Way::KernelActive => 2,
                    Way::RedirectPassive => 3,
                    Way::RedirectActive => 4,
                },
                [w.announced, w.real],
                [w.server, w.facing_server],
            ),
            Request::Revoke => (5, [0, 0], [nobody; 2]),
            Request::Dial { port } => (6, [0, *port], [nobody; 2]),
        };
        let mut bytes = [0; LENGTH];
        let mut rest = bytes.as_mut_slice();
        let mut put = |part: &[u8]| {
            let (now, later) = std::mem::take(&mut rest).split_at_mut(part.len());
            now.copy_from_slice(part);
            rest = later;
        };
        put(&[verb]);
        ports.iter().for_each(|port| put(&port.to_be_bytes()));
        addresses.iter().for_each(|ip| put(&mapped(*ip).octets()));
        bytes
    }

    /// # Errors
    /// Nothing that [`Request::encode`] makes.
    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Result<Request, Objection> {
        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&bytes[at..at + 16]);
            Ipv6Addr::from(octets).to_canonical()
        };
        let way = match bytes[0] {
            1 => Way::KernelPassive,
            2 => Way::KernelActive,
            3 => Way::RedirectPassive,
            4 => Way::RedirectActive,
            5 => return Ok(Request::Revoke),
            6 => return Ok(Request::Dial { port: port(3) }),
            _ => return Err("no such request"),
        };
        Ok(Request::Grant(Wanted {
            way,
            announced: port(1),
            real: port(3),
            server: address(5),
            facing_server: address(21),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(way: Way) -> Wanted {
        Wanted {
            way,
            announced: 50000,
            real: 40001,
            server: [192, 0, 2, 1].into(),
            facing_server: [198, 51, 100, 9].into(),
        }
    }

    #[test]
    fn every_request_survives_its_encoding() {
        for request in [
            Request::Grant(wanted(Way::KernelPassive)),
            Request::Grant(wanted(Way::KernelActive)),
            Request::Grant(wanted(Way::RedirectPassive)),
            Request::Grant(Wanted {
                server: "2001:db8::1".parse().unwrap(),
                ..wanted(Way::RedirectActive)
            }),
            Request::Revoke,
            Request::Dial { port: 2000 },
        ] {
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        for verb in [0, 7, 255] {
            let mut bytes = Request::Revoke.encode();
            bytes[0] = verb;
            assert!(Request::decode(&bytes).is_err());
        }
    }

    #[test]
    fn every_answer_survives_its_encoding() {
        for answer in [Answer::Done, Answer::Taken, Answer::Failed(13)] {
            assert_eq!(Answer::decode(&answer.encode()), answer);
        }
    }
}
