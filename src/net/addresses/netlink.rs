//! Linux: by rtnetlink(7), which getifaddrs(3) would ask for every interface first, with all that is to be known of each.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use netlink_bindings::rt_addr::{Chained, Ifaddrmsg, IterableAddrAttrs, OpGetaddrDump};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockProtocol, recv, send};

use crate::netlink::{self, DONE, ERROR, messages};

/// How often the kernel is asked again when an address came or went meanwhile, so that an answer may be wrong.
const TRIES: usize = 4;

/// linux/netlink.h: NLM_F_DUMP_INTR.
const INTERRUPTED: u16 = 0x10;

pub(in crate::net) fn read() -> io::Result<Vec<IpAddr>> {
    for _ in 0..TRIES {
        if let Some(addresses) = ask()? {
            return Ok(addresses);
        }
    }
    Err(Errno::EAGAIN.into())
}

/// `None`: they have changed meanwhile.
fn ask() -> io::Result<Option<Vec<IpAddr>>> {
    let socket = netlink::open(SockProtocol::NetlinkRoute)?;
    let mut question = Chained::new(0);
    drop(question.request().op_getaddr_dump(&Ifaddrmsg::new()));
    send(
        socket.as_raw_fd(),
        question.finalize().buf(),
        MsgFlags::empty(),
    )?;
    let mut addresses = Vec::new();
    loop {
        let Some(datagram) = next(&socket)? else {
            continue;
        };
        for (header, rest) in messages(&datagram) {
            if header.flags & INTERRUPTED != 0 {
                return Ok(None);
            }
            match header.r#type {
                DONE => return Ok(Some(addresses)),
                ERROR => return Err(netlink::error(rest).into()),
                _ => addresses.extend(local(&OpGetaddrDump::decode_request(rest).1)),
            }
        }
    }
}

/// One datagram of the answer, in memory of its size: what a session has touched once is its own for as long as it lives.
/// `None`: a signal came.
fn next(socket: &OwnedFd) -> nix::Result<Option<Vec<u8>>> {
    // The length that it has, not the one that was read (netlink(7)).
    let how_long = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
    let received = recv(socket.as_raw_fd(), &mut [], how_long).and_then(|length| {
        let mut datagram = vec![0; length];
        let length = recv(socket.as_raw_fd(), &mut datagram, MsgFlags::empty())?;
        datagram.truncate(length);
        Ok(datagram)
    });
    match received {
        Err(Errno::EINTR) => Ok(None),
        received => received.map(Some),
    }
}

/// Of a link between two points the address is the other end's, and the local one is ours.
fn local(attributes: &IterableAddrAttrs<'_>) -> Option<IpAddr> {
    let local = attributes.get_local();
    local.or_else(|_| attributes.get_address()).ok()
}

#[cfg(test)]
mod tests {
    use crate::net::interfaces;

    #[test]
    fn the_kernel_names_the_addresses_that_the_c_library_names() {
        let sorted = |mut addresses: Vec<_>| {
            addresses.sort();
            addresses
        };
        let named = sorted(super::read().unwrap());
        assert!(named.iter().any(std::net::IpAddr::is_loopback));
        assert_eq!(named, sorted(interfaces::read().unwrap()));
    }
}
