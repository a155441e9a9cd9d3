//! The control connection as a pure machine (RFC 959, 1123, 2428, 854): bytes in, [`Action`]s out.
//!
//! Rules of the room: no descriptor, no clock, no log, no platform; the standard library's plain values only.
//! What a peer sends wrong is a value here, never a panic. Both peers are strangers.

#![forbid(unsafe_code)]

mod action;
mod addr;
mod command;
mod forward;
mod line;
mod reply;
mod session;
mod telnet;

pub use action::{Action, DataEnd, DataPlan, End, NoData, Note, Terms};
pub use addr::{BadEprt, EprtArgument, PortArgument};
pub use line::{MAX_COMMAND, MAX_LINE};
pub use session::{MAX_OUTSTANDING, Session};

/// One of the two peers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who opened the control connection.
    Client,
    /// Who answers it.
    Server,
}

impl Side {
    /// For a log line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Server => "server",
        }
    }

    /// The peer across.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}
