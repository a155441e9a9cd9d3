//! The packet filter carries the data itself; no byte of it passes here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use socket2::Socket;

use super::granted::{Granted, TRIES};
use super::{DataPath, Legs, Ready, Totals, Unprepared, Watch};
use crate::broker::{Broker, Way};
use crate::ftp::{DataEnd, DataPlan};
use crate::log::Log;
use crate::net;

/// One grant at a time, and a port of ours that nobody else can have meanwhile.
pub struct Kernel<'a> {
    legs: Legs,
    /// The address that the client dialled, and always sees.
    dialled: IpAddr,
    granted: Granted,
    /// Bound and deaf. Whoever comes without the packet filter's help is refused.
    reserved: Option<Socket>,
    /// The session has yet to hear that it will hear no more.
    untold: bool,
    totals: Totals,
    log: &'a Log,
}

impl<'a> Kernel<'a> {
    /// Nothing is granted yet.
    #[must_use]
    pub fn new(legs: Legs, dialled: IpAddr, broker: Broker, log: &'a Log) -> Self {
        Kernel {
            legs,
            dialled,
            granted: Granted::new(broker),
            reserved: None,
            untold: false,
            totals: Totals::default(),
            log,
        }
    }
}

impl DataPath for Kernel<'_> {
    fn reach(&mut self, server: SocketAddr, facing_server: SocketAddr) {
        self.legs.reach(server, facing_server);
    }

    fn prepare(&mut self, plan: &DataPlan, _: Instant) -> Result<SocketAddr, Unprepared> {
        self.reserved = None;
        let legs = &self.legs;
        let server = legs.server;
        let (way, at, told, real) = match plan {
            DataPlan::Active { client } => (
                Way::KernelActive,
                legs.facing_server,
                legs.facing_server.ip(),
                client.port(),
            ),
            DataPlan::Passive { server } => (
                Way::KernelPassive,
                legs.facing_client,
                self.dialled,
                server.port(),
            ),
        };
        let mut tries = 0;
        let grant = |announced| {
            // A translation that changes nothing is none to the kernel, and a filter that passes what is translated
            // would drop it.
            if (told, announced) == (server.ip(), real) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            tries += 1;
            let wanted = legs.wanted(way, announced, real);
            match self.granted.ask(&wanted) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries == TRIES => Err(
                    io::Error::other("the packet filter has a grant for each port tried"),
                ),
                result => result,
            }
        };
        let (reserved, port) = net::reserve(at, legs.ports, grant)?;
        self.reserved = Some(reserved);
        self.untold = true;
        self.totals.granted += 1;
        let told = match plan {
            DataPlan::Active { .. } => SocketAddr::new(told, port),
            // The packets come to the address that was dialled, whatever translates them before.
            DataPlan::Passive { .. } => self.legs.announced.of(SocketAddr::new(told, port)),
        };
        self.log.debug(1, format_args!("granted {told} for {plan}"));
        Ok(told)
    }

    fn discard(&mut self, now: Instant) {
        self.reserved = None;
        self.granted.leave(now);
    }

    fn is_listening(&self) -> bool {
        false // nobody would tell who has come
    }

    fn give_up(&mut self, _: Instant) -> Option<DataEnd> {
        None
    }

    fn watch<'w>(&'w self, _: bool, _: &mut Watch<'w>) {}

    fn turn(&mut self, _: &Ready, _: bool, now: Instant, ends: &mut Vec<DataEnd>) -> bool {
        self.granted.turn(now, self.log);
        if std::mem::take(&mut self.untold) {
            ends.push(DataEnd::Elsewhere);
        }
        false
    }

    fn deadline(&self) -> Option<Instant> {
        self.granted.deadline()
    }

    fn is_connected(&self) -> bool {
        false
    }

    fn totals(&self) -> Totals {
        self.totals
    }
}
