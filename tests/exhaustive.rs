//! Every session of a few steps: whatever client, server and data connection do in whichever order, the client counts no
//! reply that nothing asked for, and hears of no address but ours. States that were seen are not played again.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a state that may not be ends the test"
)]

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proxy::ftp::{Action, DataEnd, Session, Side, Terms};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OURS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)), 50000);
const OURS_AS_NUMBERS: &str = "198,51,100,9,195,80";
const THIRD_AS_NUMBERS: &str = "203,0,113,7,200,10";

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Client(&'static str),
    Server(&'static str),
    Data(DataEnd),
    /// The server takes too long with its word on a transfer, or on ABOR.
    Silence,
}

const STEPS: &[Step] = &[
    Step::Client("NOOP"),
    Step::Client("PASV"),
    Step::Client("EPSV"),
    Step::Client("PORT 10,0,0,2,200,10"),
    Step::Client("RETR a"),
    Step::Client("STOR a"),
    Step::Client("ABOR"),
    Step::Client("AUTH TLS"),
    Step::Server("150 go"),
    Step::Server("200 ok"),
    Step::Server("226-more"),
    Step::Server("226 done"),
    Step::Server("226"),
    Step::Server("227 at (203,0,113,7,200,10)"),
    Step::Server("227 at (192,0,2,1,200,10)"),
    Step::Server("229 at (|||51210|)"),
    Step::Server("421 late"),
    Step::Server("500 no"),
    Step::Data(DataEnd::Delivered(Side::Client)),
    Step::Data(DataEnd::Broken),
    Step::Silence,
];

/// A client that believes each final reply to be the answer to its oldest command, as clients do.
#[derive(Clone, Debug, Default)]
struct Client {
    waits_for: VecDeque<&'static str>,
    /// The first line of a reply that goes on.
    open: Option<String>,
    /// It has given an ABOR up: from then on it knows only how many replies are due.
    lost_count: bool,
    farewell: bool,
}

impl Client {
    fn hears(&mut self, line: &str) -> Result<(), String> {
        if line.starts_with('2') && line.contains(THIRD_AS_NUMBERS) {
            return Err(format!("hears of a third host: {line}"));
        }
        let (code, mark) = (&line[..3], line[3..].chars().next());
        match &self.open {
            Some(open) if open != code || mark != Some(' ') => return Ok(()),
            None if mark == Some('-') => {
                self.open = Some(code.to_owned());
                return Ok(());
            }
            _ => self.open = None,
        }
        if code.starts_with('1') {
            let waits = !self.waits_for.is_empty();
            return waits.then_some(()).ok_or(format!("unasked: {line}"));
        }
        match self.waits_for.pop_front() {
            Some("PASV") if code == "227" && !self.lost_count => {
                let ours = line.contains(OURS_AS_NUMBERS);
                ours.then_some(()).ok_or(format!("believes {line}"))
            }
            Some("EPSV") if code == "229" && !self.lost_count => {
                let ours = line.contains("(|||50000|)");
                ours.then_some(()).ok_or(format!("believes {line}"))
            }
            Some(_) => Ok(()),
            None if code == "421" && !std::mem::replace(&mut self.farewell, true) => Ok(()),
            None => Err(format!("unasked: {line}")),
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    session: Session,
    client: Client,
    ended: bool,
    path: Vec<Step>,
}

impl State {
    fn greeted() -> State {
        let mut state = State {
            session: Session::new(Terms::of(CLIENT), Some(SERVER)),
            client: Client::default(),
            ended: false,
            path: Vec::new(),
        };
        state.client.waits_for.push_back("the greeting");
        state.after(Step::Server("220 hi")).expect("it may happen")
    }

    /// The state after a step; `None`: it is no step now.
    fn after(&self, step: Step) -> Option<State> {
        if self.ended {
            return None;
        }
        let mut state = self.clone();
        match step {
            Step::Client(line) if state.session.wants_bytes(Side::Client) => {
                state.client.waits_for.push_back(&line[..4]);
                state.says(Side::Client, line);
            }
            Step::Server(line) if state.session.wants_bytes(Side::Server) => {
                state.says(Side::Server, line);
            }
            Step::Data(end) => state.session.data_ended(end),
            Step::Silence if state.session.awaits_verdict() => state.session.server_is_silent(),
            Step::Silence if state.session.awaits_abor() => {
                state.client.lost_count = true;
                state.session.abor_is_unanswered();
            }
            _ => return None,
        }
        state.path.push(step);
        state.obey();
        Some(state)
    }

    fn says(&mut self, side: Side, line: &str) {
        let bytes = format!("{line}\r\n");
        self.session.receive(side, bytes.as_bytes());
    }

    fn obey(&mut self) {
        while let Some(action) = self.session.poll() {
            match action {
                Action::Prepare(_) => self.session.prepared(OURS),
                Action::End(_) => self.ended = true,
                Action::Send(Side::Client, line) => {
                    let line = String::from_utf8(line).expect("text");
                    let heard = self.client.hears(line.trim_end_matches("\r\n"));
                    heard.unwrap_or_else(|why| panic!("{why} after {:?}", self.path));
                }
                Action::Send(Side::Server, line) => {
                    let line = String::from_utf8(line).expect("text");
                    let port = line.starts_with("PORT") || line.starts_with("EPRT");
                    let ours = line.contains(OURS_AS_NUMBERS);
                    assert!(ours || !port, "{line} after {:?}", self.path);
                }
                _ => {}
            }
        }
    }

    /// What its future depends on.
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?} {:?}", self.session, self.client).hash(&mut hasher);
        hasher.finish()
    }
}

/// Plays every path of so many steps from here; how many states there are on the way.
fn search(depth: usize) -> usize {
    let (mut seen, mut layer) = (HashSet::new(), vec![State::greeted()]);
    for left in (0..depth).rev() {
        let mut next = Vec::new();
        for state in &layer {
            let after = STEPS.iter().filter_map(|step| state.after(*step));
            if left == 0 {
                after.for_each(drop); // the last step only has to be allowed
            } else {
                next.extend(after.filter(|state| seen.insert(state.key())));
            }
        }
        layer = next;
    }
    seen.len()
}

#[test]
fn replies_are_conserved_in_every_short_session() {
    // A longer search is for who changes the session: 8 steps take a minute.
    let depth = std::env::var("SEARCH_DEPTH").map_or(6, |depth| depth.parse().expect("a number"));
    let states = search(depth);
    assert!(states > 10_000, "{states} states are too few to say so");
}
