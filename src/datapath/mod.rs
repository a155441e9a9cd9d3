//! Who stands in for a data connection. The relay asks here and nowhere else, so another way for data to travel is
//! another [`DataPath`].

#![forbid(unsafe_code)]

mod arrivals;
mod carriage;
mod choice;
mod granted;
mod kernel;
mod legs;
mod pump;
mod redirected;
mod relayed;
mod spare;
mod watch;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use choice::Choice;
pub use kernel::Kernel;
pub use legs::Legs;
pub use redirected::Redirected;
pub use relayed::Relayed;
pub use watch::{Ready, Source, Watch};

use crate::destination::Unreachable;
use crate::ftp::{DataEnd, DataPlan, NoData, Side};

/// A stand-in for one data connection at a time.
pub trait DataPath {
    /// Data goes to this server from now on; our address as it knows us is `facing_server`.
    fn reach(&mut self, server: SocketAddr, facing_server: SocketAddr);

    /// Stands in for this data connection and for no earlier one. The address is what the dialling peer must be told.
    ///
    /// # Errors
    /// Nobody can: refuse the command, the session goes on.
    fn prepare(&mut self, plan: &DataPlan, now: Instant) -> Result<SocketAddr, Unprepared>;

    /// Forgets the data connection. One in use is reset on both sides, so that neither takes it for whole.
    fn discard(&mut self, now: Instant);

    /// Somebody is expected who has not come.
    fn is_listening(&self) -> bool;

    /// Ends the data connection, because nobody has come to it or nothing moves on it. One in use is reset on both sides;
    /// a server that waits to be connected to is, so that it waits no longer. `None`: there was none.
    fn give_up(&mut self, now: Instant) -> Option<DataEnd>;

    /// Adds what it waits for. Without `flow`, data for the client waits (it has not been told of the transfer).
    fn watch<'a>(&'a self, flow: bool, watch: &mut Watch<'a>);

    /// Does what can be done without waiting, and adds to `ends` what came to an end. `true`: bytes moved.
    fn turn(&mut self, ready: &Ready, flow: bool, now: Instant, ends: &mut Vec<DataEnd>) -> bool;

    /// When it wants a turn even if nothing is ready.
    fn deadline(&self) -> Option<Instant>;

    /// A connection has been made, at least on one side, and has not ended.
    fn is_connected(&self) -> bool;

    /// The data connections that are over since this was last asked.
    fn take_reports(&mut self) -> Vec<Report> {
        Vec::new()
    }

    /// What has been carried so far.
    fn totals(&self) -> Totals;
}

/// Why nobody stands in for a data connection; `Display` is for the log.
#[derive(Debug)]
pub enum Unprepared {
    /// Every port is taken.
    Ports(io::Error),
    /// The far end is a third host that may not be dialled.
    Forbidden(Unreachable),
    /// Something else.
    System(io::Error),
}

impl Unprepared {
    /// What the client may know of it.
    #[must_use]
    pub fn reason(&self) -> NoData {
        match self {
            Unprepared::Ports(_) => NoData::Ports,
            Unprepared::Forbidden(_) => NoData::Forbidden,
            Unprepared::System(_) => NoData::Other,
        }
    }
}

impl From<io::Error> for Unprepared {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Unprepared::Ports(error),
            _ => Unprepared::System(error),
        }
    }
}

impl fmt::Display for Unprepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unprepared::Ports(error) => write!(f, "every port is taken: {error}"),
            Unprepared::Forbidden(why) => why.fmt(f),
            Unprepared::System(error) => error.fmt(f),
        }
    }
}

/// How one data connection went; `Display` is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    to: Side,
    bytes: u64,
    time: Duration,
    how: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, seconds) = (self.to.name(), self.time.as_secs_f64());
        let (bytes, how) = (self.bytes, &self.how);
        write!(f, "to {to}: {bytes} bytes in {seconds:.3} s, {how}")
    }
}

/// What a session's data connections carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Data connections that were open on both sides.
    pub transfers: u64,
    /// Data connections that were left to the packet filter; what they carried is not known.
    pub granted: u64,
    /// Bytes.
    pub to_client: u64,
    /// Bytes.
    pub to_server: u64,
}
