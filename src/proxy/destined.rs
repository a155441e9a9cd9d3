//! Where a session goes, and between which addresses.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;

use super::Proxy;
use super::refusal::{Refusal, fault, no_destination, refused, resolve};
use crate::announce::Announced;
use crate::datapath::Legs;
use crate::destination::Guard;
use crate::error::Error;
use crate::nat::Redirected;
use crate::net::{self, LocalAddresses, SourcePort, with_port};
use crate::options::Destination;
use crate::privs::Root;
use crate::servers::Servers;

/// Where a session goes.
pub(super) struct Destined {
    /// Who wants to go there.
    pub(super) client: SocketAddr,
    /// A balancer brings it.
    balanced: bool,
    /// The addresses of the server, to be tried in turn; none if the client has yet to name it.
    pub(super) servers: Vec<SocketAddr>,
    /// What the client dialled, and dials again after a 229.
    pub(super) dialled: SocketAddr,
    pub(super) guard: Guard,
}

impl Destined {
    /// A balancer says who the client is, and what it dialled.
    pub(super) fn lead(&mut self, told: &Redirected) {
        self.client = told.client;
        self.balanced = true;
        self.dialled = told.proxy;
        self.guard.client = told.client.ip();
    }

    /// Whether a client that dials the same address again comes to this one of ours.
    pub(super) fn leads_to(&self, at: SocketAddr) -> bool {
        self.balanced || self.dialled.ip() == at.ip()
    }
}

impl Proxy<'_> {
    /// As the options or the packet filter say.
    pub(super) fn destination(
        &self,
        client: &TcpStream,
        ends: Redirected,
        local: LocalAddresses,
    ) -> Result<Destined, Refusal> {
        let guard = |client_chose| Guard {
            local,
            proxy: ends.proxy,
            client: ends.client.ip(),
            client_chose,
        };
        let (servers, dialled, guard) = match (&self.options.destination, &self.engine) {
            (Destination::Reverse(server), _) => (resolve(server)?, ends.proxy, guard(None)),
            (_, Some(engine)) => {
                let original = engine
                    .original_dst(client.as_fd(), &ends)
                    .map_err(|e| no_destination(&ends, &e))?;
                let original = net::canonical(original);
                (vec![original], original, guard(None))
            }
            (Destination::Forward { to, .. }, None) => {
                (Vec::new(), ends.proxy, guard(Some(to.clone())))
            }
            _ => (Vec::new(), ends.proxy, guard(Some(Servers::Usual))),
        };
        // At once, before the log says accepted: a loop makes a process a turn.
        if let [server] = servers.as_slice() {
            guard.check(*server).map_err(|why| refused(&ends, &why))?;
        }
        Ok(Destined {
            client: ends.client,
            balanced: false,
            servers,
            dialled,
            guard,
        })
    }

    /// The addresses of both sides' data connections, as far as they are known before there is a server.
    pub(super) fn legs(
        &self,
        destined: &Destined,
        ends: &Redirected,
        root: Option<&Root>,
    ) -> Result<Legs, Refusal> {
        let no_way = |e| fault(Error::os("no way back to the client")(e));
        let local = &destined.guard.local;
        // Where a filter delivers to the loopback, or leaves the server's address in place, our end is not an address
        // at which the client finds us.
        let usable = local.contains(ends.proxy.ip())
            && (!ends.proxy.ip().is_loopback() || local.contains(ends.client.ip()));
        let facing_client = if usable {
            ends.proxy
        } else {
            net::address_toward(ends.client).map_err(no_way)?
        };
        let source = self
            .options
            .source_to_client
            .filter(|ip| ip.is_ipv4() == ends.client.is_ipv4());
        Ok(Legs {
            client: ends.client,
            facing_client,
            source_to_client: source.map_or(facing_client, |ip| net::toward(ends.client, ip)),
            source_port: SourcePort::Among(self.options.ports),
            server: with_port(ends.client, 0),
            facing_server: facing_client,
            ports: self.options.ports,
            strict_ports: self.options.strict_ports,
            keepalive: self.options.bounds.keepalive,
            announced: if self.is_balancer(ends.client) {
                Announced::default() // who the client is, is not known yet
            } else {
                self.announced(ends.client.ip(), root)
            },
        })
    }
}
