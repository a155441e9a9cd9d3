//! The server's answer to PASV or EPSV, and what the client gets of it.

use std::net::{IpAddr, SocketAddr};

use super::super::Side;
use super::super::action::{Action, DataPlan, Note};
use super::super::addr::{PortArgument, find_in_227, find_in_229, put_in_227, put_in_229};
use super::super::line::body;
use super::expected::{Data, Expected, Extent, Parked, Passive};
use super::{LEAST_DATA_PORT, Session};
use crate::permit::Foreign;

/// The reply to PASV where the server names a host that will not be dialled.
pub(super) const FOREIGN: &[u8] =
    b"502 The server's answer to passive mode names another host.\r\n";

/// The reply to PASV where the client needs another address than it has dialled, and that one is unknown.
const NO_ADDRESS: &[u8] =
    b"500 The address for passive mode is not known now; use EPSV or PORT.\r\n";

impl Session {
    /// A line of the answer. Lines are kept back: any of them may name the address. The first that does counts.
    pub(super) fn passive_reply(&mut self, code: u16, last: bool, line: Vec<u8>) {
        let at = self.answering.unwrap_or(usize::MAX);
        let Some(Expected::Passive(passive)) = self.outstanding.get_mut(at) else {
            return;
        };
        if matches!(
            (passive.sent, code),
            (Extent::Pasv, 227) | (Extent::Epsv, 229)
        ) {
            let text = body(&line).get(3..).unwrap_or_default();
            passive.found = passive.found.or_else(|| match passive.sent {
                Extent::Pasv => find_in_227(text)
                    .map(|named| (named.0.port(), Some(IpAddr::from(*named.0.ip())))),
                Extent::Epsv => find_in_229(text).map(|port| (port, None)),
            });
        }
        let (asked, sent, found) = (passive.asked, passive.sent, passive.found);
        let useless = found.is_none() && matches!(code, 200..=299 | 500..=529 | 531..=599);
        let other_way = sent == Extent::Epsv && self.server.is_some_and(|s| s.is_ipv4());
        if useless && other_way {
            if last {
                self.ask_again(asked);
            }
        } else if (200..300).contains(&code) {
            if last {
                self.prepare_passive(asked, sent, found, &line);
            }
        } else {
            self.pass(line);
            if last && code >= 200 {
                self.take_answered();
            }
        }
    }

    fn prepare_passive(
        &mut self,
        asked: Extent,
        sent: Extent,
        found: Option<(u16, Option<IpAddr>)>,
        line: &[u8],
    ) {
        let (Some((port, named)), Some(mut server)) = (found, self.server) else {
            return self.refuse_passive(line);
        };
        if port < LEAST_DATA_PORT && !self.terms.permit.low_ports {
            return self.refuse_passive(line);
        }
        if let Some(named) = named.filter(|named| *named != server) {
            let foreign = self.terms.permit.foreign.passive;
            self.note(Note::Foreign(Side::Server, named, foreign));
            match foreign {
                Foreign::Refuse => return self.answer(FOREIGN),
                Foreign::Ignore => {}
                Foreign::Allow => server = named,
            }
        }
        let words = (asked == sent).then(|| line.to_vec());
        self.parked = Some(Parked::Passive { asked, sent, words });
        self.actions.push_back(Action::Prepare(DataPlan::Passive {
            server: SocketAddr::new(server, port),
        }));
    }

    fn refuse_passive(&mut self, line: &[u8]) {
        self.note(Note::BadPassive(body(line).to_vec()));
        self.answer(b"502 The server's answer to passive mode is of no use.\r\n");
    }

    /// The data connection is prepared: the client gets the server's words with our numbers, or words of ours where the server
    /// was asked in another way, or where a client could read another number in its words (docs/ancestors.md, D35).
    pub(super) fn passive_prepared(
        &mut self,
        asked: Extent,
        sent: Extent,
        words: Option<&[u8]>,
        at: SocketAddr,
    ) {
        self.data = Data::READY;
        self.flowing = false;
        self.by_epsv = sent == Extent::Epsv;
        let line = match (asked, at) {
            (Extent::Pasv, SocketAddr::V4(at)) if at.ip().is_unspecified() => {
                self.discard();
                return self.answer(NO_ADDRESS);
            }
            (Extent::Pasv, SocketAddr::V4(at)) => {
                let at = PortArgument(at);
                let theirs = words.and_then(|words| put_in_227(words, at));
                theirs.unwrap_or_else(|| format!("227 Entering Passive Mode ({at})\r\n").into())
            }
            (Extent::Pasv, SocketAddr::V6(_)) => {
                b"502 Passive mode is for IPv4; use EPSV.\r\n".to_vec()
            }
            (Extent::Epsv, at) => {
                let port = at.port();
                let theirs = words.and_then(|words| put_in_229(words, port));
                let ours = || format!("229 Entering Extended Passive Mode (|||{port}|)\r\n");
                theirs.unwrap_or_else(|| ours().into())
            }
        };
        self.answer(&line);
    }

    /// The server knows no EPSV, or says nothing of use: it is asked in the old way, now and from now on
    /// (docs/ancestors.md, D29).
    fn ask_again(&mut self, asked: Extent) {
        self.no_epsv = true;
        let again = Expected::Passive(Passive::of(asked, Extent::Pasv));
        let at = self.answering.unwrap_or(usize::MAX);
        if let Some(expected) = self.outstanding.get_mut(at) {
            *expected = again;
        }
        self.note(Note::Said(Side::Server, b"PASV".to_vec()));
        self.actions
            .push_back(Action::Send(Side::Server, b"PASV\r\n".to_vec()));
    }
}
