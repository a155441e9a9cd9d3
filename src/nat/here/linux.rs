//! Linux: netfilter remembers.

use crate::nat::Engine;
use crate::nat::netfilter::Netfilter;
use crate::options::Destination;

pub(super) const INSTEAD: &str =
    "use --netfilter with an nftables redirect, or --diverted with TPROXY";

pub(super) fn engine(destination: &Destination) -> Option<Engine> {
    match destination {
        Destination::Netfilter => Some(Box::new(Netfilter)),
        _ => None,
    }
}
