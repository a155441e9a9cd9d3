//! fork(2).

use std::io;

use nix::unistd::{ForkResult, Pid};

/// Which of the two we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The old process, with the new one's id.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Makes a second process.
///
/// # Errors
/// EAGAIN or ENOMEM: no room for another process. Tell the client so and go on.
pub fn fork() -> io::Result<Forked> {
    // SAFETY: this program has one thread, so no lock of another can be left held in the child, which may then do
    // whatever its parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
        ForkResult::Child => Ok(Forked::Child),
    }
}
