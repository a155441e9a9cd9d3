//! `struct pfioc_natlook` of OpenBSD, with the routing domains.

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
    pub rdomain: u16,
    pub rrdomain: u16,
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
    assert!(size_of::<Natlook>() == 80);
    assert!(offset_of!(Natlook, saddr) == 0);
    assert!(offset_of!(Natlook, daddr) == 16);
    assert!(offset_of!(Natlook, rdaddr) == 48);
    assert!(offset_of!(Natlook, rdomain) == 64);
    assert!(offset_of!(Natlook, sport) == 68);
    assert!(offset_of!(Natlook, dport) == 70);
    assert!(offset_of!(Natlook, rdport) == 74);
    assert!(offset_of!(Natlook, af) == 76);
    assert!(offset_of!(Natlook, proto) == 77);
    assert!(offset_of!(Natlook, direction) == 78);
    assert!(Natlook::REQUEST == 0xC050_4417);
};

// SAFETY: repr(C), integers only; the sizes of the fields add up to 80, so that nothing is padding.
unsafe impl Object for Natlook {}

impl Layout for Natlook {
    const REQUEST: u32 = object::iowr::<Natlook>(b'D', 23);

    fn encode(query: &Query, inet6: u8) -> Self {
        Natlook {
            saddr: octets(query.client),
            daddr: octets(query.proxy),
            rdomain: query.rdomain,
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
