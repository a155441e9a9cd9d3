//! `struct pfioc_natlook` of FreeBSD 9 to 15, NetBSD 8 to 11 and DragonFly.

use std::mem::offset_of;
use std::net::SocketAddr;

use super::{Layout, Query};
use crate::sys::object::{self, Object, TCP, endpoint, octets};

/// Addresses and ports are in network byte order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(4))]
#[expect(missing_docs, reason = "the names of <net/pfvar.h>")]
pub struct Natlook {
    pub saddr: [u8; 16],
    pub daddr: [u8; 16],
    pub rsaddr: [u8; 16],
    pub rdaddr: [u8; 16],
    pub sport: u16,
    pub dport: u16,
    pub rsport: u16,
    pub rdport: u16,
    pub af: u8,
    pub proto: u8,
    pub direction: u8,
    pad: u8,
}

const _: () = {
    assert!(size_of::<Natlook>() == 76);
    assert!(offset_of!(Natlook, saddr) == 0);
    assert!(offset_of!(Natlook, daddr) == 16);
    assert!(offset_of!(Natlook, rdaddr) == 48);
    assert!(offset_of!(Natlook, sport) == 64);
    assert!(offset_of!(Natlook, dport) == 66);
    assert!(offset_of!(Natlook, rdport) == 70);
    assert!(offset_of!(Natlook, af) == 72);
    assert!(offset_of!(Natlook, proto) == 73);
    assert!(offset_of!(Natlook, direction) == 74);
    assert!(Natlook::REQUEST == 0xC04C_4417);
};

// SAFETY: repr(C), integers only; the sizes of the fields add up to 76, so that nothing is padding.
unsafe impl Object for Natlook {}

impl Layout for Natlook {
    const REQUEST: u32 = object::iowr::<Natlook>(b'D', 23);

    fn encode(query: &Query, inet6: u8) -> Self {
        Natlook {
            saddr: octets(query.client),
            daddr: octets(query.proxy),
            sport: query.client.port().to_be(),
            dport: query.proxy.port().to_be(),
            af: query.family(inet6),
            proto: TCP,
            direction: query.direction as u8,
            ..Natlook::default()
        }
    }

    fn decode(&self) -> SocketAddr {
        endpoint(self.rdaddr, self.rdport, self.af == super::INET)
    }
}
