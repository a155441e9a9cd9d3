//! Who the client is: the peer of our socket, or whom a balancer says that it brings (`--accept-proxy-protocol`).

use std::net::{IpAddr, SocketAddr, TcpStream};

use super::Proxy;
use super::refusal::{Refusal, SILENCE};
use crate::announce::Told;
use crate::balancer;
use crate::datapath::Legs;
use crate::error::Error;
use crate::nat::Redirected;
use crate::net::{self, LocalAddresses};
use crate::proxy_protocol::Header;

impl Proxy<'_> {
    /// What a balancer says of the client and of what it dialled; `None`: the ends of the socket are the ones that count.
    /// The balancer's header is read, and nothing else.
    pub(super) fn introduction(
        &self,
        client: &TcpStream,
        socket: &Redirected,
        local: &LocalAddresses,
    ) -> Result<Option<Redirected>, Refusal> {
        let balancer = socket.client;
        if !self.is_balancer(balancer) {
            return Ok(None);
        }
        let refused = |why: String| {
            let text = format!("refused {balancer}: {why}");
            Refusal(SILENCE, Error::Protocol(text))
        };
        let header = balancer::introduction(client).map_err(|why| refused(why.to_string()))?;
        let (client, proxy) = match header {
            Header::Local => return Ok(None),
            Header::Proxied {
                source,
                destination,
            } => (source, destination),
        };
        if !is_believable(client, balancer, local) {
            return Err(refused(format!(
                "its PROXY protocol header names {client}, which is not its own to name"
            )));
        }
        Ok(Some(Redirected { client, proxy }))
    }

    /// A header is required of this peer.
    pub(super) fn is_balancer(&self, peer: SocketAddr) -> bool {
        let accept = self.options.balancers.accept.as_ref();
        accept.is_some_and(|list| list.contain(peer.ip()))
    }

    /// Data goes to whom a balancer brings. Passive data comes where the control connection came, and the client is told
    /// the address that it has dialled, unless it is to be told another; active data goes to the client by itself.
    pub(super) fn lead(&self, legs: &mut Legs, told: &Redirected) {
        let family = |ip: &IpAddr| ip.is_ipv4() == told.client.is_ipv4();
        legs.client = told.client;
        if legs.announced.address == Told::AsDialled && family(&told.proxy.ip()) {
            legs.announced.address = Told::Dialled(told.proxy.ip());
        }
        // There may be no way to the client but by the balancer, and then there is passive data alone.
        let source = self.options.source_to_client.filter(family);
        legs.source_to_client = source
            .map(|ip| SocketAddr::new(ip, 0))
            .or_else(|| net::address_toward(told.client).ok())
            .unwrap_or(legs.facing_client);
    }

    /// A name of `--masquerade` is looked up when the header has said for whom.
    pub(super) fn masks_after_header(&self) -> bool {
        self.masks_by_name() && self.options.balancers.accept.is_some()
    }
}

/// A client with a loopback address, or another one of this machine, is on this machine, and may reach what others may not.
/// Only a balancer on this machine can have such clients.
fn is_believable(client: SocketAddr, balancer: SocketAddr, local: &LocalAddresses) -> bool {
    !local.contains(client.ip()) || local.contains(balancer.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balancer_elsewhere_brings_no_client_of_this_machine() {
        let local = LocalAddresses::of_interfaces(&["203.0.113.1", "2001:db8::1"]);
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (client, balancer, believable) in [
            ("127.0.0.1:4242", "192.0.2.7:9", false),
            ("127.3.2.1:4242", "[2001:db8::7]:9", false),
            ("[::1]:4242", "192.0.2.7:9", false),
            ("203.0.113.1:4242", "192.0.2.7:9", false),
            ("[2001:db8::1]:4242", "192.0.2.7:9", false),
            ("0.0.0.0:4242", "192.0.2.7:9", false),
            ("203.0.113.1:4242", "203.0.113.1:9", true),
            ("203.0.113.1:4242", "127.0.0.1:9", true),
            ("127.0.0.1:4242", "127.0.0.1:9", true),
            ("198.51.100.7:4242", "192.0.2.7:9", true),
        ] {
            let judged = is_believable(at(client), at(balancer), &local);
            assert_eq!(judged, believable, "{client} by {balancer}");
        }
    }
}
