//! Waiting for who is to come.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use super::{Relayed, State};
use crate::ftp::DataEnd;
use crate::log::Provoked;
use crate::net;

impl Relayed<'_> {
    pub(super) fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let ports = self.legs.ports;
        match net::listen_data(at, ports) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !self.legs.strict_ports => {
                self.log.provoked(Provoked::NoData, |log| {
                    log.warning(format_args!(
                        "every data port from {ports} is taken, listening at another"
                    ));
                });
                net::listen_data_anywhere(at)
            }
            result => result,
        }
    }

    /// Dials on for whoever has come that was to come.
    pub(super) fn accept(&mut self, now: Instant) -> Option<DataEnd> {
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
}
