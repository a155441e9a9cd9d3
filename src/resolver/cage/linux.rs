//! Linux: files for reading, and the system calls of a name look-up.

use landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
    Scope, path_beneath_rules,
};

use crate::cage::calls::{self, Program};
use crate::log::Log;

/// What the modules of nsswitch.conf(5) read: configuration, libraries, and the sockets and caches of nscd, sssd and
/// systemd-resolved.
const FOLDERS: [&str; 7] = [
    "/etc",
    "/lib",
    "/lib64",
    "/run",
    "/usr",
    "/var/lib/sss",
    "/var/run",
];

/// Calls of getaddrinfo(3) and of such modules. Which ones a module makes cannot be known, so any other call fails, and the
/// process goes on.
const CALLS: &[i64] = &[
    libc::SYS_clock_nanosleep,
    libc::SYS_connect,
    libc::SYS_dup,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpeername,
    libc::SYS_getppid,
    libc::SYS_getsockopt,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_pselect6,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_uname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_gettimeofday,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

static PROGRAM: Program = calls::looking_up(CALLS);

pub(super) fn enter(log: &Log) -> Result<(), String> {
    if let Err(error) = read_only() {
        // A kernel before 5.13, or one that was started without it.
        log.debug(1, format_args!("no landlock: {error}"));
    }
    calls::allow_only(&PROGRAM, log)
}

/// Of files only those may be read from now on; nor may a signal be sent to a process outside.
fn read_only() -> Result<(), RulesetError> {
    let rules = path_beneath_rules(FOLDERS, AccessFs::from_read(ABI::V5));
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(rules)?;
    ruleset.restrict_self()?;
    Ok(())
}
