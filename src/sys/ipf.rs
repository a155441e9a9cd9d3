//! ipf(4): SIOCGNATL, the question for the original destination of a redirected connection.
//!
//! It goes by way of `ipfobj_t`, which names version, size and place of the `natlookup_t` proper. All layouts of the
//! latter are compiled and tested everywhere. On some systems the call panics the kernel: who may ask is decided in
//! `nat`.

pub mod ipf4;
pub mod ipf4sun;
pub mod ipf5;

use std::mem::offset_of;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::ptr;

use nix::errno::Errno;

use super::object::{self, Object};

/// `SIOCGNATL`.
pub const REQUEST: u32 = object::iowr::<Ipfobj>(b'r', 63);

/// `IPFOBJ_NATLOOKUP`.
const NATLOOKUP: u32 = 9;

/// `IPN_TCP`. Without `IPN_IN` the question is: both ends are known, where was the client going?
const IPN_TCP: u32 = 1;

/// `ipfobj_t`: where the object is that the call is about.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[expect(missing_docs, reason = "the names of <netinet/ip_fil.h>")]
pub struct Ipfobj {
    pub rev: u32,
    pub size: u32,
    /// An address, as a number so that every byte of the structure is one.
    pub ptr: usize,
    pub kind: u32,
    pub offset: u32,
    /// `ipfo_retval` and padding in version 5, padding in version 4: all zero.
    pub rest: [u8; 32],
}

const _: () = {
    // 8 bytes where the figures were measured, and 4 on machines of 32 bits.
    const POINTER: usize = size_of::<usize>();
    assert!(size_of::<Ipfobj>() == 48 + POINTER);
    assert!(offset_of!(Ipfobj, rev) == 0);
    assert!(offset_of!(Ipfobj, size) == 4);
    assert!(offset_of!(Ipfobj, ptr) == 8);
    assert!(offset_of!(Ipfobj, kind) == 8 + POINTER);
    assert!(offset_of!(Ipfobj, offset) == 12 + POINTER);
    assert!(offset_of!(Ipfobj, rest) == 16 + POINTER);
    assert!(
        REQUEST
            == if POINTER == 8 {
                0xC038_723F
            } else {
                0xC034_723F
            }
    );
};

// SAFETY: repr(C), integers only; the sizes of the fields add up to the whole, so that nothing is padding.
unsafe impl Object for Ipfobj {}

impl Ipfobj {
    /// Names an object at `ptr`.
    #[must_use]
    pub fn of<N: Natlookup>(ptr: usize) -> Ipfobj {
        #[expect(clippy::cast_possible_truncation, reason = "64 bytes at most")]
        let size = size_of::<N>() as u32;
        Ipfobj {
            rev: N::REV,
            size,
            ptr,
            kind: NATLOOKUP,
            offset: 0,
            rest: [0; 32],
        }
    }
}

/// One layout of `natlookup_t`.
pub trait Natlookup: Object {
    /// `IPFILTER_VERSION` of the headers that have this layout; the kernel refuses one that is too old.
    const REV: u32;

    /// The question; `None` where this version knows only IPv4.
    fn encode(client: SocketAddr, proxy: SocketAddr) -> Option<Self>;

    /// The original destination from the kernel's answer, canonical.
    fn decode(&self) -> SocketAddr;
}

/// Asks IP-Filter for the original destination. **Panics the kernel of FreeBSD from 10.**
///
/// # Errors
/// ESRCH: no such session. EIO: IP-Filter is not running. EINVAL: another version. EAFNOSUPPORT: version 4 and IPv6.
pub fn natlookup<N: Natlookup>(
    device: BorrowedFd<'_>,
    client: SocketAddr,
    proxy: SocketAddr,
) -> nix::Result<SocketAddr> {
    let mut natlookup = N::encode(client, proxy).ok_or(Errno::EAFNOSUPPORT)?;
    let place = ptr::from_mut(&mut natlookup);
    let mut object = Ipfobj::of::<N>(place.expose_provenance());
    // SAFETY: REQUEST is made from the size of Ipfobj. It names `natlookup`, live, exposed and with its true size, which
    // the kernel may overwrite and which is not touched in between.
    unsafe { object::ioctl(device, REQUEST, &mut object) }?;
    // SAFETY: `place` points to the live local from which it was made.
    Ok(unsafe { place.read() }.decode())
}
