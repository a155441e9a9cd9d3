//! The socket's own name: the filter brought the connection here without rewriting it (OpenBSD divert-to, Linux
//! TPROXY, ipfw fwd).

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use super::{NatError, NatLookup, Redirected};

#[derive(Debug)]
pub(super) struct Diverted;

impl NatLookup for Diverted {
    fn original_dst(&self, _: BorrowedFd<'_>, of: &Redirected) -> Result<SocketAddr, NatError> {
        Ok(of.proxy)
    }
}
