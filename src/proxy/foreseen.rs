//! What a process that listens can tell the operator before there is a client: sessions will fail, or trust too many.

use std::net::IpAddr;
use std::time::Duration;

use super::Proxy;
use crate::destination;
use crate::endpoint::{Host, HostPort};
use crate::net::{self, LocalAddresses};
use crate::options::Destination;
use crate::privs::Root;
use crate::resolver::Resolver;

/// How long a name may take at the start. Clients wait in the meantime.
const PATIENCE: Duration = Duration::from_secs(3);

impl Proxy<'_> {
    /// Tries the names and addresses of the command line. What is wrong with them may pass, so each is a warning.
    pub(super) fn foresee(&self, root: &Root) {
        self.foresee_sources();
        if let Destination::Reverse(server) = &self.options.destination {
            self.foresee_server(server, root);
        }
        for masquerade in &self.options.announce.masquerade {
            if let Host::Name(name) = &masquerade.told {
                let found = self.tried(name, root);
                if found.is_some_and(|found| !found.iter().any(IpAddr::is_ipv4)) {
                    self.log.warning(format_args!(
                        "--masquerade {name}: no IPv4 address is found; until one is, sessions refuse PASV"
                    ));
                }
            }
        }
    }

    /// `-a` and `-S`.
    fn foresee_sources(&self) {
        let Ok(local) = LocalAddresses::read() else {
            return; // each session asks again
        };
        let options = self.options;
        for (option, source, what) in [
            ("-a", options.source_to_server, "connections to servers"),
            (
                "-S",
                options.source_to_client,
                "data connections to clients",
            ),
        ] {
            if let Some(ip) = source.filter(|ip| !local.contains(*ip)) {
                self.log.warning(format_args!(
                    "{option} {ip}: this machine has no such address; until it has, {what} fail"
                ));
            }
        }
    }

    fn foresee_server(&self, server: &HostPort, root: &Root) {
        let why = match &server.host {
            Host::Name(name) => match self.tried(name, root) {
                Some(found) if found.is_empty() => {
                    "no address is found; until one is, clients are refused".to_owned()
                }
                _ => return,
            },
            Host::Address(_) | Host::Zoned(..) => match destination::resolve(server, None) {
                Ok(found) => match found.first().map(|at| net::address_toward(*at)) {
                    Some(Err(error)) => format!("there is no route to it: {error}"),
                    _ => return,
                },
                Err(why) => why.to_string(),
            },
        };
        self.log.warning(format_args!("-R {server}: {why}"));
    }

    /// The addresses of a name; `None` if nobody can be asked.
    fn tried(&self, name: &str, root: &Root) -> Option<Vec<IpAddr>> {
        let resolver = Resolver::start(Some(root), PATIENCE, self.log).ok()?;
        let found = resolver.addresses(name, 0);
        Some(found.iter().map(|at| at.ip()).collect())
    }
}
