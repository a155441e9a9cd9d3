//! Dialling the far end for who has come, and failing to.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use socket2::Socket;

use super::{Relayed, State};
use crate::datapath::arrivals::Arrived;
use crate::datapath::carriage::Carriage;
use crate::datapath::legs::scoped;
use crate::ftp::{DataEnd, DataPlan};
use crate::log::Provoked;
use crate::net::{self, SourcePort};
use crate::proxy_protocol;

impl Relayed<'_> {
    pub(super) fn dial(&self, plan: DataPlan) -> io::Result<Socket> {
        let legs = &self.legs;
        match plan {
            DataPlan::Active { client } => {
                self.dial_client(scoped(client, legs.client), legs.is_third(plan))
            }
            DataPlan::Passive { server } => {
                let to = scoped(server, legs.server);
                self.dial_from(to, legs.facing_server, SourcePort::Among(legs.ports))
            }
        }
    }

    /// From port 20 if it can be had. Where the client names one port again and again, the connection of the last transfer may
    /// still have this pair of ports: half open, or in TIME-WAIT (RFC 9293 §3.6). It has it for longer than a client waits.
    fn dial_client(&self, to: SocketAddr, third: bool) -> io::Result<Socket> {
        let legs = &self.legs;
        let from = legs.source_to_client;
        let dialled = match (&self.lender, legs.source_port) {
            // The broker knows the client alone.
            (Some(broker), _) if !third => broker.dial(to.port()),
            (_, SourcePort::FtpData) => net::dial_data(to, from, SourcePort::FtpData),
            (_, port) => return self.dial_from(to, from, port),
        };
        match dialled {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                self.log.provoked(Provoked::NoData, |log| {
                    log.notice(format_args!(
                        "port 20 is in use toward {to}, connecting from another port"
                    ));
                });
                self.dial_from(to, from, SourcePort::Among(legs.ports))
            }
            result => result,
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

    /// What is to be sent before the first byte of a data connection that goes to the server. The destination has the
    /// server's own port: it knows no other, and a balancer before it leads a range of ports by that number.
    pub(super) fn header(
        &self,
        plan: DataPlan,
        arrived: &Arrived,
        announced: SocketAddr,
    ) -> Vec<u8> {
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

    pub(super) fn finish_dialling(&mut self, now: Instant) -> Option<DataEnd> {
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
            .and_then(|()| self.spare.provide());
        match opened {
            Ok(()) => {
                let (client, server) = match plan {
                    DataPlan::Active { .. } => (dialled, came),
                    DataPlan::Passive { .. } => (came, dialled),
                };
                self.totals.transfers += 1;
                self.state = State::Carrying(Carriage::new(client, server, now));
                None
            }
            Err(error) => Some(self.cannot_open(&[&came, &dialled], plan, &error)),
        }
    }

    pub(super) fn give_up_dialling(&mut self) -> Option<DataEnd> {
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

    /// Both sides, as far as there are any, learn by a reset that nothing is behind us: an end would be that of an empty
    /// file.
    pub(super) fn cannot_open(
        &mut self,
        sockets: &[&Socket],
        plan: DataPlan,
        error: &io::Error,
    ) -> DataEnd {
        for socket in sockets {
            net::reset(socket);
        }
        self.state = State::Idle;
        let (to, end) = match plan {
            DataPlan::Active { client } => (client, DataEnd::ClientUnreachable),
            DataPlan::Passive { server } => (server, DataEnd::ServerUnreachable),
        };
        self.log.provoked(Provoked::NoData, |log| {
            log.info(format_args!("cannot open data connection to {to}: {error}"));
        });
        end
    }
}

/// Sends what comes before a client's first byte. A new connection takes at once more than a header's length.
fn introduce(dialled: &Socket, header: &[u8]) -> io::Result<()> {
    if header.is_empty() || dialled.send(header)? == header.len() {
        return Ok(());
    }
    Err(io::ErrorKind::WriteZero.into())
}
