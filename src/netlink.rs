//! Linux: netlink(7), the kernel's ear for messages; what they say is made from its own description.

#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

use netlink_bindings::builtin::Nlmsghdr;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, setsockopt, socket,
    sockopt::ReceiveTimeout,
};
use nix::sys::time::TimeVal;

/// linux/netlink.h: an error, or with errno 0 an acknowledgement; and the end of an answer of many messages.
pub(crate) const ERROR: u16 = 2;
pub(crate) const DONE: u16 = 3;

/// How long the kernel may take to answer, in seconds. It answers while it is asked, so this is for a kernel in trouble.
const PATIENCE: i64 = 5;

/// A socket to nobody but the kernel.
///
/// # Errors
/// As socket(2): a kernel without that protocol.
pub(crate) fn open(protocol: SockProtocol) -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(PATIENCE, 0))?;
    Ok(socket)
}

/// The messages of one datagram, each with what follows its header.
pub(crate) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (Nlmsghdr, &[u8])> {
    std::iter::from_fn(move || {
        let header = Nlmsghdr::new_from_slice(datagram.get(..Nlmsghdr::len())?)?;
        let length = usize::try_from(header.len).ok()?;
        let message = datagram.get(Nlmsghdr::len()..length)?;
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some((header, message))
    })
}

/// What [`ERROR`] says; errno 0 is an acknowledgement.
pub(crate) fn error(message: &[u8]) -> Errno {
    let code = message
        .first_chunk()
        .map_or(0, |code| i32::from_ne_bytes(*code));
    Errno::from_raw(code.saturating_neg())
}
