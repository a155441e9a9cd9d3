//! `natlookup_t` of IP-Filter 4.1.28: FreeBSD up to 9. IPv4 only.

use std::mem::offset_of;
use std::net::SocketAddr;

use super::{IPN_TCP, Natlookup as Layout};
use crate::sys::object::{Object, endpoint, is_ipv4, octets};

/// Addresses and ports are in network byte order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(4))]
#[expect(missing_docs, reason = "the names of <netinet/ip_nat.h>")]
pub struct Natlookup {
    pub inip: [u8; 4],
    pub outip: [u8; 4],
    pub realip: [u8; 4],
    pub flags: u32,
    pub inport: u16,
    pub outport: u16,
    pub realport: u16,
    pad: u16,
}

const _: () = {
    assert!(size_of::<Natlookup>() == 24);
    assert!(offset_of!(Natlookup, inip) == 0);
    assert!(offset_of!(Natlookup, outip) == 4);
    assert!(offset_of!(Natlookup, realip) == 8);
    assert!(offset_of!(Natlookup, flags) == 12);
    assert!(offset_of!(Natlookup, inport) == 16);
    assert!(offset_of!(Natlookup, outport) == 18);
    assert!(offset_of!(Natlookup, realport) == 20);
};

// SAFETY: repr(C), integers only; the sizes of the fields add up to 24, so that nothing is padding.
unsafe impl Object for Natlookup {}

impl Layout for Natlookup {
    const REV: u32 = 4_012_800;

    fn encode(client: SocketAddr, proxy: SocketAddr) -> Option<Self> {
        let [a, b, c, d, ..] = octets(proxy);
        let [e, f, g, h, ..] = octets(client);
        is_ipv4(client).then(|| Natlookup {
            inip: [a, b, c, d],
            outip: [e, f, g, h],
            flags: IPN_TCP,
            inport: proxy.port().to_be(),
            outport: client.port().to_be(),
            ..Natlookup::default()
        })
    }

    fn decode(&self) -> SocketAddr {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&self.realip);
        endpoint(octets, self.realport, true)
    }
}
