//! What a session's client is told of passive data connections.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Proxy;
use crate::announce::{Announced, Masquerade, Told};
use crate::endpoint::Host;
use crate::privs::Root;
use crate::resolver::Resolver;

/// How long a client may wait for its greeting because of the name of `--masquerade`.
const PATIENCE: Duration = Duration::from_secs(10);

impl Proxy<'_> {
    /// What this client is told. A name is looked up for each session, before it can see no file any more.
    pub(super) fn announced(&self, client: IpAddr, root: Option<&Root>) -> Announced {
        let options = &self.options.announce;
        let address = match Masquerade::of(&options.masquerade, client) {
            // Replies to IPv6 clients hold no address.
            Some(_) if client.is_ipv6() => Told::AsDialled,
            Some(Host::Address(ip)) => Told::Instead(*ip),
            Some(Host::Name(name)) => self.looked_up(name, root),
            Some(Host::Zoned(..)) | None => Told::AsDialled,
        };
        Announced {
            address,
            offset: options.offset,
        }
    }

    /// Whether a name is to be looked up for some client.
    pub(super) fn masks_by_name(&self) -> bool {
        let masks = &self.options.announce.masquerade;
        masks.iter().any(|mask| matches!(mask.told, Host::Name(_)))
    }

    fn looked_up(&self, name: &str, root: Option<&Root>) -> Told {
        // By a process of its own: getaddrinfo(3) cannot be told how long it may take.
        let found = match Resolver::start(root, PATIENCE, self.log) {
            Ok(resolver) => resolver.addresses(name, 0),
            Err(error) => {
                self.log
                    .error(format_args!("cannot start the resolver: {error}"));
                Vec::new()
            }
        };
        match found.iter().map(SocketAddr::ip).find(IpAddr::is_ipv4) {
            Some(ip) => {
                self.log.debug(1, format_args!("{name} is {ip}"));
                Told::Instead(ip)
            }
            None => {
                self.log.warning(format_args!(
                    "--masquerade {name}: no IPv4 address is found, this session refuses PASV"
                ));
                Told::Unknown
            }
        }
    }
}
