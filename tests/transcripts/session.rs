//! Plays a transcript to the pure session. The edge is played, too: it has a port whenever one is asked for.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use ftp_proxy::ftp::{Action, DataEnd, DataPlan, Session, Side, Terms};
use ftp_proxy::options::Destination;

use crate::script::{Script, Step, What};

/// Each step's bytes at once.
pub fn play(script: &Script) -> Result<(), String> {
    Stage::set(script, usize::MAX).play(script)
}

/// The same bytes, cut wherever they can be cut: nothing may change.
pub fn play_byte_by_byte(script: &Script) -> Result<(), String> {
    Stage::set(script, 1).play(script)
}

/// The server's control port, where a client has to name it.
const PORT: u16 = 2121;

struct Stage<'a> {
    script: &'a Script,
    session: Session,
    /// At most so many bytes are handed in at once.
    cut: usize,
    client: Peer,
    server: Peer,
    asked: VecDeque<String>,
    /// The ports that the edge gave away, and the next one.
    ports: Vec<u16>,
    ended: bool,
}

/// What one side has said and the session has not taken, and what it was told and has not heard.
#[derive(Default)]
struct Peer {
    said: VecDeque<u8>,
    closed: bool,
    told: VecDeque<u8>,
    finished: bool,
}

impl<'a> Stage<'a> {
    fn set(script: &'a Script, cut: usize) -> Self {
        let options = script.understood();
        let plain = Terms::of(script.ends.client);
        let terms = Terms {
            epsv: script.epsv,
            anonymous_only: options.anonymous_only,
            nat_mode: options.nat_mode,
            any_port: matches!(
                options.destination,
                Destination::Forward { any_port: true, .. }
            ),
            permit: options.permit,
            max_line: script.number("--max-line").unwrap_or(plain.max_line),
            max_command: script.number("--max-command").unwrap_or(plain.max_command),
            max_outstanding: script
                .number("--max-outstanding")
                .unwrap_or(plain.max_outstanding),
            ..plain
        };
        let server = (!script.has("--forward")).then_some(script.ends.server);
        Stage {
            script,
            session: Session::new(terms, server),
            cut,
            client: Peer::default(),
            server: Peer::default(),
            asked: VecDeque::new(),
            ports: Vec::new(),
            ended: false,
        }
    }

    fn play(mut self, script: &Script) -> Result<(), String> {
        self.obey();
        for Step { line, what } in script.steps(SocketAddr::new(script.ends.server, PORT)) {
            self.step(what).map_err(|e| format!("line {line}: {e}"))?;
        }
        for side in [Side::Client, Side::Server] {
            self.hears_nothing(side)
                .map_err(|e| format!("at the end: {e}"))?;
        }
        match self.asked.pop_front() {
            Some(asked) => Err(format!("the session asks, unexpectedly: {asked}")),
            None => Ok(()),
        }
    }

    fn step(&mut self, what: What) -> Result<(), String> {
        match what {
            What::Says(side, bytes) => {
                self.peer(side).said.extend(bytes);
                self.turn();
            }
            What::Closes(side) => {
                self.peer(side).closed = true;
                self.turn();
            }
            What::Tells(what) => {
                self.tell(&what)?;
                self.turn();
            }
            What::HearsLine(side, pattern) => {
                let told = &mut self.peer(side).told;
                let end = told.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1);
                let line: Vec<u8> = told.drain(..end).collect();
                let ports = pattern
                    .matches(&line)
                    .ok_or_else(|| format!("{side:?} hears {}, not {pattern}", shown(&line)))?;
                if let Some(port) = ports.iter().find(|port| !self.ports.contains(port)) {
                    return Err(format!("port {port} is none that the edge gave"));
                }
            }
            What::HearsBytes(side, expected) => {
                let told = &mut self.peer(side).told;
                let bytes: Vec<u8> = told.drain(..expected.len().min(told.len())).collect();
                if bytes != expected {
                    return Err(format!("{side:?} hears {}", shown(&bytes)));
                }
            }
            What::HearsNothing(side) => self.hears_nothing(side)?,
            What::HearsEnd(side) => {
                self.hears_nothing(side)?;
                if !(self.ended || self.peer(side).finished) {
                    return Err(format!("{side:?} is still connected"));
                }
            }
            What::Asks(expected) => {
                let asked = self.asked.pop_front();
                if asked.as_ref() != Some(&expected) {
                    return Err(format!("the session asks {asked:?}, not {expected:?}"));
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, what: &str) -> Result<(), String> {
        let end = match what {
            "delivered to client" => DataEnd::Delivered(Side::Client),
            "delivered to server" => DataEnd::Delivered(Side::Server),
            "unopened" => DataEnd::Unopened,
            "server unreachable" => DataEnd::ServerUnreachable,
            "client unreachable" => DataEnd::ClientUnreachable,
            "broken" => DataEnd::Broken,
            "elsewhere" => DataEnd::Elsewhere,
            "silence" => {
                self.session.server_is_silent();
                self.session.abor_is_unanswered();
                return Ok(());
            }
            "stop" => {
                self.session.stop("Stopped.");
                return Ok(());
            }
            _ => return Err(format!("nobody tells {what:?}")),
        };
        self.session.data_ended(end);
        Ok(())
    }

    /// Hands in what was said, as far as the session wants it, and obeys.
    fn turn(&mut self) {
        self.obey();
        while !self.ended && (self.hand_in(Side::Server) || self.hand_in(Side::Client)) {
            self.obey();
        }
    }

    fn hand_in(&mut self, side: Side) -> bool {
        if !self.session.wants_bytes(side) {
            return false;
        }
        let cut = self.cut;
        let peer = self.peer(side);
        let bytes: Vec<u8> = peer.said.drain(..cut.min(peer.said.len())).collect();
        if !bytes.is_empty() {
            self.session.receive(side, &bytes);
        } else if std::mem::take(&mut peer.closed) {
            self.session.closed(side);
        } else {
            return false;
        }
        true
    }

    fn obey(&mut self) {
        while let Some(action) = self.session.poll() {
            match action {
                Action::Send(side, bytes) | Action::Urgent(side, bytes) => {
                    self.peer(side).told.extend(bytes);
                }
                Action::Prepare(plan) => self.prepare(plan),
                Action::Dial(server) => {
                    self.asked.push_back(format!("dial {server}"));
                    self.session.connected(self.script.ends.server);
                }
                Action::Discard => self.asked.push_back("discard".to_owned()),
                Action::Finish(side) => self.peer(side).finished = true,
                Action::Note(_) => {}
                Action::End(_) => self.ended = true,
            }
        }
    }

    fn prepare(&mut self, plan: DataPlan) {
        let (asked, ip) = match plan {
            DataPlan::Active { client } => (format!("active {client}"), self.back()),
            DataPlan::Passive { server } => (format!("passive {server}"), self.script.ends.front),
        };
        self.asked.push_back(asked);
        let port = 50001 + u16::try_from(self.ports.len()).expect("few ports");
        self.ports.push(port);
        self.session.prepared(SocketAddr::new(ip, port));
    }

    fn back(&self) -> IpAddr {
        self.script.ends.back()
    }

    fn hears_nothing(&mut self, side: Side) -> Result<(), String> {
        let told: Vec<u8> = self.peer(side).told.iter().copied().collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(format!("{side:?} hears {}", shown(&told)))
        }
    }

    fn peer(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}
