//! Linux: seccomp(2).

use std::io;

use libc::{sock_filter, sock_fprog};
use nix::errno::Errno;

/// Has the kernel ask this program at each system call of this process from now on, and of its children. It needs
/// `PR_SET_NO_NEW_PRIVS`.
///
/// # Errors
/// EINVAL: no valid program, or a kernel without seccomp. EACCES: new privileges have not been given up.
pub fn ask(program: &[sock_filter]) -> io::Result<()> {
    let program = sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(), // for C's sake: the kernel reads it
    };
    // SAFETY: the length is that of a live slice of what the kernel takes for an instruction; it copies and checks them.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    Ok(Errno::result(done).map(drop)?)
}
