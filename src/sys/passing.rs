//! A descriptor as part of a message between two processes (unix(4), SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

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
