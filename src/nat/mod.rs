//! Where a redirected client wanted to go: one engine for each packet filter, behind one question.

#![forbid(unsafe_code)]

mod device;
mod diverted;
pub mod ipf;
pub mod ipnat;
mod ipnat_list;
#[cfg(target_os = "linux")]
mod netfilter;
pub mod pf;

#[cfg_attr(target_os = "freebsd", path = "here/freebsd.rs")]
#[cfg_attr(target_os = "netbsd", path = "here/netbsd.rs")]
#[cfg_attr(target_os = "illumos", path = "here/illumos.rs")]
#[cfg_attr(target_os = "linux", path = "here/linux.rs")]
#[cfg_attr(
    any(target_os = "openbsd", target_os = "dragonfly", target_os = "macos"),
    path = "here/pf_only.rs"
)]
#[cfg_attr(
    not(any(
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "openbsd",
        target_os = "dragonfly",
        target_os = "macos"
    )),
    path = "here/none.rs"
)]
mod here;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::error::Error;
use crate::options::Destination;

/// A connection that the packet filter brought to us: both its ends as we see them, canonical.
#[derive(Clone, Copy, Debug)]
pub struct Redirected {
    /// The client.
    pub client: SocketAddr,
    /// Our end.
    pub proxy: SocketAddr,
}

/// A way to ask for the original destination.
pub trait NatLookup: fmt::Debug {
    /// Where the client of this connection wanted to go.
    ///
    /// # Errors
    /// The client cannot be served and must hear 421; the text tells the operator what to do.
    fn original_dst(
        &self,
        control: BorrowedFd<'_>,
        of: &Redirected,
    ) -> Result<SocketAddr, NatError>;

    /// The question is for root alone, so it comes before privileges are dropped.
    fn needs_root(&self) -> bool {
        false
    }

    /// What the operator must hear before the first question.
    fn warning(&self) -> Option<&'static str> {
        None
    }
}

/// The engine of one packet filter.
pub type Engine = Box<dyn NatLookup>;

/// Why there is no answer.
#[derive(Debug)]
pub enum NatError {
    /// The packet filter knows nothing of this connection; with what to look at.
    NotRedirected(&'static str),
    /// It knows several connections that could be this one.
    Ambiguous,
    /// It cannot be asked; with what to do about it.
    Unavailable(String),
    /// The system refused the question, and we do not know why.
    System(io::Error),
}

impl fmt::Display for NatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NatError::NotRedirected(look_at) => write!(f, "not redirected {look_at}"),
            NatError::Ambiguous => f.write_str("several sessions of the packet filter match"),
            NatError::Unavailable(text) => f.write_str(text),
            NatError::System(error) => write!(f, "the packet filter cannot be asked: {error}"),
        }
    }
}

impl std::error::Error for NatError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NatError::System(error) => Some(error),
            _ => None,
        }
    }
}

/// A packet filter's answer, unless it is none: our own end again, by its address and port, or nowhere at all.
fn elsewhere(answer: SocketAddr, proxy: SocketAddr) -> Option<SocketAddr> {
    let ours = (answer.ip(), answer.port()) == (proxy.ip(), proxy.port());
    let nowhere = answer.ip().is_unspecified() || answer.port() == 0;
    (!ours && !nowhere).then_some(answer)
}

/// The engine for this destination; `None` where none is needed.
///
/// # Errors
/// [`Error::Unavailable`]: this system has no such engine; the text names one to use instead.
pub fn engine(destination: &Destination) -> Result<Option<Engine>, Error> {
    let absent = |option: &str, filter: &str| {
        Error::Unavailable(format!(
            "{option}: no {filter} look-up on this system; {}",
            here::INSTEAD
        ))
    };
    let (option, filter) = match destination {
        Destination::Reverse(_) | Destination::Forward { .. } => return Ok(None),
        Destination::Diverted => return Ok(Some(Box::new(diverted::Diverted))),
        Destination::Netfilter => ("--netfilter", "netfilter"),
        Destination::Pf => ("-p", "pf"),
        Destination::IpFilter(_) => ("-i", "IP-Filter"),
    };
    match here::engine(destination) {
        Some(engine) => Ok(Some(engine)),
        None => Err(absent(option, filter)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_end_or_nowhere_is_no_answer() {
        let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let ours = at("[fe80::1%7]:8021");
        for none in ["[fe80::1]:8021", "0.0.0.0:21", "[::]:21", "10.2.0.2:0"] {
            assert_eq!(elsewhere(at(none), ours), None, "{none}");
        }
        for some in ["[fe80::1]:21", "10.2.0.2:21"] {
            assert_eq!(elsewhere(at(some), ours), Some(at(some)));
        }
    }
}
