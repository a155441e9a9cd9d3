//! Where a redirected client wanted to go: one engine for each packet filter, behind one question.

#![forbid(unsafe_code)]

mod diverted;
#[cfg(target_os = "linux")]
mod netfilter;

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
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NatError {
    /// The packet filter knows nothing of this connection.
    NotRedirected,
    /// The system refused the question.
    System(io::Error),
}

impl fmt::Display for NatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NatError::NotRedirected => f.write_str("not redirected (no rule matched?)"),
            NatError::System(error) => write!(f, "the packet filter cannot be asked: {error}"),
        }
    }
}

/// The engine for this destination; `None` where none is needed.
///
/// # Errors
/// [`Error::Unavailable`]: this system has no such engine; the text names one to use instead.
pub fn engine(destination: &Destination) -> Result<Option<Box<dyn NatLookup>>, Error> {
    match destination {
        Destination::Reverse(_) | Destination::Forward { .. } => Ok(None),
        Destination::Diverted => Ok(Some(Box::new(diverted::Diverted))),
        Destination::Netfilter => netfilter_engine(),
        Destination::Pf => Err(absent("-p", "pf")),
        Destination::IpFilter => Err(absent("-i", "IP-Filter")),
    }
}

#[cfg(target_os = "linux")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere it is an error; see the other half"
)]
fn netfilter_engine() -> Result<Option<Box<dyn NatLookup>>, Error> {
    Ok(Some(Box::new(netfilter::Netfilter)))
}

#[cfg(not(target_os = "linux"))]
fn netfilter_engine() -> Result<Option<Box<dyn NatLookup>>, Error> {
    Err(absent("--netfilter", "netfilter"))
}

fn absent(option: &str, engine: &str) -> Error {
    let instead = if cfg!(target_os = "linux") {
        "use --netfilter with an nftables redirect, or --diverted with TPROXY"
    } else {
        "use --diverted, or -R for one fixed server"
    };
    Error::Unavailable(format!(
        "{option}: no {engine} look-up on this system; {instead}"
    ))
}
