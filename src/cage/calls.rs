//! The system calls that a process of ours may make from now on (seccomp(2)); any other ends it.

use std::io;

use nix::sys::prctl::set_no_new_privs;

pub(crate) use super::program::Program;
use super::program::{Fate, HERE, Question};
use crate::log::Log;
use crate::sys::seccomp;

/// What every process of ours calls: its loop, its sockets, the log and the allocator.
const COMMON: &[i64] = &[
    libc::SYS_bind,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_connect,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getsockname,
    libc::SYS_gettid,
    libc::SYS_ioctl,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall, // poll(2) after a stop and a continue
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Sockets: of IPv4 and IPv6. One to a syslogd is refused: the log tries to reach one that is gone, and must live on.
const FAMILY: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[
        (libc::AF_UNIX.unsigned_abs(), Fate::Refused),
        (libc::AF_INET.unsigned_abs(), Fate::Allowed),
        (libc::AF_INET6.unsigned_abs(), Fate::Allowed),
    ],
};

/// Memory: not executable.
const PROTECTION: Question = Question {
    argument: 2,
    mask: libc::PROT_EXEC.unsigned_abs(),
    fates: &[(0, Fate::Allowed)],
};

/// Calls whose number does not say enough.
const ASKED: &[(i64, Question)] = &[
    (libc::SYS_socket, FAMILY),
    (libc::SYS_mmap, PROTECTION),
    (libc::SYS_mprotect, PROTECTION),
];

/// What a process of ours may call: what is common to all and `more`, and memory that is not executable, and sockets of
/// IPv4 and IPv6.
pub(crate) const fn permitting(more: &[i64]) -> Program {
    let architecture = match HERE {
        Some(architecture) => architecture,
        None => 0,
    };
    Program::new(architecture, [COMMON, more], ASKED)
}

/// Allows nothing else from now on. A socket to a syslogd is refused, which costs lines if that is started anew; anything
/// else ends the process. For some architectures nobody has written a filter; there only new privileges are given up.
///
/// # Errors
/// The kernel does not take it.
pub(crate) fn allow_only(program: &Program, log: &Log) -> Result<(), String> {
    set_no_new_privs()
        .map_err(|errno| format!("cannot give up exec: {}", io::Error::from(errno)))?;
    if HERE.is_none() {
        log.debug(
            1,
            format_args!("no system call filter for this machine's architecture"),
        );
        return Ok(());
    }
    seccomp::ask(program.steps()).map_err(|error| format!("no system call filter: {error}"))
}
