//! ioctl(2) that passes one structure to the kernel and back, and how addresses stand in such structures.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::{ptr, slice};

use nix::errno::Errno;

/// `IPPROTO_TCP`, on every system.
pub(super) const TCP: u8 = 6;

/// A structure as the kernel has it.
///
/// # Safety
/// It is `repr(C)`, made of integers only, and no byte of it is padding: what a compiler would pad has a field.
pub unsafe trait Object: Copy {
    /// Its bytes, in memory order.
    fn bytes(&self) -> &[u8] {
        // SAFETY: every byte is initialised, for there is no padding, and the slice borrows the structure.
        unsafe { slice::from_raw_parts(ptr::from_ref(self).cast(), size_of::<Self>()) }
    }

    /// The same, to be written.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; and integers may have any bits.
        unsafe { slice::from_raw_parts_mut(ptr::from_mut(self).cast(), size_of::<Self>()) }
    }
}

/// `_IOWR(group, number, T)` of BSD's <sys/ioccom.h>, which illumos has too.
#[must_use]
pub const fn iowr<T>(group: u8, number: u8) -> u32 {
    let size = size_of::<T>();
    assert!(size < 0x2000);
    #[expect(clippy::cast_possible_truncation, reason = "it has 13 bits")]
    let size = size as u32;
    0xC000_0000 | (size << 16) | ((group as u32) << 8) | number as u32
}

/// Hands `object` to the kernel, which may overwrite it.
///
/// # Safety
/// `request` is an `_IOWR` of a structure with the size and the meaning of `object`, and what `object` refers to by
/// address is live and may be overwritten as well.
///
/// # Errors
/// As the device has it.
pub(super) unsafe fn ioctl<T: Object>(
    device: BorrowedFd<'_>,
    request: u32,
    object: &mut T,
) -> nix::Result<()> {
    // SAFETY: the descriptor is open, the pointer is to a live object of the size in `request`; the caller knows the
    // rest. The request is unsigned long on BSD and int on illumos: the same 32 bits.
    Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), request as _, ptr::from_mut(object)) })
        .map(drop)
}

/// An address in 16 bytes: IPv4 in the first four, also where a socket for both families shows it as IPv6.
pub(super) fn octets(at: SocketAddr) -> [u8; 16] {
    match at.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            octets
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// What [`octets`] wrote, with a port in network byte order; canonical.
pub(super) fn endpoint(octets: [u8; 16], port: u16, is_ipv4: bool) -> SocketAddr {
    let ip = if is_ipv4 {
        let [a, b, c, d, ..] = octets;
        Ipv4Addr::new(a, b, c, d).into()
    } else {
        IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
    };
    SocketAddr::new(ip, u16::from_be(port))
}

/// Whether it is an IPv4 address, be it written as IPv6.
pub(super) fn is_ipv4(at: SocketAddr) -> bool {
    at.ip().to_canonical().is_ipv4()
}
