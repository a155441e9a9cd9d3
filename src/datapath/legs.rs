//! Where data connections may come from and go to.

use std::net::SocketAddr;
use std::time::Duration;

use crate::announce::Announced;
use crate::broker::{Wanted, Way};
use crate::endpoint::PortRange;
use crate::ftp::DataPlan;
use crate::net::{SourcePort, with_port};

/// The addresses of a session's data connections. Ports of these addresses are of no meaning.
#[derive(Clone, Copy, Debug)]
pub struct Legs {
    /// The client, as its control connection shows it.
    pub client: SocketAddr,
    /// Our address as the client knows it: passive data connections come here.
    pub facing_client: SocketAddr,
    /// Source address of active data connections.
    pub source_to_client: SocketAddr,
    /// Source port of active data connections.
    pub source_port: SourcePort,
    /// The server, as its control connection shows it; meaningless before there is one.
    pub server: SocketAddr,
    /// Our address as the server knows it: active data connections come here, passive ones leave from here.
    pub facing_server: SocketAddr,
    /// The ports that we listen at and dial from.
    pub ports: PortRange,
    /// We listen at no others, even if all of them are taken.
    pub strict_ports: bool,
    /// When a data connection that carries nothing is probed.
    pub keepalive: Option<Duration>,
    /// What the client is told of where we listen for it.
    pub announced: Announced,
}

impl Legs {
    /// Data goes to this server from now on; our address as it knows us is `facing_server`.
    pub fn reach(&mut self, server: SocketAddr, facing_server: SocketAddr) {
        self.server = server;
        self.facing_server = facing_server;
    }

    /// The far end of this data connection is neither the client nor the server.
    #[must_use]
    pub fn is_third(&self, plan: DataPlan) -> bool {
        let peer = match plan {
            DataPlan::Active { .. } => self.client,
            DataPlan::Passive { .. } => self.server,
        };
        plan.far_end().ip() != peer.ip()
    }

    /// What the broker has to know of a data connection between these.
    #[must_use]
    pub fn wanted(&self, way: Way, announced: u16, real: u16) -> Wanted {
        Wanted {
            way,
            announced,
            real,
            server: self.server.ip(),
            facing_server: self.facing_server.ip(),
        }
    }
}

/// The peer's own address with the port that it named; a link-local one keeps the scope that only we know.
pub(super) fn scoped(named: SocketAddr, peer: SocketAddr) -> SocketAddr {
    if named.ip() == peer.ip() {
        with_port(peer, named.port())
    } else {
        named
    }
}
