//! By getifaddrs(3).

use std::io;
use std::net::IpAddr;

use nix::sys::socket::SockaddrStorage;

pub(in crate::net) fn read() -> io::Result<Vec<IpAddr>> {
    let address = |storage: SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    };
    let all = nix::ifaddrs::getifaddrs()?;
    Ok(all.filter_map(|i| i.address.and_then(address)).collect())
}
