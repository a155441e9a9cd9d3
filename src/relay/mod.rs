//! The one loop of a session, and its only reads and writes: poll, hand bytes to the [`Session`], do what it says.

#![forbid(unsafe_code)]

mod clocks;
mod control;
mod notes;

use std::io;
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

pub use clocks::Limits;
pub use control::Control;

use clocks::Clocks;

use crate::datapath::{DataPath, Ready, Source, Totals, Watch};
use crate::endpoint::HostPort;
use crate::ftp::{Action, DataPlan, End, Session, Side};
use crate::log::{Log, Provoked};
use crate::privs::Dropped;
use crate::signals::Signals;

/// A session that has to wait longer for the greeting does not count as beginning any more.
const BEGINNING: Duration = Duration::from_millis(20);

/// What dialling for a client in forward mode came to.
pub enum Dialled {
    /// A server, and the data path that leads to it from now on.
    Connected(TcpStream, IpAddr),
    /// None; the session is over.
    Unreachable(&'static str),
    /// Not this one; the client may name another.
    Forbidden(&'static str),
}

/// Everything that a session's loop needs.
pub struct Relay<'a> {
    /// What to do.
    pub session: Session,
    /// The client.
    pub client: Control,
    /// The server, unless the client has yet to name it.
    pub server: Option<Control>,
    /// Who stands in for data connections.
    pub data: Box<dyn DataPath + 'a>,
    /// Dials the server that the client names.
    pub dial: &'a mut dyn FnMut(&HostPort, &mut (dyn DataPath + 'a)) -> Dialled,
    /// Called once: when the client has its greeting, or when that takes long.
    pub begun: Option<&'a mut dyn FnMut()>,
    /// What it may take.
    pub limits: Limits,
    /// `--keepalive`, for the server that the client names.
    pub keepalive: Option<Duration>,
    /// The way to be told to stop.
    pub signals: &'a Signals,
    /// Where to write what happened.
    pub log: &'a Log,
}

/// How a session went.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Why it ended.
    pub end: End,
    /// What its data connections carried.
    pub totals: Totals,
    /// How long it took.
    pub time: Duration,
}

impl Relay<'_> {
    /// Carries the session to its end. `_` is the proof that root is gone.
    ///
    /// # Errors
    /// poll(2) failed: the system is in trouble and the session lost.
    pub fn run(mut self, _: &Dropped) -> io::Result<Summary> {
        let began = now();
        let mut clocks = Clocks::start(began);
        let mut end = None;
        let mut waited = false;
        loop {
            self.obey(&mut end, &mut clocks);
            // What has just been said may have set a clock, and what a clock says is to be done at once.
            self.check(&mut clocks, end.is_some());
            self.obey(&mut end, &mut clocks);
            let lost =
                self.write(Side::Client, &mut clocks) | self.write(Side::Server, &mut clocks);
            if lost {
                continue; // the session has something to say to that
            }
            if end.is_some_and(|end| self.is_done(end, &clocks)) {
                break;
            }
            self.acknowledge();
            // The first wait is for what becomes the greeting.
            if let Some(begun) = self.begun.take_if(|_| waited) {
                begun();
            }
            waited = true;
            let ready = match self.wait(end.is_some(), &clocks) {
                Ok(ready) => ready,
                Err(error) => {
                    self.abandon(&mut clocks);
                    return Err(error);
                }
            };
            clocks.now = now();
            self.turn(&ready, end.is_some(), &mut clocks);
        }
        self.part(clocks.now);
        Ok(Summary {
            end: end.unwrap_or(End::Stopped),
            totals: self.data.totals(),
            time: clocks.now.saturating_duration_since(began),
        })
    }

    /// Says why, as far as that can be done without waiting.
    fn abandon(&mut self, clocks: &mut Clocks) {
        self.session.stop("The proxy is in trouble.");
        self.obey(&mut None, clocks);
        self.write(Side::Client, clocks);
        self.part(clocks.now);
    }

    /// Parts from the client, who is waited for; no other client waits meanwhile.
    fn part(&mut self, now: Instant) {
        if let Some(begun) = self.begun.take() {
            begun();
        }
        self.data.discard(now);
        self.report();
        self.client.farewell();
    }

    /// Does what the session says.
    fn obey(&mut self, end: &mut Option<End>, clocks: &mut Clocks) {
        let now = clocks.now;
        while let Some(action) = self.session.poll() {
            match action {
                Action::Send(side, bytes) => self.tell(side, |c| c.send(bytes)),
                Action::Urgent(side, bytes) => self.tell(side, |c| c.send_urgent(bytes)),
                Action::Finish(side) => self.tell(side, Control::finish),
                Action::Prepare(plan) => {
                    clocks.accept.restart();
                    self.prepare(&plan, now);
                }
                Action::Discard => {
                    self.data.discard(now);
                    self.report();
                }
                Action::Dial(server) => self.dial_server(&server),
                Action::Note(note) => self.note(&note),
                Action::End(why) => *end = Some(why),
            }
        }
    }

    fn prepare(&mut self, plan: &DataPlan, now: Instant) {
        let prepared = self.data.prepare(plan, now);
        self.report(); // of the one that this one replaces
        match prepared {
            Ok(at) => self.session.prepared(at),
            Err(why) => {
                self.log.provoked(Provoked::NoData, |log| {
                    log.error(format_args!("cannot prepare a data connection: {why}"));
                });
                self.session.unprepared(why.reason());
            }
        }
    }

    fn tell(&mut self, side: Side, act: impl FnOnce(&mut Control)) {
        if let Some(control) = self.control(side) {
            act(control);
        }
    }

    /// `None`: the server that the client has yet to name.
    fn control(&mut self, side: Side) -> Option<&mut Control> {
        match side {
            Side::Client => Some(&mut self.client),
            Side::Server => self.server.as_mut(),
        }
    }

    fn dial_server(&mut self, server: &HostPort) {
        match (self.dial)(server, &mut *self.data) {
            Dialled::Connected(stream, address) => match Control::new(stream, self.keepalive) {
                Ok(control) => {
                    self.server = Some(control);
                    self.session.connected(address);
                }
                Err(_) => self
                    .session
                    .unreachable("The server has gone away already."),
            },
            Dialled::Unreachable(why) => self.session.unreachable(why),
            Dialled::Forbidden(why) => self.session.forbidden(why),
        }
    }

    fn wait(&self, over: bool, clocks: &Clocks) -> io::Result<Ready> {
        let mut watch = Watch::default();
        watch.add(Source::Signals, self.signals.fd(), true, false);
        let room = |other: Option<&Control>| other.is_none_or(|c| c.queued() < self.limits.queue);
        let wants = |side| !over && self.session.wants_bytes(side);
        let reading = wants(Side::Client) && room(self.server.as_ref()) && room(Some(&self.client));
        self.client.watch(Side::Client, reading, &mut watch);
        if let Some(server) = &self.server {
            let reading = wants(Side::Server) && room(Some(&self.client));
            server.watch(Side::Server, reading, &mut watch);
        }
        self.data.watch(self.may_flow(), &mut watch);
        let soon = self.begun.as_ref().map(|_| clocks.now + BEGINNING);
        let due = self.due(over, clocks).into_iter().chain(soon).min();
        let timeout = due.map(|due| due.saturating_duration_since(clocks.now));
        // Rounded up: a turn too early would find nothing due and come again at once.
        let timeout = timeout.map(|t| t + Duration::from_millis(1));
        watch.wait(timeout.map_or(PollTimeout::NONE, |t| {
            PollTimeout::try_from(t).unwrap_or(PollTimeout::MAX)
        }))
    }

    /// Data may go to the client once it has been told so, and that has left our hands.
    fn may_flow(&self) -> bool {
        self.session.data_may_flow() && self.client.is_written()
    }

    fn turn(&mut self, ready: &Ready, over: bool, clocks: &mut Clocks) {
        if ready.has(Source::Signals) && self.signals.take().term {
            self.session.stop("The proxy is being shut down.");
        }
        // Data first: what the server says of a transfer is about bytes that came before its words.
        let mut ends = Vec::new();
        let flow = self.may_flow();
        let mut moved = self.data.turn(ready, flow, clocks.now, &mut ends);
        if moved {
            clocks.stall.restart();
        }
        self.report();
        ends.into_iter().for_each(|e| self.session.data_ended(e));
        for side in [Side::Client, Side::Server] {
            if ready.has(Source::Control(side)) && !over && self.session.wants_bytes(side) {
                moved |= self.read(side);
            }
        }
        if moved {
            clocks.active = clocks.now;
        }
    }

    /// A server may send the next reply only when it knows that the last one has come. One that owes none has that
    /// acknowledged with the next command, in the same packet.
    fn acknowledge(&mut self) {
        if let Some(server) = self.server.as_mut() {
            server.acknowledge(self.session.awaits_server());
        }
    }

    /// Hands in what this side says; `true` if that was a whole line or the end, and not a part of a line.
    fn read(&mut self, side: Side) -> bool {
        let Some(control) = self.control(side) else {
            return false;
        };
        match control.read() {
            Ok(None) => return false,
            Ok(Some(bytes)) if bytes.is_empty() => self.session.closed(side),
            Ok(Some(bytes)) => {
                let n = bytes.len();
                self.log
                    .debug(3, format_args!("{n} bytes from {}", side.name()));
                return self.session.receive(side, &bytes);
            }
            Err(error) => self.lost(side, &error),
        }
        true
    }

    /// Writes what there is for this side; `true` if the connection was lost over it.
    fn write(&mut self, side: Side, clocks: &mut Clocks) -> bool {
        match self.control(side).map(Control::write) {
            Some(Err(error)) => {
                self.lost(side, &error);
                return true;
            }
            Some(Ok(true)) => clocks.active = clocks.now,
            Some(Ok(false)) | None => {}
        }
        let most = self.limits.queue;
        if self.control(side).is_some_and(|c| c.fills(most)) {
            let (who, other) = (side.name(), side.other().name());
            self.log.info(format_args!(
                "the {who} takes nothing, {most} bytes wait: the {other} is not read for now"
            ));
        }
        false
    }

    /// A control connection broke. The server hears of the client's end by the end of its own connection.
    fn lost(&mut self, side: Side, error: &io::Error) {
        let who = side.name();
        self.log
            .info(format_args!("control connection lost, {who}: {error}"));
        match side {
            Side::Client => self.session.client_lost(),
            Side::Server => self.session.closed(side),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that reads the clock, once a turn"
)]
fn now() -> Instant {
    Instant::now()
}
