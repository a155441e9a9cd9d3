//! Linux: what connection tracking remembers of a connection that nftables or iptables redirected.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ip6tOriginalDst, OriginalDst};
use nix::sys::socket::{SockaddrIn, SockaddrIn6, getsockopt};

use super::{NatError, NatLookup, Redirected};

/// What to look at if netfilter does not know the connection.
const LOOK_AT: &str = "(no rule matched?)";

#[derive(Debug)]
pub(super) struct Netfilter;

impl NatLookup for Netfilter {
    /// `SO_ORIGINAL_DST`. A client that came to an IPv6 socket by IPv4 is tracked as IPv4.
    fn original_dst(
        &self,
        control: BorrowedFd<'_>,
        of: &Redirected,
    ) -> Result<SocketAddr, NatError> {
        let answer = if of.client.is_ipv4() {
            getsockopt(&control, OriginalDst)
                .map(|a| SocketAddrV4::from(SockaddrIn::from(a)).into())
        } else {
            getsockopt(&control, Ip6tOriginalDst)
                .map(|a| SocketAddrV6::from(SockaddrIn6::from(a)).into())
        };
        match answer {
            Ok(destination) if destination == of.proxy => Err(NatError::NotRedirected(LOOK_AT)),
            Ok(destination) => Ok(destination),
            // ENOENT: not tracked. ENOPROTOOPT: connection tracking is not even loaded.
            Err(Errno::ENOENT | Errno::ENOPROTOOPT) => Err(NatError::NotRedirected(LOOK_AT)),
            Err(errno) => Err(NatError::System(errno.into())),
        }
    }
}
