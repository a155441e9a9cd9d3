//! The small hand that stays privileged when a session gives up root (docs/trust.md).
//!
//! A session that wants grants of the packet filter, or data connections from port 20, starts one process before it
//! drops its rights, and asks it through a pair of sockets. That process knows who the client and the server are, takes
//! three requests of one fixed length, and makes addresses and rules itself. It ends with the session, however that ends,
//! and takes its grant away.

#![forbid(unsafe_code)]

mod cage;
pub mod filter;
mod hand;
#[cfg_attr(target_os = "linux", path = "here/linux.rs")]
#[cfg_attr(
    any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd"
    ),
    path = "here/pf.rs"
)]
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd"
    )),
    path = "here/none.rs"
)]
mod here;
#[cfg(target_os = "linux")]
mod nft;
pub mod pf;
mod request;
mod rights;

use std::fmt;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::getpid;
use socket2::Socket;

use self::hand::Hand;
pub use self::here::{PF, check};
use self::request::{ANSWER, Answer, LENGTH, Request};
pub use self::request::{Wanted, Way};
pub use self::rights::Rights;
use crate::companion;
use crate::log::Log;
use crate::options::RuleOptions;
use crate::privs::Root;
use crate::rules::Grant;
use crate::sys::passing;

/// How long the broker may take. With pf a grant that fails runs pfctl(8) three times, and waits for other sessions' each time.
const PATIENCE: Duration = Duration::from_secs(40);

/// A session's way to its broker. Dropping it ends the broker.
#[derive(Debug)]
pub struct Broker {
    socket: UnixStream,
}

impl Broker {
    /// Starts the broker of the session that this process is about to be.
    ///
    /// # Errors
    /// No process or descriptor is to be had: the session cannot have what it needs the broker for.
    pub fn start(
        rights: Rights,
        rules: &RuleOptions,
        root: &Root,
        log: &Log,
    ) -> io::Result<Broker> {
        let session = getpid();
        let socket = companion::start("broker", PATIENCE, log, |socket, log| {
            Hand::new(socket, rights, rules, session, root, log).map(Hand::serve)
        })?;
        Ok(Broker { socket })
    }

    /// Has the packet filter let this data connection through, in place of any before.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`]: another session has the same; try another port. Any other: there will be no such data
    /// connection.
    pub fn grant(&self, wanted: &Wanted) -> io::Result<()> {
        self.ask(&Request::Grant(*wanted)).map(drop)
    }

    /// Has it let nothing through any more.
    ///
    /// # Errors
    /// The broker is gone, or the packet filter refuses.
    pub fn revoke(&self) -> io::Result<()> {
        self.ask(&Request::Revoke).map(drop)
    }

    /// A socket that has begun to connect from port 20 to this port of the client's; poll it for writing, then
    /// ask for its error.
    ///
    /// # Errors
    /// As connect(2) and bind(2).
    pub fn dial(&self, port: u16) -> io::Result<Socket> {
        let socket = self.ask(&Request::Dial { port })?;
        socket.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn ask(&self, request: &Request) -> io::Result<Option<Socket>> {
        let gone = |_| {
            // An answer that comes later would be taken for another request's.
            let _ = self.socket.shutdown(Shutdown::Both);
            io::Error::other("the broker is gone, see its last line in the log")
        };
        (&self.socket).write_all(&request.encode()).map_err(gone)?;
        let mut bytes = [0; ANSWER];
        // In one piece, as it was sent: nothing of this size is ever cut.
        let (length, with) = loop {
            match passing::receive(&self.socket, &mut bytes) {
                Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
                received => break received.map_err(gone)?,
            }
        };
        if length != ANSWER {
            return Err(gone(io::ErrorKind::UnexpectedEof.into()));
        }
        match Answer::decode(&bytes) {
            Answer::Done => Ok(with.map(Socket::from)),
            Answer::Taken => Err(io::ErrorKind::AddrInUse.into()),
            Answer::Failed(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// What a broker with these rights makes of a request; for the fuzzer, which cannot have a process for each.
///
/// # Errors
/// The objection with which the broker would end.
#[doc(hidden)]
pub fn judge(rights: &Rights, request: &[u8; LENGTH]) -> Result<Judged, &'static str> {
    match Request::decode(request)? {
        Request::Grant(wanted) => rights.grant(&wanted).map(Judged::Grant),
        Request::Revoke => Ok(Judged::Revoke),
        Request::Dial { port } => rights
            .dial(port)
            .map(|(to, from)| Judged::Dial { to, from }),
    }
}

/// What [`judge`] lets a session have.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A data connection.
    Grant(Grant),
    /// An end to it.
    Revoke,
    /// A connection from port 20.
    Dial {
        /// The client.
        to: SocketAddr,
        /// Our address.
        from: SocketAddr,
    },
}

/// Why the packet filter will not have grants, and what to do about it: one clause for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking(pub String);

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
