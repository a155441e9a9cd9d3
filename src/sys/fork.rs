//! fork(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, setsid};

use super::descriptors::keep_only;

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

/// The same by _Fork(3) of POSIX.1-2024 where the C library has it (glibc from 2.34, musl from 1.2.2). What fork(3) puts in
/// order for other threads is memory of the library that each of thousands of sessions would then have of its own, and a
/// part of its time; and who has called pthread_atfork(3) is not asked. The child's end is [`end`].
///
/// # Errors
/// As [`fork`].
pub fn fork_barely() -> io::Result<Forked> {
    // SAFETY: a name that ends in NUL; where nobody has it, the answer is null.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_Fork".as_ptr()) };
    let forked = if found.is_null() {
        fork()?
    } else {
        // SAFETY: the name is the standard's, and so is its type.
        let bare: extern "C" fn() -> libc::pid_t = unsafe { std::mem::transmute(found) };
        match Errno::result(bare())? {
            0 => Forked::Child,
            child => Forked::Parent(Pid::from_raw(child)),
        }
    };
    BARE.fetch_or(forked == Forked::Child, Ordering::Relaxed);
    Ok(forked)
}

/// We come from [`fork_barely`].
static BARE: AtomicBool = AtomicBool::new(false);

/// The end of `main`. Who comes from [`fork_barely`] ends here and at once: what std and the C library have put in order for an
/// end is their parent's, and would make ten pages of memory a session's own before it gives them back.
#[must_use]
pub fn end(code: u8) -> ExitCode {
    if BARE.load(Ordering::Relaxed) {
        // SAFETY: ends this process, in which nothing is left to be done.
        unsafe { libc::_exit(code.into()) }
    }
    ExitCode::from(code)
}

/// Tries `deed` in a process of its own, and waits for its exit code. `None`: a signal ended it.
///
/// # Errors
/// As [`fork`].
pub fn in_a_child(deed: impl FnOnce() -> u8) -> io::Result<Option<i32>> {
    match fork()? {
        Forked::Parent(child) => match waitpid(child, None)? {
            WaitStatus::Exited(_, code) => Ok(Some(code)),
            _ => Ok(None),
        },
        Forked::Child => {
            let code = deed();
            // SAFETY: ends this process at once, without running anything of the parent's.
            unsafe { libc::_exit(code.into()) }
        }
    }
}

/// Makes a process that holds no descriptor but 0, 1, 2 and a copy of `kept`, and lives `life` to its end: it never
/// comes back into its parent's code.
///
/// `life` must not use what its parent has open: those descriptors are closed already, whoever owns them.
///
/// # Errors
/// As [`fork`].
pub fn spawn_alone(
    kept: &impl AsFd,
    life: impl FnOnce(io::Result<OwnedFd>) -> u8,
) -> io::Result<Pid> {
    match fork()? {
        Forked::Parent(child) => Ok(child),
        Forked::Child => {
            // A terminal's signals and its TIOCSTI are for the processes of its own session.
            let _ = setsid(); // a new child leads no group, so nothing forbids it
            let code = life(keep_only(kept.as_fd()));
            // SAFETY: ends this process at once, without running anything of the parent's: its destructors would close
            // numbers that are no longer theirs.
            unsafe { libc::_exit(code.into()) }
        }
    }
}
