//! Which server a session is for, and whether it may be.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::endpoint::{Host, HostPort};
use crate::net::{self, LocalAddresses, canonical, dial};
use crate::resolver::Resolver;
use crate::servers::{Servers, is_no_server, meanings};

/// Why a server is not dialled, or not reached. `Display` is for the log.
#[derive(Debug)]
pub enum Unreachable {
    /// The resolver knows no such host.
    Unknown(HostPort),
    /// It is the proxy itself: dialling it would never end (docs/ancestors.md, D14).
    Loop(SocketAddr),
    /// An address that names no single other host, or one of this machine that is not for strangers.
    Forbidden(SocketAddr),
    /// It does not answer.
    Silent(SocketAddr, io::Error),
}

impl Unreachable {
    /// What the client may know of it.
    #[must_use]
    pub fn reply(&self) -> &'static str {
        match self {
            Unreachable::Unknown(_) => "The server's name is not known.",
            Unreachable::Loop(_) => "The destination is this proxy itself.",
            Unreachable::Forbidden(_) => "That server is not allowed.",
            Unreachable::Silent(_, error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "The server refuses connections.",
                io::ErrorKind::TimedOut => "The server does not answer.",
                _ => "The server cannot be reached.",
            },
        }
    }
}

/// What a dial has to say before it is over.
pub enum Progress<'a> {
    /// It is not settled at once.
    Waits,
    /// That address would not do, and another is tried.
    PassedOver(&'a Unreachable),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Unknown(server) => write!(f, "no address for {server}"),
            Unreachable::Loop(at) => write!(f, "{at} is this proxy itself"),
            Unreachable::Forbidden(at) => write!(f, "{at} is not allowed"),
            Unreachable::Silent(at, error) => write!(f, "cannot connect to {at}: {error}"),
        }
    }
}

/// The addresses of a server, in the resolver's order. One with a name is looked up by `resolver`, or by ourselves if there
/// is none, and that may take its time.
///
/// # Errors
/// [`Unreachable::Unknown`].
pub fn resolve(
    server: &HostPort,
    resolver: Option<&Resolver>,
) -> Result<Vec<SocketAddr>, Unreachable> {
    let name = match &server.host {
        Host::Address(ip) => return Ok(vec![SocketAddr::new(*ip, server.port)]),
        Host::Zoned(ip, zone) => {
            let scope = net::zone(zone).ok_or_else(|| Unreachable::Unknown(server.clone()))?;
            return Ok(vec![SocketAddrV6::new(*ip, server.port, 0, scope).into()]);
        }
        Host::Name(name) => name.as_str(),
    };
    let found = match resolver {
        Some(resolver) => resolver.addresses(name, server.port),
        None => {
            let found = (name, server.port).to_socket_addrs();
            found.into_iter().flatten().map(canonical).collect()
        }
    };
    if found.is_empty() {
        return Err(Unreachable::Unknown(server.clone()));
    }
    Ok(found)
}

/// Puts the addresses of a server that has several into an order that nobody knows before, so that each of them gets its
/// share of the sessions and none of them all when another is lost.
///
/// # Errors
/// The system has no random numbers: the order is as it was, or half changed.
pub fn shuffle(addresses: &mut [SocketAddr]) -> io::Result<()> {
    // Fisher and Yates: each place gets one of those that are left.
    for place in 1..addresses.len() {
        let chance = net::chance()? as usize;
        addresses.swap(place, chance % (place + 1));
    }
    Ok(())
}

/// What decides whether a destination may be dialled.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The addresses of this machine.
    pub local: LocalAddresses,
    /// Our end of the client's connection.
    pub proxy: SocketAddr,
    /// The client.
    pub client: IpAddr,
    /// The client chose the destination: which it may choose. This machine's own services are for clients on this machine
    /// alone.
    pub client_chose: Option<Servers>,
}

impl Guard {
    /// # Errors
    /// [`Unreachable::Loop`] or [`Unreachable::Forbidden`].
    pub fn check(&self, to: SocketAddr) -> Result<(), Unreachable> {
        self.judge(to, self.is_here(to.ip()))
    }

    /// The same of a connection that has been made from `ours`. An address whose packets a route keeps on this machine is
    /// none of an interface, but both ends of such a connection are the same.
    ///
    /// # Errors
    /// [`Unreachable::Loop`] or [`Unreachable::Forbidden`].
    pub fn check_ends(&self, to: SocketAddr, ours: IpAddr) -> Result<(), Unreachable> {
        self.judge(to, to.ip() == ours || self.is_here(to.ip()))
    }

    /// The same for the end of a data connection that client or server have named, and that neither of them is: whoever
    /// chose the server, this one was chosen by a stranger.
    ///
    /// # Errors
    /// [`Unreachable::Loop`] or [`Unreachable::Forbidden`].
    pub fn check_third(&self, to: SocketAddr) -> Result<(), Unreachable> {
        let here = self.is_here(to.ip());
        self.judge(to, here)?;
        let unwanted = meanings(to.ip()).any(is_no_server);
        if unwanted || here && !self.local.contains(self.client) {
            return Err(Unreachable::Forbidden(to));
        }
        Ok(())
    }

    /// Whether an address, or an IPv4 address within it, is this machine's.
    fn is_here(&self, ip: IpAddr) -> bool {
        meanings(ip).any(|ip| self.local.contains(ip))
    }

    fn judge(&self, to: SocketAddr, here: bool) -> Result<(), Unreachable> {
        let ip = to.ip();
        if here && to.port() == self.proxy.port() {
            return Err(Unreachable::Loop(to));
        }
        let nobody = ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]);
        let unchosen = self.client_chose.as_ref().is_some_and(|servers| {
            here && !self.local.contains(self.client) || !servers.allow(ip, self.client)
        });
        if nobody || unchosen {
            return Err(Unreachable::Forbidden(to));
        }
        Ok(())
    }

    /// Connects to the first of `addresses` that answers, from the address `from` if it is of that family. All of them
    /// together have the time `patience`: each an equal part of what the ones before have left. `told` hears how it
    /// goes.
    ///
    /// # Errors
    /// What was wrong with the last one tried.
    pub fn dial(
        &self,
        addresses: &[SocketAddr],
        from: Option<IpAddr>,
        patience: Duration,
        told: &mut dyn FnMut(Progress<'_>),
    ) -> Result<TcpStream, Unreachable> {
        let begun = now();
        let mut last = Unreachable::Forbidden(self.proxy); // no addresses at all: resolve() forbids it
        for (&to, to_come) in addresses.iter().zip((1..=addresses.len()).rev()) {
            let left = patience.saturating_sub(begun.elapsed());
            let share = left / u32::try_from(to_come).unwrap_or(u32::MAX);
            let from = from.filter(|from| from.is_ipv4() == to.is_ipv4());
            let attempt = self.connect(to, from, share, told);
            match attempt {
                Ok(server) => return Ok(server),
                Err(why) if to_come > 1 => told(Progress::PassedOver(&why)),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    fn connect(
        &self,
        to: SocketAddr,
        from: Option<IpAddr>,
        patience: Duration,
        told: &mut dyn FnMut(Progress<'_>),
    ) -> Result<TcpStream, Unreachable> {
        let silent = |error| Unreachable::Silent(to, error);
        self.check(to)?;
        if from.is_some() || self.client_chose.is_some() {
            // Before our own listener sees a connection; and with an address of our choice the ends would differ.
            let ours = net::address_toward(to).map_err(silent)?;
            self.check_ends(to, ours.ip())?;
        }
        let server = dial(to, from, patience, &mut || told(Progress::Waits)).map_err(silent)?;
        let (_, ours) = net::ends(&server).map_err(silent)?;
        self.check_ends(to, ours.ip())?;
        Ok(server)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a dial waits for itself, outside of any turn"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_is_shuffled_keeps_everybody_and_puts_each_first_in_turn() {
        let given: Vec<SocketAddr> = (1..=4).map(|n| ([192, 0, 2, n], 21).into()).collect();
        let mut first = std::collections::HashSet::new();
        // That one of four is never first in 400 turns has a chance of one in 10^49.
        for _ in 0..400 {
            let mut order = given.clone();
            shuffle(&mut order).unwrap();
            first.insert(order[0]);
            order.sort_unstable();
            assert_eq!(order, given);
        }
        assert_eq!(first.len(), 4);
        shuffle(&mut []).unwrap();
    }
}
