//! The relay at the original server's address: the packet filter brings the client's connections to our listener, and
//! puts that address in place of ours where we dial.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::granted::{Granted, TRIES};
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
        let mut tries = 0;
        loop {
            let listening = self.relayed.prepare(plan, now)?;
            tries += 1;
            match self.grant(plan, listening) {
                // Another session of this client's has left that port a moment ago.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {}
                Err(error) => {
                    self.discard(now);
                    return Err(error);
                }
                told => return told,
            }
        }
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
