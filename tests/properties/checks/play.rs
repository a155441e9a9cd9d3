//! Plays a script to the pure session, in pieces cut in one way or another.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proxy::ftp::{Action, DataEnd, DataPlan, NoData, Note, Session, Side};

use super::honest::Honest;
use super::script::{Script, Step};
use super::witness::Witness;

/// How the bytes of a side are cut on their way.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Each step's at once.
    Steps,
    /// At most so many.
    Bytes(usize),
}

/// What the session wanted done, Telnet's refusals left out: they are said as soon as their offer is seen.
#[derive(Default)]
pub struct Record {
    actions: Vec<Action>,
    /// How many actions there were at the end of each step.
    marks: Vec<usize>,
    /// So many steps are without a race: while lines of both sides wait, their order is nobody's promise, and once TLS has
    /// begun there are no lines.
    pub comparable: usize,
}

impl Record {
    pub fn until(&self, steps: usize) -> &[Action] {
        let end = steps.checked_sub(1).and_then(|last| self.marks.get(last));
        &self.actions[..end.copied().unwrap_or(0)]
    }
}

/// Pieces of what one side says that have not been taken; an empty one is its end.
#[derive(Default)]
struct Peer {
    said: VecDeque<(usize, Vec<u8>)>,
    closed: bool,
}

pub struct Play<'a> {
    script: &'a Script,
    cut: Cut,
    session: Session,
    client: Peer,
    server: Peer,
    honest: Honest,
    witness: Witness,
    record: Record,
    step: usize,
    ended: bool,
    raced: bool,
    opaque: bool,
    /// A port and a server refused once.
    no_port: bool,
    no_server: Option<bool>,
    port: u16,
}

impl<'a> Play<'a> {
    pub fn play(script: &'a Script, cut: Cut) -> Record {
        let server = (!script.forward).then_some(script.server);
        let mut play = Play {
            script,
            cut,
            session: Session::new(script.terms.clone(), server),
            client: Peer::default(),
            server: Peer::default(),
            honest: Honest::new(!script.forward),
            witness: Witness::new(script),
            record: Record::default(),
            step: 0,
            ended: false,
            raced: false,
            opaque: false,
            no_port: false,
            no_server: None,
            port: 50000,
        };
        play.obey();
        for step in &script.steps {
            play.take(step);
        }
        if script.is_honest() {
            play.answer_all();
        }
        play.record
    }

    fn take(&mut self, step: &Step) {
        self.step += 1;
        match step {
            Step::Says(side, bytes) => self.say(*side, bytes.clone()),
            Step::Answers(how) => {
                if let Some(reply) = self.honest.answer(*how, self.script.server) {
                    self.say(Side::Server, reply);
                }
            }
            Step::Closes(side) => self.say(*side, Vec::new()),
            Step::Lost => self.session.client_lost(),
            Step::Data(end) => self.session.data_ended(*end),
            Step::Time => self.time(),
            Step::Stop => self.session.stop("Stopped."),
            Step::NoPort => self.no_port = true,
            Step::NoServer { forbidden } => self.no_server = Some(*forbidden),
            Step::Nothing => {}
        }
        self.witness.edge();
        self.turn();
        // A client that is done ends the session with its last answer, whatever else the server was saying just then.
        self.raced |= self.client.closed;
        if !self.raced && !self.opaque {
            self.record.marks.push(self.record.actions.len());
            self.record.comparable = self.record.marks.len();
        }
        let waiting = |side| !self.session.wants_bytes(side) && !self.peer(side).closed;
        self.raced |= waiting(Side::Client) && waiting(Side::Server);
    }

    fn say(&mut self, side: Side, bytes: Vec<u8>) {
        let step = self.step;
        let peer = self.peer_mut(side);
        let over = peer.closed || peer.said.back().is_some_and(|(_, last)| last.is_empty());
        if !over {
            if side == Side::Server {
                self.witness.server_says(&bytes);
            }
            self.peer_mut(side).said.push_back((step, bytes));
        }
    }

    /// The moments that the edge waits for have come.
    fn time(&mut self) {
        if self.session.awaits_verdict() {
            self.session.server_is_silent();
        }
        if self.session.holds_reply() {
            self.session.data_ended(DataEnd::Unopened);
        }
        if self.session.awaits_abor() {
            self.session.abor_is_unanswered();
        }
    }

    fn turn(&mut self) {
        self.obey();
        while let Some(side) = self.next() {
            self.hand_in(side);
            self.obey();
        }
    }

    /// Whose turn it is: who spoke first.
    fn next(&self) -> Option<Side> {
        let ready = |side: &Side| !self.ended && self.session.wants_bytes(*side);
        [Side::Client, Side::Server]
            .into_iter()
            .filter(ready)
            .filter_map(|side| self.peer(side).said.front().map(|(step, _)| (*step, side)))
            .min_by_key(|(step, _)| *step)
            .map(|(_, side)| side)
    }

    fn hand_in(&mut self, side: Side) {
        let other = side.other();
        let waits = !self.peer(other).said.is_empty()
            || !self.session.wants_bytes(other) && !self.peer(other).closed;
        let cut = self.cut;
        let peer = self.peer_mut(side);
        let Some((_, bytes)) = peer.said.front_mut() else {
            return;
        };
        if bytes.is_empty() {
            peer.closed = true;
            peer.said.clear();
            self.witness.closed(side);
            return self.session.closed(side);
        }
        // Several lines at once come before what the other side has waiting: that is an order of its own.
        let line = bytes.iter().position(|&b| b == b'\n').map(|at| at + 1);
        let most = line.filter(|_| waits).unwrap_or(bytes.len());
        let now = match cut {
            Cut::Steps => most,
            Cut::Bytes(n) => most.min(n),
        };
        let piece: Vec<u8> = bytes.drain(..now).collect();
        if bytes.is_empty() {
            peer.said.pop_front();
        }
        self.witness.handed(side, piece.len());
        self.session.receive(side, &piece);
    }

    fn obey(&mut self) {
        while let Some(action) = self.session.poll() {
            assert!(!self.ended, "after the end: {action:?}");
            if !self.opaque {
                self.witness.see(&action);
            }
            match &action {
                Action::Send(Side::Server, line) => {
                    self.honest.hears(line, self.witness.line_number());
                }
                Action::Prepare(plan) => self.prepare(plan),
                Action::Dial(_) => self.dial(),
                Action::Note(Note::Reply(line)) => {
                    self.opaque |= self.script.terms.nat_mode && line.starts_with(b"234");
                }
                Action::End(_) => self.ended = true,
                _ => {}
            }
            if !is_refusal(&action) {
                self.record.actions.push(action);
            }
        }
    }

    fn prepare(&mut self, plan: &DataPlan) {
        if std::mem::take(&mut self.no_port) {
            return self.session.unprepared(NoData::Other);
        }
        let toward = match plan {
            DataPlan::Active { .. } => self.script.server,
            DataPlan::Passive { .. } => self.script.terms.client,
        };
        let ours = match toward {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::new(198, 51, 100, 9)),
            IpAddr::V6(_) => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 9]),
        };
        self.port += 1;
        let at = SocketAddr::new(ours, self.port);
        self.witness.prepared(at);
        self.session.prepared(at);
    }

    fn dial(&mut self) {
        match self.no_server.take() {
            None => {
                self.witness.connected();
                self.honest.greets();
                self.session.connected(self.script.server);
            }
            Some(true) => self.session.forbidden("Not this one."),
            Some(false) => self.session.unreachable("Not to be reached."),
        }
    }

    /// Everybody gets time and an answer: in the end each command has heard one final reply, its own.
    fn answer_all(&mut self) {
        loop {
            self.step += 1;
            let before = self.record.actions.len();
            self.time();
            let answer = self.honest.answer(b'0', self.script.server);
            let over = answer.is_none();
            if let Some(reply) = answer {
                self.say(Side::Server, reply);
            }
            self.witness.edge();
            self.turn();
            if over && self.record.actions.len() == before {
                break;
            }
        }
        let disturbed = self.ended || self.opaque || self.client.closed || self.server.closed;
        self.witness.all_answered(disturbed);
    }

    fn peer(&self, side: Side) -> &Peer {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn peer_mut(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

fn is_refusal(action: &Action) -> bool {
    matches!(action, Action::Send(Side::Client, bytes) if matches!(bytes[..], [255, 252 | 254, _]))
}
