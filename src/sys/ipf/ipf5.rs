//! `natlookup_t` of IP-Filter 5: FreeBSD from 10, NetBSD from 7.

use std::mem::offset_of;
use std::net::SocketAddr;

use super::{IPN_TCP, Natlookup as Layout};
use crate::sys::object::{Object, endpoint, is_ipv4, octets};

/// Addresses and ports are in network byte order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(8))]
#[expect(missing_docs, reason = "the names of <netinet/ip_nat.h>")]
pub struct Natlookup {
    pub inipaddr: [u8; 16],
    pub outipaddr: [u8; 16],
    pub realipaddr: [u8; 16],
    /// 4 or 6: any other finds nothing.
    pub v: u32,
    pub flags: u32,
    pub inport: u16,
    pub outport: u16,
    pub realport: u16,
    pad: u16,
}

const _: () = {
    assert!(size_of::<Natlookup>() == 64);
    assert!(offset_of!(Natlookup, inipaddr) == 0);
    assert!(offset_of!(Natlookup, outipaddr) == 16);
    assert!(offset_of!(Natlookup, realipaddr) == 32);
    assert!(offset_of!(Natlookup, v) == 48);
    assert!(offset_of!(Natlookup, flags) == 52);
    assert!(offset_of!(Natlookup, inport) == 56);
    assert!(offset_of!(Natlookup, outport) == 58);
    assert!(offset_of!(Natlookup, realport) == 60);
};

// SAFETY: repr(C), integers only; the sizes of the fields add up to 64, so that nothing is padding.
unsafe impl Object for Natlookup {}

impl Layout for Natlookup {
    const REV: u32 = 5_010_200;

    fn encode(client: SocketAddr, proxy: SocketAddr) -> Option<Self> {
        Some(Natlookup {
            inipaddr: octets(proxy),
            outipaddr: octets(client),
            v: if is_ipv4(client) { 4 } else { 6 },
            flags: IPN_TCP,
            inport: proxy.port().to_be(),
            outport: client.port().to_be(),
            ..Natlookup::default()
        })
    }

    fn decode(&self) -> SocketAddr {
        endpoint(self.realipaddr, self.realport, self.v == 4)
    }
}
