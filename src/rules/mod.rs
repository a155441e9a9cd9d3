//! What a packet filter has to be told so that one data connection passes. Pure: a [`Grant`] in, text or elements out.

#![forbid(unsafe_code)]

pub mod anchor;
pub mod nft;
pub mod pf;

use std::net::{IpAddr, SocketAddr};

/// One data connection that the packet filter brings to its end: `from` dials `at`, arrives at `to`, and is seen there
/// as `source`. All addresses are of one family, and ports are 1024 or more but for the source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which of the two ends is ours.
    pub kind: Kind,
    /// Who will dial.
    pub from: IpAddr,
    /// What it will dial.
    pub at: SocketAddr,
    /// Where the connection is brought; `at` itself for [`Kind::Outward`].
    pub to: SocketAddr,
    /// As whom it arrives; `None` for [`Kind::Inward`]: as it is.
    pub source: Option<Source>,
}

/// Which of the two ends of a granted connection is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neither: the filter carries the data from one host to another (kernel data path).
    Through,
    /// `to` is a listener of ours (redirect data path, passive).
    Inward,
    /// `from` is an address of ours (redirect data path, active).
    Outward,
}

/// The address that the one who is dialled sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Of the proxy or of the original server.
    pub address: IpAddr,
    /// `None`: whichever the filter takes.
    pub port: Option<u16>,
}
