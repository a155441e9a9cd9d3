//! How a session comes to its server.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};

use super::Proxy;
use super::destined::Destined;
use super::refusal::{Refusal, server_gone, unreachable};
use crate::datapath::{DataPath, Legs};
use crate::destination::{self, Progress, Unreachable};
use crate::endpoint::HostPort;
use crate::log::Provoked;
use crate::net;
use crate::proxy_protocol;
use crate::relay::{Control, Dialled};
use crate::resolver::Resolver;

/// A server that has accepted, and both ends of its connection.
pub(super) struct Reached {
    pub(super) stream: TcpStream,
    pub(super) server: SocketAddr,
    pub(super) ours: SocketAddr,
}

impl Proxy<'_> {
    /// The server and its address, unless the client has yet to name it. `waits` is told if that takes time.
    pub(super) fn server(
        &self,
        destined: &Destined,
        legs: &mut Legs,
        waits: &mut dyn FnMut(),
    ) -> Result<Option<(Control, IpAddr)>, Refusal> {
        if destined.servers.is_empty() {
            return Ok(None);
        }
        let reached = self.dial(destined, &destined.servers, waits);
        let reached = reached.map_err(|why| unreachable(&why))?;
        legs.reach(reached.server, reached.ours);
        let control =
            Control::new(reached.stream, self.options.bounds.keepalive).map_err(server_gone)?;
        Ok(Some((control, reached.server.ip())))
    }

    /// Connects to the server. `waits` is told if that takes time.
    fn dial(
        &self,
        destined: &Destined,
        servers: &[SocketAddr],
        waits: &mut dyn FnMut(),
    ) -> Result<Reached, Unreachable> {
        let stream = destined.guard.dial(
            servers,
            self.options.source_to_server,
            self.options.bounds.connect,
            &mut |progress| match progress {
                Progress::Waits => waits(),
                Progress::PassedOver(why) => {
                    self.log.provoked(Provoked::Destination, |log| {
                        log.notice(format_args!("{why}; trying another"));
                    });
                }
            },
        )?;
        let (server, ours) =
            net::ends(&stream).map_err(|e| Unreachable::Silent(destined.guard.proxy, e))?;
        self.log
            .info(format_args!("connected to {server} from {ours}"));
        if let Some(send) = self.options.balancers.send {
            let header = proxy_protocol::header(send.version, destined.client, destined.dialled);
            let sent = (&stream).write_all(&header);
            sent.map_err(|error| Unreachable::Silent(server, error))?;
        }
        Ok(Reached {
            stream,
            server,
            ours,
        })
    }

    /// Forward mode: the client has named its server.
    pub(super) fn dial_named(
        &self,
        destined: &Destined,
        resolver: &mut Option<Resolver>,
        name: &HostPort,
        data: &mut dyn DataPath,
    ) -> Dialled {
        let found = destination::resolve(name, resolver.as_ref());
        let result = found.and_then(|found| self.dial(destined, &found, &mut || {}));
        match result {
            Ok(reached) => {
                *resolver = None; // it ends: no second server can be named
                data.reach(reached.server, reached.ours);
                Dialled::Connected(reached.stream, reached.server.ip())
            }
            Err(why) => {
                self.log.provoked(Provoked::Destination, |log| {
                    log.info(format_args!("refused {name}: {why}"));
                });
                match why {
                    Unreachable::Forbidden(_) => Dialled::Forbidden(why.reply()),
                    _ => Dialled::Unreachable(why.reply()),
                }
            }
        }
    }
}
