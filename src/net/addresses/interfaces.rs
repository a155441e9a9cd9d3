//! By getifaddrs(3).

use std::io;
use std::net::IpAddr;

use nix::sys::socket::SockaddrStorage;

/// Where the addresses of this machine are asked for: nothing of ours, the library opens what it needs each time.
#[derive(Debug)]
pub struct Interfaces(());

impl Interfaces {
    /// Nothing to open.
    ///
    /// # Errors
    /// None; others have some.
    pub fn open() -> io::Result<Self> {
        Ok(Interfaces(()))
    }

    #[expect(clippy::unused_self, reason = "other systems need it")]
    pub(in crate::net) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let address = |storage: SockaddrStorage| {
            let v4 = storage.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| storage.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        };
        let all = nix::ifaddrs::getifaddrs()?;
        Ok(all.filter_map(|i| i.address.and_then(address)).collect())
    }
}
