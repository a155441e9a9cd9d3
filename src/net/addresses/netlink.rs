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

/// Where the addresses of this machine are asked for. A process in its cage can still ask, but no longer open it.
#[derive(Debug)]
pub struct Interfaces(OwnedFd);

impl Interfaces {
    /// Opens it.
    ///
    /// # Errors
    /// The system is out of descriptors, or has no rtnetlink(7).
    pub fn open() -> io::Result<Self> {
        Ok(Interfaces(netlink::open(SockProtocol::NetlinkRoute)?))
    }

    pub(in crate::net) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        for _ in 0..TRIES {
            if let Some(addresses) = ask(&self.0)? {
                return Ok(addresses);
            }
        }
        Err(Errno::EAGAIN.into())
    }
}

/// `None`: they have changed meanwhile.
fn ask(socket: &OwnedFd) -> io::Result<Option<Vec<IpAddr>>> {
    let mut question = Chained::new(0);
    drop(question.request().op_getaddr_dump(&Ifaddrmsg::new()));
    send(
        socket.as_raw_fd(),
        question.finalize().buf(),
        MsgFlags::empty(),
    )?;
    let (mut addresses, mut whole) = (Vec::new(), true);
    loop {
        let Some(datagram) = next(socket)? else {
            continue;
        };
        for (header, rest) in messages(&datagram) {
            whole &= header.flags & INTERRUPTED == 0;
            match header.r#type {
                // Not before: the next answer begins behind it.
                DONE => return Ok(whole.then_some(addresses)),
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
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::net::interfaces;

    /// A part of an answer: RTM_NEWADDR is 20, and of an attribute 2 is IFA_LOCAL (rtnetlink(7)).
    fn part(kind: u16, flags: u16, last: u8) -> Vec<u8> {
        let body = [
            &[0; 8][..],
            &8_u16.to_ne_bytes(),
            &2_u16.to_ne_bytes(),
            &[192, 0, 2, last],
        ];
        let body = body.concat();
        let length = u32::try_from(16 + body.len()).unwrap();
        let head = [kind.to_ne_bytes(), flags.to_ne_bytes()].concat();
        [&length.to_ne_bytes()[..], &head, &[0; 8], &body].concat()
    }

    #[test]
    fn an_answer_during_which_addresses_changed_is_read_to_its_end_and_forgotten() {
        const NEW: u16 = 20;
        let (ours, kernel) = UnixDatagram::pair().unwrap();
        let answers = [
            part(NEW, 0, 1),
            part(NEW, INTERRUPTED, 2),
            part(NEW, 0, 3),
            part(DONE, 0, 0),
            part(NEW, 0, 4),
            part(DONE, 0, 0),
        ];
        for answer in answers {
            kernel.send(&answer).unwrap();
        }
        let addresses = Interfaces(ours.into()).addresses().unwrap();
        assert_eq!(addresses, [IpAddr::from([192, 0, 2, 4])]);
    }

    #[test]
    fn the_kernel_names_the_addresses_that_the_c_library_names() {
        let sorted = |mut addresses: Vec<_>| {
            addresses.sort();
            addresses
        };
        let named = sorted(Interfaces::open().unwrap().addresses().unwrap());
        assert!(named.iter().any(IpAddr::is_loopback));
        assert_eq!(
            named,
            sorted(interfaces::Interfaces::open().unwrap().addresses().unwrap())
        );
    }
}
