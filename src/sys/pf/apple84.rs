//! `struct pfioc_natlook` of macOS 10.6 to 15 (bsd/net/pfvar.h of xnu).

use std::mem::offset_of;
use std::net::SocketAddr;

use super::{Layout, Query};
use crate::sys::object::{self, Object, TCP, endpoint, octets};

/// `union pf_state_xport`: a port, or something longer for other protocols.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Xport {
    /// In network byte order.
    pub port: u16,
    rest: u16,
}

impl From<SocketAddr> for Xport {
    fn from(at: SocketAddr) -> Self {
        Xport {
            port: at.port().to_be(),
            rest: 0,
        }
    }
}

/// Addresses and ports are in network byte order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(4))]
#[expect(missing_docs, reason = "the names of pfvar.h")]
pub struct Natlook {
    pub saddr: [u8; 16],
    pub daddr: [u8; 16],
    pub rsaddr: [u8; 16],
    pub rdaddr: [u8; 16],
    pub sxport: Xport,
    pub dxport: Xport,
    pub rsxport: Xport,
    pub rdxport: Xport,
    pub af: u8,
    pub proto: u8,
    pub proto_variant: u8,
    pub direction: u8,
}

const _: () = {
    assert!(size_of::<Natlook>() == 84);
    assert!(offset_of!(Natlook, saddr) == 0);
    assert!(offset_of!(Natlook, daddr) == 16);
    assert!(offset_of!(Natlook, rdaddr) == 48);
    assert!(offset_of!(Natlook, sxport.port) == 64);
    assert!(offset_of!(Natlook, dxport.port) == 68);
    assert!(offset_of!(Natlook, rdxport.port) == 76);
    assert!(offset_of!(Natlook, af) == 80);
    assert!(offset_of!(Natlook, proto) == 81);
    assert!(offset_of!(Natlook, direction) == 83);
    assert!(Natlook::REQUEST == 0xC054_4417);
};

// SAFETY: repr(C), integers only; the sizes of the fields add up to 84, so that nothing is padding.
unsafe impl Object for Natlook {}

impl Layout for Natlook {
    const REQUEST: u32 = object::iowr::<Natlook>(b'D', 23);

    fn encode(query: &Query, inet6: u8) -> Self {
        Natlook {
            saddr: octets(query.client),
            daddr: octets(query.proxy),
            sxport: Xport::from(query.client),
            dxport: Xport::from(query.proxy),
            af: query.family(inet6),
            proto: TCP,
            direction: query.direction as u8,
            ..Natlook::default()
        }
    }

    fn decode(&self) -> SocketAddr {
        endpoint(self.rdaddr, self.rdxport.port, self.af == super::INET)
    }
}
