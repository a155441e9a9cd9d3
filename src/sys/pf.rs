//! pf(4): DIOCNATLOOK, the question for the original destination of a redirected connection.
//!
//! `struct pfioc_natlook` has three layouts. All of them are compiled and tested everywhere; `Natlook` is this system's.

pub mod apple84;
pub mod bsd76;
pub mod openbsd80;

#[cfg_attr(target_os = "openbsd", path = "pf/rtable_openbsd.rs")]
#[cfg_attr(not(target_os = "openbsd"), path = "pf/rtable_none.rs")]
mod rtable;

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use super::object::{self, Object};

#[cfg(target_os = "macos")]
pub use apple84::Natlook;
#[cfg(any(target_os = "freebsd", target_os = "netbsd", target_os = "dragonfly"))]
pub use bsd76::Natlook;
#[cfg(target_os = "openbsd")]
pub use openbsd80::Natlook;
pub use rtable::routing_table;

/// `AF_INET`, on every system.
pub const INET: u8 = 2;

/// `AF_INET6` of this system: 28 on FreeBSD and DragonFly, 24 on OpenBSD and NetBSD, 30 on macOS.
#[allow(
    clippy::cast_possible_truncation,
    reason = "sa_family_t is a byte where there is pf"
)]
pub const INET6: u8 = libc::AF_INET6 as u8;

/// Which way the packet goes whose state is looked for. A third value must not exist: FreeBSD before 15 panics on 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// `PF_IN`. The answer is then in the source's fields, which nothing here reads.
    In = 1,
    /// `PF_OUT`: a reply to the client. The answer is where the client was going.
    Out = 2,
}

/// What is asked about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The client, where a reply goes from the filter's point of view.
    pub client: SocketAddr,
    /// Our end.
    pub proxy: SocketAddr,
    /// Always [`Direction::Out`] but in tests.
    pub direction: Direction,
    /// The routing domain of the connection; only OpenBSD has several.
    pub rdomain: u16,
}

impl Query {
    fn family(&self, inet6: u8) -> u8 {
        if object::is_ipv4(self.client) {
            INET
        } else {
            inet6
        }
    }
}

/// One layout of `struct pfioc_natlook`.
pub trait Layout: Object {
    /// `DIOCNATLOOK`, which has the size in it.
    const REQUEST: u32;

    /// The question, with `inet6` as the system's `AF_INET6`.
    fn encode(query: &Query, inet6: u8) -> Self;

    /// The original destination from the kernel's answer, canonical.
    fn decode(&self) -> SocketAddr;
}

/// Asks pf for the original destination.
///
/// # Errors
/// ENOENT: no such state. E2BIG: several. EPERM: macOS wants root at the call. EACCES, ENOTTY: no such request here.
pub fn natlook<L: Layout>(device: BorrowedFd<'_>, query: &Query) -> nix::Result<SocketAddr> {
    let mut natlook = L::encode(query, INET6);
    // SAFETY: REQUEST is made from the size of L, which each layout holds against the systems' headers; a
    // pfioc_natlook has no pointers.
    unsafe { object::ioctl(device, L::REQUEST, &mut natlook) }?;
    Ok(natlook.decode())
}
