//! Attacks from a session on the parent and on another session.

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use crate::captive::{Captive, Outcome};
use crate::scene::{Gateway, OTHER, is_alive, root};

/// A call and its arguments, made for a process to attack.
type Attack = (&'static str, i64, fn(u64) -> [u64; 6]);

const fn all_zero(_: u64) -> [u64; 6] {
    [0; 6]
}

const KILL: u64 = libc::SIGKILL as u64;

/// Descriptor 0 is /dev/null; what is asked about is decided before the kernel looks at the descriptor.
fn fcntl(command: i32, argument: u64) -> [u64; 6] {
    [0, u64::from(command.unsigned_abs()), argument, 0, 0, 0]
}

/// Signals, in every way that there is.
const SIGNALS: &[Attack] = &[
    ("kill", libc::SYS_kill, |pid| [pid, KILL, 0, 0, 0, 0]),
    ("kill of a group", libc::SYS_kill, |_| [0, 15, 0, 0, 0, 0]),
    ("tgkill", libc::SYS_tgkill, |pid| [pid, pid, KILL, 0, 0, 0]),
    ("tkill", libc::SYS_tkill, |pid| [pid, KILL, 0, 0, 0, 0]),
    ("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, |pid| {
        [pid, KILL, 0, 0, 0, 0]
    }),
    ("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo, |pid| {
        [pid, pid, KILL, 0, 0, 0]
    }),
    ("pidfd_open", libc::SYS_pidfd_open, |pid| {
        [pid, 0, 0, 0, 0, 0]
    }),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal, |_| {
        [0, KILL, 0, 0, 0, 0]
    }),
    ("F_SETOWN", libc::SYS_fcntl, |pid| {
        fcntl(libc::F_SETOWN, pid)
    }),
    ("F_SETOWN_EX", libc::SYS_fcntl, |_| fcntl(15, 0)),
    ("F_SETSIG", libc::SYS_fcntl, |_| fcntl(10, KILL)),
    ("O_ASYNC", libc::SYS_fcntl, |_| {
        fcntl(libc::F_SETFL, libc::O_ASYNC as u64)
    }),
    ("F_SETLEASE", libc::SYS_fcntl, |_| fcntl(1024, 0)),
    ("F_NOTIFY", libc::SYS_fcntl, |_| fcntl(1026, 1)),
    ("FIOASYNC", libc::SYS_ioctl, |_| [0, 0x5452, 0, 0, 0, 0]),
    ("FIOSETOWN", libc::SYS_ioctl, |_| [0, 0x8901, 0, 0, 0, 0]),
    ("SIOCSPGRP", libc::SYS_ioctl, |_| [0, 0x8902, 0, 0, 0, 0]),
    ("timer_create", libc::SYS_timer_create, all_zero),
];

/// Memory, limits and place in the queue of another process; and new processes.
const PROCESSES: &[Attack] = &[
    ("ptrace", libc::SYS_ptrace, |pid| [16, pid, 0, 0, 0, 0]),
    ("process_vm_readv", libc::SYS_process_vm_readv, |pid| {
        [pid, 0, 0, 0, 0, 0]
    }),
    ("process_vm_writev", libc::SYS_process_vm_writev, |pid| {
        [pid, 0, 0, 0, 0, 0]
    }),
    ("process_madvise", libc::SYS_process_madvise, all_zero),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, all_zero),
    ("kcmp", libc::SYS_kcmp, |pid| [pid, pid, 0, 0, 0, 0]),
    ("prlimit64", libc::SYS_prlimit64, |pid| [pid, 7, 0, 0, 0, 0]),
    ("setpriority", libc::SYS_setpriority, |pid| {
        [0, pid, 19, 0, 0, 0]
    }),
    ("ioprio_set", libc::SYS_ioprio_set, |pid| {
        [1, pid, 0, 0, 0, 0]
    }),
    ("sched_setaffinity", libc::SYS_sched_setaffinity, |pid| {
        [pid, 8, 0, 0, 0, 0]
    }),
    ("sched_setscheduler", libc::SYS_sched_setscheduler, |pid| {
        [pid, 5, 0, 0, 0, 0]
    }),
    ("sched_setattr", libc::SYS_sched_setattr, |pid| {
        [pid, 0, 0, 0, 0, 0]
    }),
    ("migrate_pages", libc::SYS_migrate_pages, |pid| {
        [pid, 0, 0, 0, 0, 0]
    }),
    ("move_pages", libc::SYS_move_pages, |pid| {
        [pid, 0, 0, 0, 0, 0]
    }),
    ("setpgid", libc::SYS_setpgid, all_zero),
    ("clone", libc::SYS_clone, all_zero),
    ("clone3", libc::SYS_clone3, all_zero),
    ("fork", libc::SYS_fork, all_zero),
    ("vfork", libc::SYS_vfork, all_zero),
    ("execve", libc::SYS_execve, all_zero),
    ("execveat", libc::SYS_execveat, all_zero),
];

/// The system that all share.
const SYSTEM: &[Attack] = &[
    ("open", libc::SYS_open, all_zero),
    ("openat", libc::SYS_openat, all_zero),
    ("openat2", libc::SYS_openat2, all_zero),
    ("memfd_create", libc::SYS_memfd_create, all_zero),
    ("shmget", libc::SYS_shmget, all_zero),
    ("semget", libc::SYS_semget, all_zero),
    ("msgget", libc::SYS_msgget, all_zero),
    ("mq_open", libc::SYS_mq_open, all_zero),
    ("add_key", libc::SYS_add_key, all_zero),
    ("keyctl", libc::SYS_keyctl, all_zero),
    ("inotify_init1", libc::SYS_inotify_init1, all_zero),
    ("fanotify_init", libc::SYS_fanotify_init, all_zero),
    ("perf_event_open", libc::SYS_perf_event_open, all_zero),
    ("bpf", libc::SYS_bpf, all_zero),
    ("userfaultfd", libc::SYS_userfaultfd, all_zero),
    ("io_uring_setup", libc::SYS_io_uring_setup, all_zero),
    ("unshare", libc::SYS_unshare, |_| {
        [0x1000_0000, 0, 0, 0, 0, 0]
    }),
    ("setns", libc::SYS_setns, all_zero),
    ("mount", libc::SYS_mount, all_zero),
    ("chroot", libc::SYS_chroot, all_zero),
    ("personality", libc::SYS_personality, all_zero),
    ("modify_ldt", libc::SYS_modify_ldt, all_zero),
    ("socketpair", libc::SYS_socketpair, |_| [1, 1, 0, 0, 0, 0]),
    ("sendmsg", libc::SYS_sendmsg, all_zero),
    ("sendmmsg", libc::SYS_sendmmsg, all_zero),
    ("dup", libc::SYS_dup, |_| [2, 0, 0, 0, 0, 0]),
    ("dup2", libc::SYS_dup2, |_| [2, 9, 0, 0, 0, 0]),
    ("dup3", libc::SYS_dup3, |_| [2, 9, 0, 0, 0, 0]),
    ("F_DUPFD", libc::SYS_fcntl, |_| fcntl(libc::F_DUPFD, 0)),
    ("F_SETLK", libc::SYS_fcntl, |_| fcntl(libc::F_SETLK, 0)),
    ("TIOCSTI", libc::SYS_ioctl, |_| {
        [0, libc::TIOCSTI, 0, 0, 0, 0]
    }),
    ("TIOCSCTTY", libc::SYS_ioctl, |_| {
        [0, libc::TIOCSCTTY, 1, 0, 0, 0]
    }),
    ("TCSETS", libc::SYS_ioctl, |_| [0, libc::TCSETS, 0, 0, 0, 0]),
    ("SIOCSIFFLAGS", libc::SYS_ioctl, |_| [0, 0x8914, 0, 0, 0, 0]),
    ("a netlink socket", libc::SYS_socket, |_| {
        [16, 3, 0, 0, 0, 0]
    }),
    ("a packet socket", libc::SYS_socket, |_| [17, 3, 0, 0, 0, 0]),
    ("a crypto socket", libc::SYS_socket, |_| [38, 5, 0, 0, 0, 0]),
    ("a vsock socket", libc::SYS_socket, |_| [40, 1, 0, 0, 0, 0]),
    ("executable memory", libc::SYS_mmap, |_| {
        [0, 4096, 5, 0x22, u64::MAX, 0]
    }),
    ("int 0x80's numbers", 0x4000_0000 | 20, all_zero),
];

/// The log's descriptor, whose open file other processes have as well.
const LOG: &[Attack] = &[
    ("shutdown", libc::SYS_shutdown, |_| [2, 2, 0, 0, 0, 0]),
    ("read", libc::SYS_read, |_| [2, 0, 0, 0, 0, 0]),
    ("recvfrom", libc::SYS_recvfrom, |_| [2, 0, 0, 0, 0, 0]),
    ("recvmsg", libc::SYS_recvmsg, |_| [2, 0, 0, 0, 0, 0]),
    ("connect", libc::SYS_connect, |_| [2, 0, 0, 0, 0, 0]),
    ("setsockopt", libc::SYS_setsockopt, |_| [2, 0, 0, 0, 0, 0]),
    ("splice", libc::SYS_splice, |_| [2, 0, 0, 0, 0, 0]),
    ("F_SETFL", libc::SYS_fcntl, |_| [2, 4, 0, 0, 0, 0]),
    ("FIONBIO", libc::SYS_ioctl, |_| [2, 0x5421, 0, 0, 0, 0]),
];

/// Each by a session of its own, on the parent; another session and the parent notice nothing.
fn end_in_their_own_session(gateway: &Gateway, attacks: &[Attack]) {
    let mut bystander = gateway.session();
    for (name, number, arguments) in attacks {
        for victim in [gateway.pid(), bystander.pid] {
            let session = gateway.session();
            let mut captive = Captive::take(session.pid);
            let outcome = captive.call(*number, arguments(id(victim)));
            assert_eq!(outcome, Outcome::Ended, "{name}");
            assert!(is_alive(gateway.pid()) && is_alive(bystander.pid), "{name}");
        }
    }
    bystander.works();
    gateway.still_serves();
}

fn id(pid: Pid) -> u64 {
    u64::from(pid.as_raw().unsigned_abs())
}

#[test]
fn no_session_signals_another_process() {
    if root() {
        end_in_their_own_session(&Gateway::start(), SIGNALS);
    }
}

#[test]
fn no_session_touches_or_makes_a_process() {
    if root() {
        end_in_their_own_session(&Gateway::start(), PROCESSES);
    }
}

#[test]
fn no_session_reaches_what_the_system_shares() {
    if root() {
        end_in_their_own_session(&Gateway::start(), SYSTEM);
    }
}

#[test]
fn no_session_disturbs_the_log_of_the_others() {
    if root() {
        end_in_their_own_session(&Gateway::started(&[], &["--log-stderr"]), LOG);
    }
}

/// There the parent and all sessions are one user, so that the kernel alone would let one signal the other.
#[test]
fn no_session_signals_a_parent_of_its_own_user() {
    if root() {
        let starter = ["setpriv"]
            .iter()
            .chain(&OTHER)
            .copied()
            .collect::<Vec<_>>();
        end_in_their_own_session(&Gateway::started(&starter, &[]), SIGNALS);
    }
}

#[test]
fn a_session_that_was_stopped_goes_on() {
    if !root() {
        return;
    }
    let gateway = Gateway::start();
    let mut session = gateway.session();
    let mut captive = Captive::take(session.pid);
    let pid = captive.call(libc::SYS_getpid, [0; 6]);
    assert_eq!(pid, Outcome::Returned(i64::from(session.pid.as_raw())));
    let flags = captive.call(libc::SYS_fcntl, fcntl(libc::F_GETFL, 0));
    assert!(matches!(flags, Outcome::Returned(_)), "{flags:?}");
    let syslogd = captive.call(libc::SYS_socket, [1, 2, 0, 0, 0, 0]);
    assert_eq!(syslogd, Outcome::Refused(Errno::EACCES));
    captive.release();
    session.works();
}
