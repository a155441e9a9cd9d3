//! Listen here, dial there, copy.

mod carrying;
mod dialling;
mod telling;
mod waiting;

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::arrivals::Arrivals;
use super::carriage::Carriage;
use super::spare::Spare;
use super::{DataPath, Legs, Ready, Report, Source, Totals, Unprepared, Watch};
use crate::announce::Announced;
use crate::broker::Broker;
use crate::destination::Guard;
use crate::ftp::{DataEnd, DataPlan, Side};
use crate::log::{Log, Provoked};
use crate::net;
use crate::options::{Balancers, DataFrom};

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
    data_from: &'a DataFrom,
    state: State<'a>,
    spare: Spare,
    reports: Vec<Report>,
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
        data_from: &'a DataFrom,
        log: &'a Log,
    ) -> Self {
        Relayed {
            legs,
            lender,
            connect,
            guard,
            balancers,
            data_from,
            state: State::Idle,
            spare: Spare::default(),
            reports: Vec::new(),
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
        let (also, balancers) = match plan {
            DataPlan::Active { .. } => (&self.data_from.server, None),
            DataPlan::Passive { .. } => (&self.data_from.client, self.balancers.on_data()),
        };
        let listener = self.listen(at)?;
        let arrivals = Arrivals::new(listener, expected.ip(), also.as_ref(), balancers);
        let at = arrivals.at()?;
        self.log
            .debug(1, format_args!("listening at {at} for {plan}"));
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
                    self.log.provoked(Provoked::NoData, |log| {
                        log.info(format_args!(
                            "nobody came for the data connection at {at} in time"
                        ));
                    });
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
        self.spare.turn(now);
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        if ready.has(Source::Listener) || late {
            ends.extend(self.accept(now));
        }
        if let State::Carrying(carriage) = &mut self.state {
            carriage.narrow(&mut self.spare, now);
            carriage.keep_alive(now, self.legs.keepalive);
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
            State::Carrying(_) if data => self.carry(ready, flow, now, ends),
            _ => false,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Listening { arrivals, .. } => arrivals.deadline(),
            State::Dialling { deadline, .. } | State::Telling { deadline, .. } => Some(*deadline),
            State::Carrying(carriage) => {
                let deadlines = [carriage.deadline(&self.spare), carriage.lasts_at()];
                deadlines.into_iter().flatten().min()
            }
            State::Idle => None,
        };
        [state, self.spare.deadline()].into_iter().flatten().min()
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, State::Dialling { .. } | State::Carrying(_))
    }

    fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    fn totals(&self) -> Totals {
        self.totals
    }
}
