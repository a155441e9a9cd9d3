//! The relay at the original server's address: the packet filter brings the client's connections to our listener, and
//! puts that address in place of ours where we dial.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::granted::Granted;
use super::{DataPath, Ready, Relayed, Totals, Watch};
use crate::broker::{Broker, Way};
use crate::ftp::{DataEnd, DataPlan};
use crate::log::Log;

/// A relay, and what makes its addresses the server's.
pub struct Redirected<'a> {
    relayed: Relayed<'a>,
    /// The address that the client dialled, and always sees.
    dialled: IpAddr,
    granted: Granted,
    log: &'a Log,
}

impl<'a> Redirected<'a> {
    /// Nothing is opened or granted yet.
    #[must_use]
    pub fn new(relayed: Relayed<'a>, dialled: IpAddr, broker: Broker, log: &'a Log) -> Self {
        Redirected {
            relayed,
            dialled,
            granted: Granted::new(broker),
            log,
        }
    }

    fn grant(&mut self, plan: &DataPlan, listening: SocketAddr) -> io::Result<SocketAddr> {
        let legs = self.relayed.legs();
        let (wanted, told) = match plan {
            DataPlan::Active { client } => {
                let port = client.port();
                (legs.wanted(Way::RedirectActive, port, port), listening)
            }
            DataPlan::Passive { .. } => {
                let port = listening.port();
                let wanted = legs.wanted(Way::RedirectPassive, port, port);
                (wanted, SocketAddr::new(self.dialled, port))
            }
        };
        self.granted.ask(&wanted)?;
        Ok(told)
    }
}

impl DataPath for Redirected<'_> {
    fn reach(&mut self, server: SocketAddr, facing_server: SocketAddr) {
        self.relayed.reach(server, facing_server);
    }

    fn prepare(&mut self, plan: &DataPlan, now: Instant) -> io::Result<SocketAddr> {
        let listening = self.relayed.prepare(plan, now)?;
        self.grant(plan, listening)
            .inspect_err(|_| self.discard(now))
    }

    fn discard(&mut self, now: Instant) {
        self.relayed.discard(now);
        self.granted.leave(now);
    }

    fn watch<'w>(&'w self, flow: bool, watch: &mut Watch<'w>) {
        self.relayed.watch(flow, watch);
    }

    fn turn(&mut self, ready: &Ready, flow: bool, now: Instant, ends: &mut Vec<DataEnd>) -> bool {
        let moved = self.relayed.turn(ready, flow, now, ends);
        if self.relayed.is_idle() {
            self.granted.leave(now);
        }
        self.granted.turn(now, self.log);
        moved
    }

    fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.relayed.deadline(), self.granted.deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn is_connected(&self) -> bool {
        self.relayed.is_connected()
    }

    fn totals(&self) -> Totals {
        self.relayed.totals()
    }
}
