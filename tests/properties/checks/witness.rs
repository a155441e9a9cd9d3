//! Watches a session from outside and objects to what it may never do (docs/design.md, docs/past-attacks.md).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use ftp_proxy::ftp::{Action, DataPlan, Note, Side, Terms};

use ftp_proxy::permit::Foreign;

use super::oracle::{
    LONGEST, LONGEST_COMMAND, Line, Unit, body, latin, lines, units, without_addresses, words,
};
use super::quiet::{Heard, as_dropped, masked};
use super::script::Script;

/// Commands that wait for their answer, at most (docs/trust.md, Bounds).
const OUTSTANDING: usize = 64;

/// Longest line of our own, and longest that a command becomes by getting our address.
const OWN: usize = 100;

pub struct Witness {
    terms: Terms,
    server: IpAddr,
    /// The client's lines, how many have been taken, and the refusals that its Telnet offers deserve.
    lines: Vec<Line>,
    taken: usize,
    refusals: VecDeque<[u8; 3]>,
    /// What the line taken last has become at the server.
    sent: Vec<Vec<u8>>,
    sent_in_all: usize,
    urgent: bool,
    /// The server's lines that have not been taken, the beginning of one, and how many have been taken.
    said: VecDeque<Vec<u8>>,
    rest: Vec<u8>,
    replies: usize,
    /// What may be said to the client next: a line of the server's, one of ours.
    reply: Option<Vec<u8>>,
    ours: Option<Vec<u8>>,
    plan: Option<DataPlan>,
    given: Option<SocketAddr>,
    prepared: bool,
    connected: bool,
    closed: Vec<Side>,
    finished: bool,
    /// Bytes in, bytes out to the client, and the edge's doings.
    handed: usize,
    out: usize,
    edge: usize,
    heard: Heard,
    /// The beginning of a line to the client.
    hearing: Vec<u8>,
}

impl Witness {
    pub fn new(script: &Script) -> Self {
        let says = script.client_says();
        let offers = units(&says).into_iter().filter_map(|unit| match unit {
            Unit::Offer(refusal) => Some(refusal),
            _ => None,
        });
        Witness {
            terms: script.terms.clone(),
            server: script.server,
            refusals: offers.collect(),
            lines: lines(&says),
            taken: 0,
            sent: Vec::new(),
            sent_in_all: 0,
            urgent: false,
            said: VecDeque::new(),
            rest: Vec::new(),
            replies: 0,
            reply: None,
            ours: None,
            plan: None,
            given: None,
            prepared: false,
            connected: !script.forward,
            closed: Vec::new(),
            finished: false,
            handed: 0,
            out: 0,
            edge: 1,
            heard: Heard::new(script.is_honest()),
            hearing: Vec::new(),
        }
    }

    /// The number of the client's line that was taken last.
    pub fn line_number(&self) -> usize {
        self.taken
    }

    pub fn server_says(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.rest.push(byte);
            if byte == b'\n' || self.rest.len() == LONGEST {
                self.said.push_back(std::mem::take(&mut self.rest));
            }
        }
    }

    pub fn handed(&mut self, _: Side, bytes: usize) {
        self.handed += bytes;
    }

    pub fn edge(&mut self) {
        self.edge += 1;
    }

    pub fn closed(&mut self, side: Side) {
        self.closed.push(side);
    }

    pub fn prepared(&mut self, at: SocketAddr) {
        self.given = Some(at);
        self.prepared = true;
    }

    pub fn connected(&mut self) {
        assert!(!self.connected, "a second server");
        self.connected = true;
    }

    /// Everything has been answered that ever will be.
    pub fn all_answered(&self, disturbed: bool) {
        if !disturbed {
            assert_eq!(self.taken, self.lines.len(), "a command is stuck");
            self.heard.all(self.taken);
        }
    }

    pub fn see(&mut self, action: &Action) {
        match action {
            Action::Send(Side::Server, bytes) => self.server_hears(bytes),
            Action::Send(Side::Client, bytes) => self.client_hears(bytes),
            Action::Urgent(side, bytes) => {
                assert_eq!(
                    (*side, bytes.as_slice()),
                    (Side::Server, &[255, 244, 255][..])
                );
                assert!(self.line().synch, "a Synch of our own");
                let asked = words(&self.line().bytes).0;
                assert!(!self.terms.permit.denied.has(asked.as_bytes()), "{asked}");
                assert!(self.sent.is_empty() && !self.urgent);
                self.urgent = true;
            }
            Action::Prepare(plan) => self.plan(plan),
            Action::Discard => {
                assert!(self.prepared, "there is nothing to discard");
                self.prepared = false;
            }
            Action::Dial(server) => {
                assert!(!self.connected, "it has its server");
                assert!(self.terms.any_port || server.port == 21, "{server}");
                let line = String::from_utf8_lossy(&self.line().bytes).into_owned();
                let host = match &server.host {
                    ftp_proxy::endpoint::Host::Name(name) => line.contains(name.as_str()),
                    // Written in whichever form; at least it is an address that a person can have written.
                    ftp_proxy::endpoint::Host::Address(_) => line.contains(['.', ':']),
                    // A client names no interface of ours.
                    ftp_proxy::endpoint::Host::Zoned(..) => false,
                };
                assert!(host, "{server} is not in {line:?}");
            }
            Action::Finish(side) => {
                assert!(*side == Side::Server && self.closed.contains(&Side::Client));
                assert!(!std::mem::replace(&mut self.finished, true));
            }
            Action::Note(note) => self.note(note),
            Action::End(_) => {}
        }
    }

    fn line(&self) -> &Line {
        let last = self.taken.checked_sub(1).and_then(|at| self.lines.get(at));
        last.unwrap_or_else(|| panic!("nothing was asked for"))
    }

    /// Each line to the server is the client's line that was taken last, or what the manual says becomes of it.
    fn server_hears(&mut self, bytes: &[u8]) {
        assert!(self.connected, "nobody is there");
        if std::mem::take(&mut self.urgent) {
            return assert_eq!(bytes, [242], "the end of a Synch");
        }
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        let feeds = bytes.iter().filter(|&&b| b == b'\n').count();
        assert!(feeds == 1 && bytes.ends_with(b"\n"), "{:?}", shown());
        assert!(!bytes.contains(&0), "NUL in {:?}", shown());
        assert!(bytes.len() <= LONGEST_COMMAND, "{} bytes", bytes.len());
        let plain = |unit: &Unit| matches!(unit, Unit::Byte(_));
        assert!(units(bytes).iter().all(plain), "Telnet in {:?}", shown());
        let asked = words(&self.line().bytes).0;
        let denied = self.terms.permit.denied.has(asked.as_bytes());
        assert!(!denied, "{:?} of {asked}, which is denied", shown());
        assert!(self.may_become(bytes), "{:?} of {:?}", shown(), self.line());
        let (verb, argument) = words(bytes);
        let other = as_dropped(bytes);
        assert!(
            words(&other).0 == verb && other.ends_with(b"\n"),
            "{:?} read otherwise",
            shown()
        );
        if verb == "USER" && self.terms.anonymous_only {
            let name = argument.to_ascii_lowercase();
            assert!(name == "ftp" || name == "anonymous", "{name:?} with -A");
        }
        self.sent.push(bytes.to_vec());
        self.sent_in_all += 1;
        assert!(
            self.sent_in_all <= self.replies + OUTSTANDING + 1,
            "too many"
        );
    }

    fn may_become(&self, bytes: &[u8]) -> bool {
        let line = self.line();
        let (verb, argument) = words(&line.bytes);
        let first = self.sent.is_empty();
        let again = self.sent.len() == 1 && words(&self.sent[0]).0 == "EPSV";
        let long = matches!(verb.as_str(), "LPRT" | "LPSV");
        match (verb.as_str(), bytes) {
            ("PORT" | "EPRT", _) => first && Some(bytes) == self.our_address().as_deref(),
            ("PASV", b"EPSV\r\n") => first && self.server.is_ipv6(),
            ("PASV", b"PASV\r\n") if again => true,
            ("EPSV", b"PASV\r\n") => first || again,
            ("EPSV", b"EPSV\r\n") if first => true,
            ("USER", _) if first && bytes != line.bytes => {
                let (sent, name) = words(bytes);
                sent == "USER"
                    && (argument == name
                        || argument.starts_with(&format!("{name}@"))
                        || argument.contains(&format!("!{name}")))
            }
            _ => first && !long && !line.too_long() && bytes == line.bytes,
        }
    }

    /// The command that names our address, for the plan that was made.
    fn our_address(&self) -> Option<Vec<u8>> {
        let (Some(at), Some(DataPlan::Active { .. })) = (self.given, self.plan) else {
            return None;
        };
        let extended = words(&self.line().bytes).0 == "EPRT" && self.terms.client.is_ipv4();
        let text = match at.ip() {
            IpAddr::V4(ip) if !extended => {
                let [a, b, c, d] = ip.octets();
                let (high, low) = (at.port() / 256, at.port() % 256);
                format!("PORT {a},{b},{c},{d},{high},{low}\r\n")
            }
            IpAddr::V4(ip) => format!("EPRT |1|{ip}|{}|\r\n", at.port()),
            IpAddr::V6(ip) => format!("EPRT |2|{ip}|{}|\r\n", at.port()),
        };
        Some(text.into_bytes())
    }

    /// A data connection has the client or the server at its far end, at a port that is no service's, and was asked for.
    fn plan(&mut self, plan: &DataPlan) {
        let verb = words(&self.line().bytes).0;
        let foreign = self.terms.permit.foreign;
        let (far, own, verbs, foreign) = match plan {
            DataPlan::Active { client } => {
                (client, self.terms.client, ["PORT", "EPRT"], foreign.active)
            }
            DataPlan::Passive { server } => {
                (server, self.server, ["PASV", "EPSV"], foreign.passive)
            }
        };
        let third = far.ip() != own;
        assert!(!third || foreign == Foreign::Allow, "a third party");
        assert!(
            !third || far.is_ipv4() == own.is_ipv4(),
            "of another family"
        );
        assert!(far.port() >= 1024, "a service: {far}");
        assert!(verbs.contains(&verb.as_str()), "{plan:?} for {verb}");
        let passive = matches!(plan, DataPlan::Passive { .. });
        assert!(!(passive && self.terms.nat_mode), "-n");
        self.plan = Some(*plan);
        self.given = None;
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Command(shown) => {
                self.taken += 1;
                self.sent.clear();
                let line = self.line();
                let text = if line.too_long() {
                    b""
                } else {
                    body(&line.bytes)
                };
                assert_eq!(latin(shown), masked(text), "the log shows something else");
            }
            Note::Reply(shown) => {
                let line = self
                    .said
                    .pop_front()
                    .unwrap_or_else(|| panic!("no such reply"));
                assert!(line.len() <= LONGEST);
                assert_eq!(shown, body(&line));
                self.replies += 1;
                self.reply = Some(line);
            }
            Note::Said(Side::Client, text) => self.ours = Some(text.clone()),
            Note::Said(Side::Server, _)
            | Note::Foreign(..)
            | Note::BadPassive(_)
            | Note::LoginRefused(..)
            | Note::ActiveRefused(_)
            | Note::UnlistedBalancer(_)
            | Note::Unasked(_)
            | Note::StrayAddress(_)
            | Note::LongLine(_)
            | Note::Crowded(_) => {}
            Note::Refused(_, shown) => {
                let line = self.line();
                let text = if line.too_long() {
                    b""
                } else {
                    body(&line.bytes)
                };
                assert_eq!(latin(shown), masked(text));
                assert!(self.sent.is_empty(), "refused and sent");
            }
        }
    }

    /// All that the client hears is a line of the server's, once, or one of ours that the log knows of.
    fn client_hears(&mut self, bytes: &[u8]) {
        self.out += bytes.len();
        let bound = self.handed + OWN * (self.taken + self.replies + self.edge);
        assert!(self.out <= bound, "more is said than asked");
        if self
            .refusals
            .front()
            .is_some_and(|refusal| refusal == bytes)
        {
            self.refusals.pop_front();
            return;
        }
        let ours = self.ours.take();
        let own = ours.is_some_and(|text| bytes == [&text[..], b"\r\n"].concat());
        let passed = !own
            && self.reply.take().is_some_and(|line| {
                line == bytes || without_addresses(&line) == without_addresses(bytes)
            });
        let rest = self.closed.contains(&Side::Server)
            && !bytes.is_empty()
            && without_addresses(&self.rest).starts_with(&without_addresses(bytes));
        let shown = String::from_utf8_lossy(bytes);
        assert!(own || passed || rest, "nobody said {shown:?}");
        self.hearing.extend(bytes);
        if bytes.ends_with(b"\n") {
            let line = std::mem::take(&mut self.hearing);
            self.heard.hear(&line);
        }
        self.heard.at_most(self.taken);
    }
}
