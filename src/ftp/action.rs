//! What goes in and out of a [`Session`](super::Session) beside bytes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::Side;
use super::line::{MAX_COMMAND, MAX_LINE};
use super::session::MAX_OUTSTANDING;
use crate::endpoint::HostPort;
use crate::permit::{Foreign, Permit, Verbs};

/// What the session has to go by; known before its first byte.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The client's address, canonical (no IPv4 in IPv6).
    pub client: IpAddr,
    /// A client that answers a 229 by dialling the address it already talks to reaches us.
    pub epsv: bool,
    /// `-A`: nobody but `ftp` and `anonymous` may log in.
    pub anonymous_only: bool,
    /// `-n`: passive data connections are none of our business.
    pub nat_mode: bool,
    /// `--forward-any-port`: a client may name a server's port other than 21.
    pub any_port: bool,
    /// What is denied or refused.
    pub permit: Permit,
    /// A listed balancer has introduced the client: a further header is a command like others.
    pub introduced: bool,
    /// `--max-line`: longest line of either side, in bytes with its line end.
    pub max_line: usize,
    /// `--max-command`: longest command that a server gets, in bytes with its line end.
    pub max_command: usize,
    /// `--max-outstanding`: commands that may wait for their answers before no more are taken.
    pub max_outstanding: usize,
}

impl Terms {
    /// Those of a session for which nothing is asked, with a client that reaches us.
    #[must_use]
    pub fn of(client: IpAddr) -> Self {
        Terms {
            client,
            epsv: true,
            anonymous_only: false,
            nat_mode: false,
            any_port: false,
            permit: Permit::default(),
            introduced: false,
            max_line: MAX_LINE,
            max_command: MAX_COMMAND,
            max_outstanding: MAX_OUTSTANDING,
        }
    }
}

impl Terms {
    /// AUTH is refused: what is encrypted can be neither rewritten nor judged. In NAT mode there is nothing to rewrite in
    /// passive mode, and AUTH passes unless commands are to be judged.
    pub(super) fn refuse_encryption(&self) -> bool {
        !self.nat_mode || self.judge_commands()
    }

    /// `-A`, `--deny-command` or `--no-epsv` says which commands may not pass.
    pub(super) fn judge_commands(&self) -> bool {
        self.anonymous_only || self.permit.denied != Verbs::default()
    }
}

/// What the session wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bytes for one side's control connection.
    Send(Side, Vec<u8>),
    /// Bytes for one side's control connection, the last of them urgent (RFC 959 §4.1.3, the Synch).
    Urgent(Side, Vec<u8>),
    /// Stand in for a data connection, in place of any earlier one.
    Prepare(DataPlan),
    /// The data connection that was prepared will not be used.
    Discard,
    /// Connect to the server that the client named.
    Dial(HostPort),
    /// Nothing more will be sent to this side: shut down that direction.
    Finish(Side),
    /// Something the log should know.
    Note(Note),
    /// The session is over once everything sent has been written.
    End(End),
}

/// A data connection that somebody has to stand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlan {
    /// The server will connect to us; connect to the client, there.
    Active {
        /// Where the client listens: its own address unless another is allowed, a port of 1024 or more.
        client: SocketAddr,
    },
    /// The client will connect to us; connect to the server, there.
    Passive {
        /// Where the server listens: its own address unless another is allowed, a port of 1024 or more.
        server: SocketAddr,
    },
}

impl DataPlan {
    /// Where the one listens whom we dial.
    #[must_use]
    pub fn far_end(&self) -> SocketAddr {
        match self {
            DataPlan::Active { client } => *client,
            DataPlan::Passive { server } => *server,
        }
    }
}

impl fmt::Display for DataPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataPlan::Active { client } => write!(f, "active data to {client}"),
            DataPlan::Passive { server } => write!(f, "passive data from {server}"),
        }
    }
}

/// Why nobody stands in for a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// Every port is taken now.
    Ports,
    /// A third host, and one that nobody may have dialled.
    Forbidden,
    /// Something else, which only the log knows.
    Other,
}

/// How a prepared data connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// Everything for this side has been delivered, the end included.
    Delivered(Side),
    /// Nobody came: whatever the server says of it is true.
    Unopened,
    /// The client came, and the server's end could not be opened: whatever the server says of it is true.
    ServerUnreachable,
    /// The server's end was open and the client's could not be.
    ClientUnreachable,
    /// It broke while it was in use.
    Broken,
    /// It has not ended: it does not pass through us, and nobody sees its end. Whatever the server says of it is true.
    Elsewhere,
}

/// What the log should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A line from the client, without secrets.
    Command(Vec<u8>),
    /// A line from the server.
    Reply(Vec<u8>),
    /// A line in our own words, to this side.
    Said(Side, Vec<u8>),
    /// A command was refused: why, and the line without secrets.
    Refused(&'static str, Vec<u8>),
    /// This side named another host than itself, and what became of that.
    Foreign(Side, IpAddr, Foreign),
    /// A line of the server's that nothing asked for, and that the client does not get.
    Unasked(Vec<u8>),
    /// A line as the client gets it: the server named a third host in it, and no PASV had asked.
    StrayAddress(Vec<u8>),
    /// A line of the server's is longer than so many bytes, and passes in pieces; said once.
    LongLine(usize),
    /// So many commands wait for their answers that no more are taken for now; said once.
    Crowded(usize),
    /// The server has not let this user in, with this code.
    LoginRefused(Vec<u8>, u16),
    /// The server refuses PORT or EPRT with our address, in these words; said once.
    ActiveRefused(Vec<u8>),
    /// This peer begins with a header of the PROXY protocol, which is not expected of it.
    UnlistedBalancer(IpAddr),
    /// The server's answer to PASV or EPSV was of no use.
    BadPassive(Vec<u8>),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server ended it, as it should.
    Server,
    /// The server went away without a word.
    ServerLost,
    /// The client broke off, or had no server yet.
    Client,
    /// The server cannot be reached, or may not.
    NoServer,
    /// The server sent too many replies that nothing asked for.
    Protocol,
    /// The client speaks HTTP, SMTP or SSH.
    Foreign,
    /// The edge ended it ([`Session::stop`](super::Session::stop)).
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Server => "ended by the server",
            End::ServerLost => "the server went away",
            End::Client => "the client went away",
            End::NoServer => "no server",
            End::Protocol => "the server broke the protocol",
            End::Foreign => "the client does not speak FTP",
            End::Stopped => "stopped",
        })
    }
}

/// What the client hears of a data connection that was never made.
pub(super) const NOT_OPENED: &[u8] = b"425 The data connection could not be opened.\r\n";

impl DataEnd {
    /// What the client must hear of a transfer that the server believes to be whole (RFC 959 §5.4).
    pub(super) fn contradicts_success(self) -> Option<&'static [u8]> {
        match self {
            DataEnd::Delivered(_)
            | DataEnd::Unopened
            | DataEnd::ServerUnreachable
            | DataEnd::Elsewhere => None,
            DataEnd::ClientUnreachable => Some(NOT_OPENED),
            DataEnd::Broken => {
                Some(b"426 The data connection broke; the transfer is not complete.\r\n")
            }
        }
    }
}
