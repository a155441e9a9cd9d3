//! FreeBSD: procctl(2), `PROC_TRACE_CTL`.

use std::io;

use nix::errno::Errno;

/// Forbids other processes of the same user to trace this one or to read its memory, and the kernel to write a core of it.
///
/// # Errors
/// As procctl(2).
pub fn forbid() -> io::Result<()> {
    let mut disable = libc::PROC_TRACE_CTL_DISABLE;
    // SAFETY: the command reads one int, which outlives the call; id 0 is this process.
    let done = unsafe {
        libc::procctl(
            libc::P_PID,
            0,
            libc::PROC_TRACE_CTL,
            (&raw mut disable).cast(),
        )
    };
    Ok(Errno::result(done).map(drop)?)
}
