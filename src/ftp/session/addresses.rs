//! The client's commands that are about addresses: which of them may be, and in what form they go to the server.

use std::net::{IpAddr, SocketAddr};

use super::super::Side;
use super::super::action::{Action, DataPlan, Note};
use super::super::addr::{BadEprt, EprtArgument};
use super::super::command::{Algs, Epsv};
use super::super::line::{Line, body};
use super::expected::{Expected, Extent, Parked, Passive};
use super::{LEAST_DATA_PORT, Session};
use crate::permit::Foreign;

impl Session {
    pub(super) fn eprt(&mut self, argument: Result<EprtArgument, BadEprt>, text: &[u8]) {
        match argument {
            Err(BadEprt::Syntax) => self.active(true, None, text),
            Ok(EprtArgument(at)) if at.is_ipv4() == self.terms.client.is_ipv4() => {
                self.active(true, Some(at), text);
            }
            _ => self.refuse_family(text),
        }
    }

    pub(super) fn refuse_family(&mut self, text: &[u8]) {
        let ours = if self.terms.client.is_ipv4() { 1 } else { 2 };
        let reply = format!("522 Network protocol not supported, use ({ours})\r\n");
        self.refuse("wrong network protocol", text, reply.as_bytes());
    }

    /// PORT and EPRT: the client listens where it says, and unless it is allowed it may speak for nobody else (RFC 2577 §3;
    /// docs/ancestors.md, D26).
    pub(super) fn active(&mut self, extended: bool, client: Option<SocketAddr>, text: &[u8]) {
        match client {
            None => self.refuse("malformed", text, b"501 Malformed address.\r\n"),
            Some(at) if at.ip() != self.terms.client && !self.is_allowed(at) => {
                self.refuse(
                    "address is not the client's",
                    text,
                    b"501 The address must be your own.\r\n",
                );
            }
            Some(at) if at.port() < LEAST_DATA_PORT => {
                self.refuse(
                    "port below 1024",
                    text,
                    b"501 Ports below 1024 are refused.\r\n",
                );
            }
            Some(mut client) => {
                let foreign = self.terms.permit.foreign.active;
                if client.ip() != self.terms.client {
                    self.note(Note::Foreign(Side::Client, client.ip(), foreign));
                    if foreign == Foreign::Ignore {
                        client.set_ip(self.terms.client);
                    }
                }
                self.parked = Some(Parked::Active { extended });
                self.actions
                    .push_back(Action::Prepare(DataPlan::Active { client }));
            }
        }
    }

    /// A client may name this host, which is not itself.
    fn is_allowed(&self, at: SocketAddr) -> bool {
        match self.terms.permit.foreign.active {
            Foreign::Refuse => false,
            Foreign::Ignore => true,
            // We dial from an address of the client's family.
            Foreign::Allow => at.is_ipv4() == self.terms.client.is_ipv4(),
        }
    }

    pub(super) fn pasv(&mut self, line: &Line) {
        match self.server {
            _ if self.terms.nat_mode => self.untouched(line),
            _ if self.terms.client.is_ipv6() => {
                self.refuse(
                    "PASV over IPv6",
                    body(&line.bytes),
                    b"502 PASV is for IPv4; use EPSV.\r\n",
                );
            }
            Some(IpAddr::V6(_)) => self.passive(Extent::Pasv, Extent::Epsv, b"EPSV\r\n".to_vec()),
            _ => self.passive(Extent::Pasv, Extent::Pasv, line.bytes.clone()),
        }
    }

    pub(super) fn epsv(&mut self, asked: Epsv, line: &Line) {
        let text = body(&line.bytes);
        let v4 = self.terms.client.is_ipv4();
        match asked {
            _ if self.terms.nat_mode => self.untouched(line),
            _ if !self.terms.epsv => {
                let reply = b"500 EPSV is not possible through this proxy; use PASV.\r\n";
                self.refuse("the client would dial the server", text, reply);
            }
            Epsv::All => {
                self.epsv_all = true;
                self.own(b"200 EPSV ALL is in force.\r\n");
            }
            Epsv::Unknown => self.refuse_family(text),
            Epsv::V4 if !v4 => self.refuse_family(text),
            Epsv::V6 if v4 => self.refuse_family(text),
            _ if self.asks_pasv() => self.passive(Extent::Epsv, Extent::Pasv, b"PASV\r\n".to_vec()),
            // The number is the family of the client's own leg; the server's may be the other.
            Epsv::V4 | Epsv::V6 if self.is_between_families() => {
                self.passive(Extent::Epsv, Extent::Epsv, b"EPSV\r\n".to_vec());
            }
            _ => self.passive(Extent::Epsv, Extent::Epsv, line.bytes.clone()),
        }
    }

    /// The server is asked by PASV: it can be, and EPSV has been of no use or is not wanted.
    fn asks_pasv(&self) -> bool {
        let v4 = self.server.is_some_and(|server| server.is_ipv4());
        v4 && (self.no_epsv || self.terms.permit.pasv_only)
    }

    /// One side speaks IPv4, the other IPv6.
    pub(super) fn is_between_families(&self) -> bool {
        self.server
            .is_some_and(|server| server.is_ipv4() != self.terms.client.is_ipv4())
    }

    /// What is translated for an IPv6 client of an IPv4 server (RFC 6384 §11); that it is cannot be changed, since no
    /// address of the client's means anything to the server.
    pub(super) fn algs(&mut self, asked: Algs) {
        let denied = |verb: &[u8]| self.terms.permit.denied.has(verb);
        let reply: &[u8] = match asked {
            Algs::Status | Algs::Enable | Algs::Disable if self.terms.client.is_ipv4() => {
                b"216 NONE There is nothing to translate from IPv6.\r\n"
            }
            Algs::Disable => b"504 It cannot be disabled.\r\n",
            Algs::Unknown => b"504 Use STATUS64, ENABLE64 or DISABLE64.\r\n",
            _ if denied(b"EPSV") || !self.terms.epsv => b"216 NONE EPSV is refused.\r\n",
            _ if denied(b"EPRT") => b"216 EPSV EPRT is refused.\r\n",
            _ => b"216 EPSVEPRT Both are translated.\r\n",
        };
        self.own(reply);
    }

    /// A passive command in NAT mode: it takes the place of any data connection of ours.
    fn untouched(&mut self, line: &Line) {
        self.discard();
        self.ask(line.bytes.clone(), Expected::Plain);
    }

    fn passive(&mut self, asked: Extent, sent: Extent, line: Vec<u8>) {
        self.discard();
        self.ask(line, Expected::Passive(Passive::of(asked, sent)));
    }
}
