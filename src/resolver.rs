//! Names for a session in its cage: a process of its own looks them up, for so long and of such a length.
//!
//! It is made before the session leaves the file system, and sees hosts(5), resolv.conf(5) and what else the system's
//! resolver reads. It knows nothing of the session but its questions.

#![forbid(unsafe_code)]

#[cfg_attr(target_os = "linux", path = "resolver/cage/linux.rs")]
#[cfg_attr(target_os = "openbsd", path = "resolver/cage/openbsd.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "openbsd")),
    path = "resolver/cage/none.rs"
)]
mod cage;

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::cage::{NOTHING_OF, limit};
use crate::companion;
use crate::endpoint::mapped;
use crate::log::Log;
use crate::privs::Root;

/// How long a look-up may take where nothing else is said; RFC 1123 §6.1.3.3 has resolvers give up sooner.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Longest name, in bytes (RFC 1035 §2.3.4).
const LONGEST: usize = 255;

/// Most addresses of a name that are taken.
const MOST: usize = 16;

/// A session's way to its resolver. Dropping it ends the resolver.
#[derive(Debug)]
pub struct Resolver {
    socket: UnixStream,
}

impl Resolver {
    /// Starts the resolver of the session that this process is about to be; it becomes the same user. A look-up may take
    /// as long as `patience`.
    ///
    /// # Errors
    /// No process or descriptor is to be had.
    pub fn start(root: Option<&Root>, patience: Duration, log: &Log) -> io::Result<Resolver> {
        let socket = companion::start("resolver", patience, log, |session, log| {
            if let Some(root) = root {
                root.clone().drop(log).map_err(|error| error.to_string())?;
            }
            // The C library opens what it will read and loads its modules at the first look-up, as far as it can.
            let _ = ("localhost", 0).to_socket_addrs();
            limit(NOTHING_OF).map_err(|error| format!("cannot set limits: {error}"))?;
            cage::enter(log)?;
            answer(&session);
            Ok(0)
        })?;
        Ok(Resolver { socket })
    }

    /// The addresses of a host, in the resolver's order, with this port; none if there are none, or no answer in time.
    #[must_use]
    pub fn addresses(&self, name: &str, port: u16) -> Vec<SocketAddr> {
        let found = self.ask(name).unwrap_or_default();
        found
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect()
    }

    fn ask(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let length = u8::try_from(name.len()).map_err(io::Error::other)?;
        let mut socket = &self.socket;
        socket.write_all(&[&[length], name.as_bytes()].concat())?;
        let mut count = [0];
        let late = |error| {
            // An answer that comes later would be taken for another question's.
            let _ = self.socket.shutdown(std::net::Shutdown::Both);
            error
        };
        socket.read_exact(&mut count).map_err(late)?;
        let mut addresses = Vec::new();
        for _ in 0..count[0] {
            let mut octets = [0; 16];
            socket.read_exact(&mut octets).map_err(late)?;
            addresses.push(Ipv6Addr::from(octets).to_canonical());
        }
        Ok(addresses)
    }
}

/// Answers until the session is gone: a length and a name come, a number and so many addresses go.
fn answer(mut session: &UnixStream) {
    let mut length = [0];
    while session.read_exact(&mut length).is_ok() {
        let mut name = [0; LONGEST];
        let name = &mut name[..usize::from(length[0])];
        if session.read_exact(name).is_err() {
            return;
        }
        let found = std::str::from_utf8(name)
            .ok()
            .and_then(|name| (name, 0).to_socket_addrs().ok());
        let found: Vec<_> = found.into_iter().flatten().take(MOST).collect();
        let mut bytes = vec![u8::try_from(found.len()).unwrap_or(0)];
        for at in found {
            bytes.extend(mapped(at.ip()).octets());
        }
        if session.write_all(&bytes).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::spawn;

    fn resolver() -> Resolver {
        let (ours, theirs) = UnixStream::pair().unwrap();
        spawn(move || answer(&theirs));
        Resolver { socket: ours }
    }

    #[test]
    fn names_are_found_one_after_another_and_unknown_ones_are_nothing() {
        let resolver = resolver();
        let found = resolver.addresses("127.0.0.7", 21);
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 7], 21))]);
        assert!(resolver.addresses("no such host", 21).is_empty());
        assert!(resolver.addresses("", 21).is_empty());
        let found = resolver.addresses("::1", 2121);
        assert_eq!(found, ["[::1]:2121".parse().unwrap()]);
    }

    #[test]
    fn a_name_that_is_too_long_is_not_asked_for() {
        let resolver = resolver();
        assert!(resolver.addresses(&"a".repeat(256), 21).is_empty());
        assert_eq!(resolver.addresses("127.0.0.1", 21).len(), 1);
    }
}
