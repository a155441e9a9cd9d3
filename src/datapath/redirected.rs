//! The relay at the original server's address: the packet filter brings the client's connections to our listener, and
//! puts that address in place of ours where we dial.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::granted::{Granted, TRIES};
use super::{DataPath, Ready, Relayed, Report, Totals, Unprepared, Watch};
use crate::broker::{Broker, Way};
use crate::ftp::{DataEnd, DataPlan};
use crate::log::Log;

/// A relay, and what makes its addresses the server's.
pub struct Redirected<'a> {
    relayed: Relayed<'a>,
    granted: Granted,
    log: &'a Log,
}

impl<'a> Redirected<'a> {
    /// Nothing is opened or granted yet. The relay announces the address that the client dialled, and always sees.
    #[must_use]
    pub fn new(relayed: Relayed<'a>, broker: Broker, log: &'a Log) -> Self {
        Redirected {
            relayed,
            granted: Granted::new(broker),
            log,
        }
    }

    /// `listening` is the port of the relay's listener.
    fn grant(&mut self, plan: &DataPlan, listening: u16) -> io::Result<()> {
        let (way, port) = match plan {
            DataPlan::Active { client } => (Way::RedirectActive, client.port()),
            DataPlan::Passive { .. } => (Way::RedirectPassive, listening),
        };
        let wanted = self.relayed.legs().wanted(way, port, port);
        self.granted.ask(&wanted)
    }
}

impl DataPath for Redirected<'_> {
    fn reach(&mut self, server: SocketAddr, facing_server: SocketAddr) {
        self.relayed.reach(server, facing_server);
    }

    fn prepare(&mut self, plan: &DataPlan, now: Instant) -> Result<SocketAddr, Unprepared> {
        let mut tries = 0;
        loop {
            let told = self.relayed.prepare(plan, now)?;
            // A third host expects nobody's address, and the broker would grant it nothing.
            let active = matches!(plan, DataPlan::Active { .. });
            if active && self.relayed.legs().is_third(*plan) {
                self.granted.leave(now);
                return Ok(told);
            }
            tries += 1;
            match self.grant(plan, told.port()) {
                // Another session of this client's has left that port a moment ago.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {}
                Err(error) => {
                    self.discard(now);
                    return Err(error.into());
                }
                Ok(()) => return Ok(told),
            }
        }
    }

    fn discard(&mut self, now: Instant) {
        self.relayed.discard(now);
        self.granted.leave(now);
    }

    fn is_listening(&self) -> bool {
        self.relayed.is_listening()
    }

    fn give_up(&mut self, now: Instant) -> Option<DataEnd> {
        let end = self.relayed.give_up(now);
        self.granted.leave(now);
        end
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

    fn take_reports(&mut self) -> Vec<Report> {
        self.relayed.take_reports()
    }

    fn totals(&self) -> Totals {
        self.relayed.totals()
    }
}
