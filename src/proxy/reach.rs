//! How a session comes to its server.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use super::Proxy;
use super::life::Destined;
use crate::datapath::DataPath;
use crate::destination::{self, Progress, Unreachable};
use crate::endpoint::HostPort;
use crate::net;
use crate::proxy_protocol;
use crate::relay::Dialled;
use crate::resolver::Resolver;

/// A server that has accepted, and both ends of its connection.
pub(super) struct Reached {
    pub(super) stream: TcpStream,
    pub(super) server: SocketAddr,
    pub(super) ours: SocketAddr,
}

impl Proxy<'_> {
    /// Connects to the server. `waits` is told if that takes time.
    pub(super) fn dial(
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
                    self.log.notice(format_args!("{why}; trying another"));
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
        resolver: Option<&Resolver>,
        name: &HostPort,
        data: &mut dyn DataPath,
    ) -> Dialled {
        let found = destination::resolve(name, resolver);
        let result = found.and_then(|found| self.dial(destined, &found, &mut || {}));
        match result {
            Ok(reached) => {
                data.reach(reached.server, reached.ours);
                Dialled::Connected(reached.stream, reached.server.ip())
            }
            Err(why) => {
                self.log.info(format_args!("refused {name}: {why}"));
                match why {
                    Unreachable::Forbidden(_) => Dialled::Forbidden(why.reply()),
                    _ => Dialled::Unreachable(why.reply()),
                }
            }
        }
    }
}
