//! Linux: the few system calls that the broker's own code makes. Its user and capabilities are settled by then.

use std::collections::BTreeMap;

use nix::sys::prctl::set_no_new_privs;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::log::Log;

pub(super) fn enter(log: &Log) -> Result<(), String> {
    set_no_new_privs().map_err(|errno| format!("cannot give up exec: {}", errno.desc()))?;
    match program().map_err(|error| format!("no system call filter: {error}"))? {
        Some(program) => {
            apply_filter(&program).map_err(|error| format!("no system call filter: {error}"))
        }
        None => {
            log.debug(
                1,
                format_args!("broker: no system call filter for this machine's architecture"),
            );
            Ok(())
        }
    }
}

/// The filter; `None` on an architecture for which nobody has written one. Any other call ends the process.
fn program() -> Result<Option<BpfProgram>, seccompiler::BackendError> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(None);
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // Sockets to come are a data connection's, or the way to a syslogd that was started anew.
    let family = |family: i32| {
        let family = u64::try_from(family).unwrap_or(u64::MAX);
        let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family)?;
        SeccompRule::new(vec![is])
    };
    let families = [
        family(libc::AF_UNIX)?,
        family(libc::AF_INET)?,
        family(libc::AF_INET6)?,
    ];
    rules.insert(libc::SYS_socket, families.into());
    let kill = SeccompAction::KillProcess;
    let filter = SeccompFilter::new(rules, kill, SeccompAction::Allow, architecture)?;
    filter.try_into().map(Some)
}

/// What the broker's loop, its sockets, the log and the allocator call.
const CALLS: &[i64] = &[
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
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];
