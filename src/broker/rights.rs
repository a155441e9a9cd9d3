//! What one session may have of its broker. Pure but for the list of our addresses.

use std::net::{IpAddr, SocketAddr};

use super::request::{Wanted, Way};
use crate::endpoint::PortRange;
use crate::net::{LocalAddresses, with_port};
use crate::options::DataPath;
use crate::rules::{Grant, Kind, Source};

/// Ports below belong to services (RFC 2577 §3).
const LEAST_PORT: u16 = 1024;

/// The source port of active data connections (RFC 959 §3.2).
const FTP_DATA_PORT: u16 = 20;

/// What this session may have; settled before it has read a byte of a stranger's.
#[derive(Clone, Debug)]
pub struct Rights {
    /// The client, as its control connection shows it.
    pub client: SocketAddr,
    /// The address that the client dialled, and is to see for ever.
    pub dialled: IpAddr,
    /// Our address toward the client, at which the session listens.
    pub facing_client: IpAddr,
    /// Our address from which the session dials the client.
    pub source_to_client: IpAddr,
    /// The servers that the session may end up with.
    pub servers: Vec<IpAddr>,
    /// The addresses of this machine, of which one will face the server.
    pub local: LocalAddresses,
    /// The ports at which the session may listen, and which it may announce.
    pub ports: PortRange,
    /// The data path: redirect or kernel for grants, relay for none.
    pub path: DataPath,
    /// `--rewrite-source-port`.
    pub from_port_20: bool,
    /// `--allow-low-ports`.
    pub low_ports: bool,
}

/// Why a request is a bad one.
pub(super) type Objection = &'static str;

impl Rights {
    /// The grant that was asked for, if this session may have it.
    ///
    /// # Errors
    /// It may not, and does not ask so by itself: something else speaks for it.
    pub(super) fn grant(&self, wanted: &Wanted) -> Result<Grant, Objection> {
        let kernel = matches!(wanted.way, Way::KernelPassive | Way::KernelActive);
        if kernel != (self.path == DataPath::Kernel) || self.path == DataPath::Relay {
            return Err("not this session's data path");
        }
        if !self.servers.contains(&wanted.server) {
            return Err("not this session's server");
        }
        let facing_server = wanted.facing_server;
        if facing_server.is_unspecified() || !self.local.contains(facing_server) {
            return Err("not an address of this machine");
        }
        self.far(wanted)?;
        match wanted.way {
            Way::RedirectActive => {}
            Way::RedirectPassive => self.own(wanted.announced).and(self.own(wanted.real))?,
            Way::KernelPassive | Way::KernelActive => self.own(wanted.announced)?,
        }
        let client = self.client.ip();
        let dialled = SocketAddr::new(self.dialled, wanted.announced);
        let at_client = SocketAddr::new(client, wanted.real);
        let as_dialled = Some(Source {
            address: self.dialled,
            port: self.from_port_20.then_some(FTP_DATA_PORT),
        });
        let grant = match wanted.way {
            Way::KernelPassive => Grant {
                kind: Kind::Through,
                from: client,
                at: dialled,
                to: SocketAddr::new(wanted.server, wanted.real),
                source: Some(Source {
                    address: facing_server,
                    port: None,
                }),
            },
            Way::KernelActive => Grant {
                kind: Kind::Through,
                from: wanted.server,
                at: SocketAddr::new(facing_server, wanted.announced),
                to: at_client,
                source: as_dialled,
            },
            Way::RedirectPassive => Grant {
                kind: Kind::Inward,
                from: client,
                at: dialled,
                to: SocketAddr::new(self.facing_client, wanted.real),
                source: None,
            },
            Way::RedirectActive => Grant {
                kind: Kind::Outward,
                from: self.source_to_client,
                at: at_client,
                to: at_client,
                source: as_dialled,
            },
        };
        one_family(&grant)?;
        Ok(grant)
    }

    /// Where to connect to from port 20, and from which address, if this session may.
    ///
    /// # Errors
    /// As [`Rights::grant`].
    pub(super) fn dial(&self, port: u16) -> Result<(SocketAddr, SocketAddr), Objection> {
        if !self.from_port_20 {
            return Err("port 20 was not asked for");
        }
        high(port)?;
        let from = SocketAddr::new(self.source_to_client, 0);
        Ok((with_port(self.client, port), from))
    }

    /// The port of a client or server.
    fn far(&self, wanted: &Wanted) -> Result<(), Objection> {
        if wanted.way == Way::KernelPassive && self.low_ports && wanted.real > 0 {
            return Ok(());
        }
        high(wanted.real)
    }

    /// A port that the session takes itself.
    fn own(&self, port: u16) -> Result<(), Objection> {
        high(port)?;
        if !self.ports.contains(port) {
            return Err("not a port of this session's");
        }
        Ok(())
    }
}

fn high(port: u16) -> Result<(), Objection> {
    if port < LEAST_PORT {
        return Err("port below 1024");
    }
    Ok(())
}

fn one_family(grant: &Grant) -> Result<(), Objection> {
    let v4 = grant.from.is_ipv4();
    let source = grant.source.is_none_or(|s| s.address.is_ipv4() == v4);
    if grant.at.is_ipv4() != v4 || grant.to.is_ipv4() != v4 || !source {
        return Err("addresses of two families");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const INSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST); // is ours on every machine

    fn rights(path: DataPath) -> Rights {
        Rights {
            client: SocketAddr::new(CLIENT, 40000),
            dialled: SERVER,
            facing_client: INSIDE,
            source_to_client: INSIDE,
            servers: vec![SERVER],
            local: LocalAddresses::read().unwrap(),
            ports: PortRange::DEFAULT,
            path,
            from_port_20: false,
            low_ports: false,
        }
    }

    fn wanted(way: Way) -> Wanted {
        Wanted {
            way,
            announced: 50000,
            real: 40001,
            server: SERVER,
            facing_server: OURS,
        }
    }

    #[test]
    fn the_client_sees_the_address_it_dialled_and_the_server_sees_ours() {
        let kernel = rights(DataPath::Kernel);
        let passive = kernel.grant(&wanted(Way::KernelPassive)).unwrap();
        assert_eq!((passive.from, passive.at), (CLIENT, (SERVER, 50000).into()));
        assert_eq!(passive.to, (SERVER, 40001).into());
        assert_eq!(passive.source.unwrap().address, OURS);
        let active = kernel.grant(&wanted(Way::KernelActive)).unwrap();
        assert_eq!((active.from, active.at), (SERVER, (OURS, 50000).into()));
        assert_eq!(active.to, (CLIENT, 40001).into());
        assert_eq!(active.source.unwrap().address, SERVER);
        let redirect = rights(DataPath::Redirect);
        let listening = Wanted {
            real: 50000,
            ..wanted(Way::RedirectPassive)
        };
        let inward = redirect.grant(&listening).unwrap();
        assert_eq!((inward.to, inward.source), ((INSIDE, 50000).into(), None));
        let outward = redirect.grant(&wanted(Way::RedirectActive)).unwrap();
        assert_eq!((outward.from, outward.to), (INSIDE, (CLIENT, 40001).into()));
        assert_eq!(outward.source.unwrap().address, SERVER);
    }

    #[test]
    fn a_session_that_was_taken_over_gets_nothing_for_other_hosts_or_low_ports() {
        let stranger: IpAddr = [203, 0, 113, 7].into();
        let kernel = rights(DataPath::Kernel);
        let good = wanted(Way::KernelPassive);
        let from = |server| Wanted { server, ..good };
        let by = |facing_server| Wanted {
            facing_server,
            ..good
        };
        let ports = |announced, real| Wanted {
            announced,
            real,
            ..good
        };
        for (bad, why) in [
            (from(stranger), "server"),
            (from(CLIENT), "server"),
            (by(stranger), "machine"),
            (by(SERVER), "machine"),
            (by([0, 0, 0, 0].into()), "machine"),
            (by(Ipv6Addr::LOCALHOST.into()), "families"),
            (ports(21, 40001), "1024"),
            (ports(50000, 1023), "1024"),
            (ports(50000, 0), "1024"),
            (ports(8080, 40001), "session's"),
            (wanted(Way::RedirectPassive), "path"),
        ] {
            let objection = kernel.grant(&bad).unwrap_err();
            assert!(objection.contains(why), "{bad:?}: {objection}");
        }
        // Where nobody of the session's can listen, something else does.
        let redirect = rights(DataPath::Redirect);
        let elsewhere = wanted(Way::RedirectPassive);
        assert!(redirect.grant(&elsewhere).unwrap_err().contains("port"));
        let relay = rights(DataPath::Relay);
        assert!(relay.grant(&good).is_err());
        assert!(relay.grant(&wanted(Way::RedirectActive)).is_err());
    }

    #[test]
    fn low_ports_are_a_servers_and_only_where_allowed() {
        let mut rights = rights(DataPath::Kernel);
        let low = |way| Wanted {
            real: 990,
            ..wanted(way)
        };
        assert!(rights.grant(&low(Way::KernelPassive)).is_err());
        rights.low_ports = true;
        assert!(rights.grant(&low(Way::KernelPassive)).is_ok());
        assert!(rights.grant(&low(Way::KernelActive)).is_err());
        let none = Wanted {
            real: 0,
            ..wanted(Way::KernelPassive)
        };
        assert!(rights.grant(&none).is_err());
    }

    #[test]
    fn port_20_is_for_the_client_alone_and_only_where_it_was_asked_for() {
        let mut rights = rights(DataPath::Relay);
        assert!(rights.dial(2000).is_err());
        rights.from_port_20 = true;
        let (to, from) = rights.dial(2000).unwrap();
        assert_eq!((to, from.ip()), ((CLIENT, 2000).into(), INSIDE));
        assert!(rights.dial(25).is_err());
    }
}
