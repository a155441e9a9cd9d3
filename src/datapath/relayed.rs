//! Listen here, dial there, copy.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::arrivals::{Arrivals, Arrived};
use super::carriage::Carriage;
use super::legs::scoped;
use super::pump::Pump;
use super::{DataPath, Legs, Ready, Source, Totals, Unprepared, Watch};
use crate::announce::Announced;
use crate::broker::Broker;
use crate::destination::Guard;
use crate::ftp::{DataEnd, DataPlan, Side};
use crate::log::Log;
use crate::net::{self, SourcePort};
use crate::options::Balancers;
use crate::proxy_protocol;

/// The plain relay: works without any right over the packet filter.
pub struct Relayed<'a> {
    legs: Legs,
    /// Who makes sockets from port 20 for us, if somebody does.
    lender: Option<Broker>,
    /// How long the far end may take to accept.
    connect: Duration,
    /// Judges third hosts.
    guard: &'a Guard,
    balancers: &'a Balancers,
    state: State<'a>,
    totals: Totals,
    log: &'a Log,
}

#[derive(Debug)]
enum State<'a> {
    Idle,
    Listening {
        arrivals: Arrivals<'a>,
        plan: DataPlan,
        /// What the dialling peer was told.
        announced: SocketAddr,
    },
    Dialling {
        came: Socket,
        dialled: Socket,
        plan: DataPlan,
        deadline: Instant,
        /// What the server is told first of who has come.
        header: Vec<u8>,
    },
    Carrying(Carriage),
    /// Nobody came. The server, which waits for us, is connected to only to learn that.
    Telling {
        server: Socket,
        deadline: Instant,
    },
}

impl<'a> Relayed<'a> {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(
        legs: Legs,
        lender: Option<Broker>,
        connect: Duration,
        guard: &'a Guard,
        balancers: &'a Balancers,
        log: &'a Log,
    ) -> Self {
        Relayed {
            legs,
            lender,
            connect,
            guard,
            balancers,
            state: State::Idle,
            totals: Totals::default(),
            log,
        }
    }

    pub(super) fn legs(&self) -> &Legs {
        &self.legs
    }

    /// Nothing is open, and nobody is waited for.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Dials on for whoever has come that was to come.
    fn accept(&mut self, now: Instant) -> Option<DataEnd> {
        let State::Listening {
            arrivals,
            plan,
            announced,
        } = &mut self.state
        else {
            return None;
        };
        let (plan, announced) = (*plan, *announced);
        let arrived = match arrivals.turn(now, self.log) {
            Ok(arrived) => arrived?,
            // The caller stays in the queue: to wait for it would be to ask again and again.
            Err(error) => return Some(self.cannot_open(&[], plan, &error)),
        };
        let header = self.header(plan, &arrived, announced);
        let came = arrived.socket;
        let dialled = self.dial(plan);
        match dialled {
            Ok(dialled) => {
                self.state = State::Dialling {
                    came,
                    dialled,
                    plan,
                    deadline: now + self.connect,
                    header,
                };
                None
            }
            Err(error) => Some(self.cannot_open(&[&came], plan, &error)),
        }
    }

    /// What is to be sent before the first byte of a data connection that goes to the server. The destination has the
    /// server's own port: it knows no other, and a balancer before it leads a range of ports by that number.
    fn header(&self, plan: DataPlan, arrived: &Arrived, announced: SocketAddr) -> Vec<u8> {
        let send = self.balancers.send.filter(|send| send.data);
        match (plan, send) {
            (DataPlan::Passive { server }, Some(send)) => {
                let dialled = arrived.dialled.unwrap_or(announced).ip();
                let to = SocketAddr::new(dialled, server.port());
                proxy_protocol::header(send.version, arrived.from, to)
            }
            _ => Vec::new(),
        }
    }

    fn dial(&self, plan: DataPlan) -> io::Result<Socket> {
        let legs = &self.legs;
        match plan {
            DataPlan::Active { client } => {
                let to = scoped(client, legs.client);
                match &self.lender {
                    // Port 20 is for the client alone.
                    Some(broker) if !legs.is_third(plan) => broker.dial(to.port()),
                    _ => self.dial_from(to, legs.source_to_client, legs.source_port),
                }
            }
            DataPlan::Passive { server } => {
                let to = scoped(server, legs.server);
                self.dial_from(to, legs.facing_server, SourcePort::Among(legs.ports))
            }
        }
    }

    /// Nobody is told this port, so that any will do when those of the range are taken: in a small one our own listener may
    /// have the last.
    fn dial_from(&self, to: SocketAddr, from: SocketAddr, port: SourcePort) -> io::Result<Socket> {
        match net::dial_data(to, from, port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                net::dial_data(to, from, SourcePort::Any)
            }
            result => result,
        }
    }

    fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let ports = self.legs.ports;
        match net::listen_data(at, ports) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !self.legs.strict_ports => {
                self.log.warning(format_args!(
                    "every data port from {ports} is taken, listening at another"
                ));
                net::listen_data_anywhere(at)
            }
            result => result,
        }
    }

    /// Both sides, as far as there are any, learn by a reset that nothing is behind us: an end would be that of an empty
    /// file.
    fn cannot_open(&mut self, sockets: &[&Socket], plan: DataPlan, error: &io::Error) -> DataEnd {
        for socket in sockets {
            net::reset(socket);
        }
        self.state = State::Idle;
        let (to, end) = match plan {
            DataPlan::Active { client } => (client, DataEnd::ClientUnreachable),
            DataPlan::Passive { server } => (server, DataEnd::Unopened),
        };
        self.log
            .info(format_args!("cannot open data connection to {to}: {error}"));
        end
    }

    fn finish_dialling(&mut self, now: Instant) -> Option<DataEnd> {
        let (came, dialled, plan, header) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Dialling {
                came,
                dialled,
                plan,
                header,
                ..
            } => (came, dialled, plan, header),
            other => {
                self.state = other;
                return None;
            }
        };
        let opened = dialled
            .take_error()
            .and_then(|error| error.map_or(Ok(()), Err))
            .and_then(|()| introduce(&dialled, &header))
            .and_then(|()| Ok((Pump::new()?, Pump::new()?)));
        match opened {
            Ok((to_client, to_server)) => {
                let (client, server) = match plan {
                    DataPlan::Active { .. } => (dialled, came),
                    DataPlan::Passive { .. } => (came, dialled),
                };
                self.totals.transfers += 1;
                self.state = State::Carrying(Carriage {
                    client,
                    server,
                    to_client,
                    to_server,
                    since: now,
                });
                None
            }
            Err(error) => Some(self.cannot_open(&[&came, &dialled], plan, &error)),
        }
    }

    fn give_up_dialling(&mut self) -> Option<DataEnd> {
        let State::Dialling {
            came,
            dialled,
            plan,
            ..
        } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return None;
        };
        let error = io::ErrorKind::TimedOut.into();
        Some(self.cannot_open(&[&came, &dialled], plan, &error))
    }

    /// Nobody came: the server of a passive connection is told so by a reset, without which it would wait on.
    fn tell_server(&mut self, plan: DataPlan, now: Instant) -> DataEnd {
        match plan {
            DataPlan::Active { .. } => DataEnd::Unopened,
            DataPlan::Passive { .. } => {
                // If it cannot be told it waits, and hears nothing from the client meanwhile.
                if let Ok(server) = self.dial(plan) {
                    self.state = State::Telling {
                        server,
                        deadline: now + self.connect,
                    };
                }
                DataEnd::ClientUnreachable
            }
        }
    }

    fn carry(&mut self, flow: bool, now: Instant, ends: &mut Vec<DataEnd>) -> bool {
        let State::Carrying(carriage) = &mut self.state else {
            return false;
        };
        let done = |c: &Carriage| (c.to_client.is_finished(), c.to_server.is_finished());
        let before = done(carriage);
        let turned = carriage.turn(flow);
        let after = done(carriage);
        if after.0 && !before.0 {
            ends.push(DataEnd::Delivered(Side::Client));
        }
        if after.1 && !before.1 {
            ends.push(DataEnd::Delivered(Side::Server));
        }
        // What broke after an end was delivered takes nothing back.
        let moved = match turned {
            Ok(moved) => moved,
            Err(how) => {
                carriage.reset();
                self.conclude(now, &how);
                ends.push(DataEnd::Broken);
                return true;
            }
        };
        if after == (true, true) {
            self.conclude(now, "complete");
        }
        moved
    }

    /// Logs and counts the transfer that is over, however it ended, and closes its sockets.
    fn conclude(&mut self, now: Instant, how: &str) {
        if let State::Carrying(carriage) = std::mem::replace(&mut self.state, State::Idle) {
            let (to_client, to_server) = (carriage.to_client.bytes(), carriage.to_server.bytes());
            self.totals.to_client += to_client;
            self.totals.to_server += to_server;
            let (side, bytes) = match (to_client, to_server) {
                (0, bytes @ 1..) => ("server", bytes),
                (bytes, _) => ("client", bytes),
            };
            let seconds = now.saturating_duration_since(carriage.since).as_secs_f64();
            self.log.info(format_args!(
                "transfer to {side}: {bytes} bytes in {seconds:.3} s, {how}"
            ));
        }
    }
}

impl DataPath for Relayed<'_> {
    fn reach(&mut self, server: SocketAddr, facing_server: SocketAddr) {
        self.legs.reach(server, facing_server);
    }

    fn prepare(&mut self, plan: &DataPlan, now: Instant) -> Result<SocketAddr, Unprepared> {
        self.discard(now);
        let legs = &self.legs;
        if legs.is_third(*plan) {
            self.guard
                .check_third(plan.far_end())
                .map_err(Unprepared::Forbidden)?;
        }
        let (at, expected, announced) = match plan {
            DataPlan::Active { .. } => (legs.facing_server, legs.server, Announced::default()),
            DataPlan::Passive { .. } => (legs.facing_client, legs.client, legs.announced),
        };
        let balancers = match plan {
            DataPlan::Active { .. } => None,
            DataPlan::Passive { .. } => self.balancers.on_data(),
        };
        let arrivals = Arrivals::new(self.listen(at)?, expected.ip(), balancers);
        let at = arrivals.at()?;
        self.log
            .debug(1, format_args!("listening at {at} for {plan:?}"));
        let announced = announced.of(at);
        self.state = State::Listening {
            arrivals,
            plan: *plan,
            announced,
        };
        Ok(announced)
    }

    fn discard(&mut self, now: Instant) {
        match &self.state {
            State::Carrying(carriage)
                if carriage.to_client.is_finished() || carriage.to_server.is_finished() =>
            {
                // A peer that keeps its half open after the other's end does not make the transfer less whole. But who has
                // ended its own half is still owed the other's, and must not take what it has for all.
                let cut = carriage.reset_unfinished();
                self.conclude(now, if cut { "aborted" } else { "complete" });
            }
            State::Carrying(carriage) => {
                carriage.reset();
                self.conclude(now, "aborted");
            }
            State::Idle
            | State::Listening { .. }
            | State::Dialling { .. }
            | State::Telling { .. } => {}
        }
        self.state = State::Idle;
    }

    fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening { .. })
    }

    fn give_up(&mut self, now: Instant) -> Option<DataEnd> {
        match &self.state {
            State::Idle | State::Telling { .. } => None,
            State::Listening { arrivals, plan, .. } => {
                let plan = *plan;
                if let Ok(at) = arrivals.at() {
                    self.log.info(format_args!(
                        "nobody came for the data connection at {at} in time"
                    ));
                }
                self.state = State::Idle;
                Some(self.tell_server(plan, now))
            }
            State::Dialling { .. } => self.give_up_dialling(),
            State::Carrying(carriage) => {
                carriage.reset_unfinished();
                self.conclude(now, "stalled");
                Some(DataEnd::Broken)
            }
        }
    }

    fn watch<'a>(&'a self, flow: bool, watch: &mut Watch<'a>) {
        match &self.state {
            State::Idle => {}
            State::Listening { arrivals, .. } => arrivals.watch(watch),
            State::Dialling { dialled, plan, .. } => {
                let side = match plan {
                    DataPlan::Active { .. } => Side::Client,
                    DataPlan::Passive { .. } => Side::Server,
                };
                watch.add(Source::Data(side), dialled.as_fd(), false, true);
            }
            State::Telling { server, .. } => {
                watch.add(Source::Data(Side::Server), server.as_fd(), false, true);
            }
            State::Carrying(carriage) => carriage.watch(flow, watch),
        }
    }

    fn turn(&mut self, ready: &Ready, flow: bool, now: Instant, ends: &mut Vec<DataEnd>) -> bool {
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        if ready.has(Source::Listener) || late {
            ends.extend(self.accept(now));
        }
        let data = ready.has(Source::Data(Side::Client)) || ready.has(Source::Data(Side::Server));
        match &self.state {
            State::Dialling { .. } if data => {
                ends.extend(self.finish_dialling(now));
                true
            }
            State::Dialling { deadline, .. } if *deadline <= now => {
                ends.extend(self.give_up_dialling());
                false
            }
            State::Telling { server, deadline } if data || *deadline <= now => {
                net::reset(server);
                self.state = State::Idle;
                false
            }
            State::Carrying(_) if data => self.carry(flow, now, ends),
            _ => false,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Listening { arrivals, .. } => arrivals.deadline(),
            State::Dialling { deadline, .. } | State::Telling { deadline, .. } => Some(*deadline),
            _ => None,
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, State::Dialling { .. } | State::Carrying(_))
    }

    fn totals(&self) -> Totals {
        self.totals
    }
}

/// Sends what comes before a client's first byte. A new connection takes at once more than a header's length.
fn introduce(dialled: &Socket, header: &[u8]) -> io::Result<()> {
    if header.is_empty() || dialled.send(header)? == header.len() {
        return Ok(());
    }
    Err(io::ErrorKind::WriteZero.into())
}
