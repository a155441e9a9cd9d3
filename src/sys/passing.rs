//! A descriptor as part of a message between two processes (unix(4), SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use socket2::SockRef;

/// Bytes that may wait in a socket that passes descriptors: several answers.
const QUEUE: usize = 4096;

/// Has few descriptors wait in this socket. The kernel counts those that wait for all processes of a user, and refuses to pass
/// any above a limit: one receiver that does not receive would be in the way of others.
///
/// # Errors
/// As setsockopt(2).
pub fn keep_few_waiting(socket: &UnixStream) -> io::Result<()> {
    SockRef::from(socket).set_send_buffer_size(QUEUE)
}

/// Whether the receiver has received what it was sent, but for one or two messages.
///
/// # Errors
/// As poll(2).
pub fn is_received(socket: &UnixStream) -> io::Result<bool> {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    poll(&mut polled, PollTimeout::ZERO)?;
    Ok(polled[0]
        .revents()
        .is_some_and(|events| events.contains(PollFlags::POLLOUT)))
}

/// Sends `bytes` with a copy of `with`.
///
/// # Errors
/// As sendmsg(2).
pub fn send(to: &UnixStream, bytes: &[u8], with: &impl AsFd) -> io::Result<()> {
    let fds = [with.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    let parts = [IoSlice::new(bytes)];
    let sent = sendmsg::<()>(to.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None)?;
    if sent == bytes.len() {
        return Ok(());
    }
    Err(io::ErrorKind::WriteZero.into())
}

/// Receives bytes, and the descriptor that came with them, if one did. It is closed on exec.
///
/// # Errors
/// As recvmsg(2).
pub fn receive(from: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut parts = [IoSliceMut::new(bytes)];
    let mut space = cmsg_space!([RawFd; 1]);
    let message = recvmsg::<()>(
        from.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::empty(),
    )?;
    let mut received = None;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            for fd in fds {
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
                received = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    if let Some(fd) = &received {
        let flags = nix::fcntl::FdFlag::FD_CLOEXEC;
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(flags))?;
    }
    Ok((message.bytes, received))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_wait_for_a_receiver() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        keep_few_waiting(&ours).unwrap();
        let mut waiting = 0;
        while is_received(&ours).unwrap() {
            send(&ours, b"12345", &theirs).unwrap();
            waiting += 1;
            assert!(waiting < 16, "it is said to have received all of them");
        }
        for _ in 0..waiting {
            assert!(receive(&theirs, &mut [0; 5]).unwrap().1.is_some());
        }
        assert!(is_received(&ours).unwrap());
    }
}
