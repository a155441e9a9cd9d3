//! `natlookup_t` of illumos: IP-Filter 4.1.9 with the IPv6 of version 5.

use std::net::SocketAddr;

use super::{Natlookup as Layout, ipf5};
use crate::sys::object::Object;

/// The fields of version 5.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub struct Natlookup(ipf5::Natlookup);

// SAFETY: it is its only field.
unsafe impl Object for Natlookup {}

impl Layout for Natlookup {
    const REV: u32 = 4_010_901;

    fn encode(client: SocketAddr, proxy: SocketAddr) -> Option<Self> {
        ipf5::Natlookup::encode(client, proxy).map(Natlookup)
    }

    fn decode(&self) -> SocketAddr {
        self.0.decode()
    }
}
