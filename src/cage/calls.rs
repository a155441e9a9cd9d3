//! The system calls that a process of ours may make from now on (seccomp(2)); any other ends it.

use std::collections::BTreeMap;

use nix::sys::prctl::set_no_new_privs;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use crate::log::Log;

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

/// Allows what is common to our processes and `more`, and memory that is not executable, and sockets of IPv4 and IPv6.
/// A socket to a syslogd is refused, which costs lines if that is started anew; anything else ends the process. For some
/// architectures nobody has written a filter; there only new privileges are given up.
///
/// # Errors
/// The kernel does not take it.
pub(crate) fn allow_only(more: &[i64], log: &Log) -> Result<(), String> {
    set_no_new_privs().map_err(|errno| format!("cannot give up exec: {}", errno.desc()))?;
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        log.debug(
            1,
            format_args!("no system call filter for this machine's architecture"),
        );
        return Ok(());
    };
    let failed = |error: Error| format!("no system call filter: {error}");
    let programs = refusing(architecture)
        .and_then(|refusing| Ok([refusing, ending(more, architecture)?]))
        .map_err(|error| format!("no system call filter: {error}"))?;
    for program in &programs {
        apply_filter(program).map_err(failed)?;
    }
    Ok(())
}

/// The filter that ends the process.
fn ending(more: &[i64], architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = COMMON
        .iter()
        .chain(more)
        .map(|call| (*call, Vec::new()))
        .collect();
    let families = [
        is(0, libc::AF_UNIX)?,
        is(0, libc::AF_INET)?,
        is(0, libc::AF_INET6)?,
    ];
    rules.insert(libc::SYS_socket, families.into());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let executable = SeccompCmpOp::MaskedEq(word(libc::PROT_EXEC));
        let never = SeccompCondition::new(2, SeccompCmpArgLen::Dword, executable, 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![never])?]);
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )?;
    filter.try_into()
}

/// The filter that answers: the log tries to reach a syslogd that is gone, and must live on.
fn refusing(architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let refused = SeccompAction::Errno(u32::try_from(libc::EACCES).unwrap_or_default());
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_socket, vec![is(0, libc::AF_UNIX)?])]),
        SeccompAction::Allow,
        refused,
        architecture,
    )?;
    filter.try_into()
}

/// The argument at this place is this number.
fn is(place: u8, number: i32) -> Result<SeccompRule, BackendError> {
    let length = SeccompCmpArgLen::Dword;
    let is = SeccompCondition::new(place, length, SeccompCmpOp::Eq, word(number))?;
    SeccompRule::new(vec![is])
}

fn word(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
