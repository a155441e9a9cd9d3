//! The system calls that a process of ours may make from now on (seccomp(2)); any other ends it.

use std::io;

use nix::sys::prctl::set_no_new_privs;

pub(crate) use super::program::Program;
use super::program::{Fate, HERE, Otherwise, Question};
use crate::log::Log;
use crate::sys::seccomp;

/// What every process of ours calls: its loop, its sockets, the log and the allocator. No call here names another process:
/// a signal, even to itself, is not among them.
const COMMON: &[i64] = &[
    libc::SYS_bind,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getsockname,
    libc::SYS_gettid,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall, // poll(2) after a stop and a continue
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Sockets: TCP and UDP of IPv4 and IPv6. One to a syslogd is refused: the log tries to reach one that is gone, and must
/// live on.
const FAMILY: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[
        (libc::AF_UNIX.unsigned_abs(), Fate::Refused),
        (libc::AF_INET.unsigned_abs(), Fate::Asked(&KIND)),
        (libc::AF_INET6.unsigned_abs(), Fate::Asked(&KIND)),
    ],
    otherwise: Fate::Ended,
};

/// Other kinds and protocols load modules into the kernel (SCTP), or make packets (raw sockets).
const KIND: Question = Question {
    argument: 1,
    mask: 0xf, // beside the flags SOCK_CLOEXEC and SOCK_NONBLOCK
    fates: &[
        (
            libc::SOCK_STREAM.unsigned_abs(),
            Fate::Asked(&protocol(&[
                (0, Fate::Allowed),
                (libc::IPPROTO_TCP.unsigned_abs(), Fate::Allowed),
            ])),
        ),
        (
            libc::SOCK_DGRAM.unsigned_abs(),
            Fate::Asked(&protocol(&[
                (0, Fate::Allowed),
                (libc::IPPROTO_UDP.unsigned_abs(), Fate::Allowed),
            ])),
        ),
    ],
    otherwise: Fate::Ended,
};

const fn protocol(fates: &'static [(u32, Fate)]) -> Question {
    Question {
        argument: 2,
        mask: u32::MAX,
        fates,
        otherwise: Fate::Ended,
    }
}

/// Memory: not executable.
const PROTECTION: Question = Question {
    argument: 2,
    mask: libc::PROT_EXEC.unsigned_abs(),
    fates: &[(0, Fate::Allowed)],
    otherwise: Fate::Ended,
};

/// New memory: neither executable nor out of what all processes share, the pool of huge pages; and counted by RLIMIT_AS.
const MAPPING: Question = Question {
    argument: 2,
    mask: libc::PROT_EXEC.unsigned_abs(),
    fates: &[(
        0,
        Fate::Asked(&Question {
            argument: 3,
            mask: (libc::MAP_SHARED | libc::MAP_GROWSDOWN | libc::MAP_LOCKED | libc::MAP_HUGETLB)
                .unsigned_abs(),
            fates: &[(0, Fate::Allowed)],
            otherwise: Fate::Ended,
        }),
    )],
    otherwise: Fate::Ended,
};

/// madvise(2): what allocators say. Merged pages (MADV_MERGEABLE) show by their timing what another process has in memory.
const ADVICE: Question = Question {
    argument: 2,
    mask: u32::MAX,
    fates: &[
        (libc::MADV_NORMAL.unsigned_abs(), Fate::Allowed),
        (libc::MADV_WILLNEED.unsigned_abs(), Fate::Allowed),
        (libc::MADV_DONTNEED.unsigned_abs(), Fate::Allowed),
        (libc::MADV_FREE.unsigned_abs(), Fate::Allowed),
        (libc::MADV_HUGEPAGE.unsigned_abs(), Fate::Allowed),
        (libc::MADV_NOHUGEPAGE.unsigned_abs(), Fate::Allowed),
        (libc::MADV_DONTDUMP.unsigned_abs(), Fate::Allowed),
    ],
    otherwise: Fate::Ended,
};

/// futex(2): waits and wakes. The operations with priority inheritance name another process by its id.
const LOCK: Question = Question {
    argument: 1,
    mask: !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME).unsigned_abs(),
    fates: &[
        (libc::FUTEX_WAIT.unsigned_abs(), Fate::Allowed),
        (libc::FUTEX_WAKE.unsigned_abs(), Fate::Allowed),
        (libc::FUTEX_WAIT_BITSET.unsigned_abs(), Fate::Allowed),
        (libc::FUTEX_WAKE_BITSET.unsigned_abs(), Fate::Allowed),
    ],
    otherwise: Fate::Ended,
};

/// sendto(2) without an address, as send(3) is: to where the socket is connected. With one, the socket of the log would reach
/// every program that has a socket in the file system.
const CONNECTED: Question = Question {
    argument: 5, // its length
    mask: u32::MAX,
    fates: &[(0, Fate::Allowed)],
    otherwise: Fate::Ended,
};

/// Options of sockets. Others are refused: they load modules into the kernel (TCP_ULP), have it run programs
/// (SO_ATTACH_BPF), or with `-u root` change the packet filter (IPT_SO_SET_REPLACE).
const OPTION: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[(LOG, Fate::Ended)],
    otherwise: Fate::Asked(&Question {
        argument: 1,
        mask: u32::MAX,
        fates: &[
            (
                libc::SOL_SOCKET.unsigned_abs(),
                Fate::Asked(&option(&[
                    (libc::SO_REUSEADDR.unsigned_abs(), Fate::Allowed),
                    (libc::SO_KEEPALIVE.unsigned_abs(), Fate::Allowed),
                    (libc::SO_OOBINLINE.unsigned_abs(), Fate::Allowed),
                    (libc::SO_LINGER.unsigned_abs(), Fate::Allowed),
                    (libc::SO_RCVTIMEO.unsigned_abs(), Fate::Allowed),
                    (libc::SO_SNDTIMEO.unsigned_abs(), Fate::Allowed),
                ])),
            ),
            (
                libc::IPPROTO_TCP.unsigned_abs(),
                Fate::Asked(&option(&[
                    (libc::TCP_NODELAY.unsigned_abs(), Fate::Allowed),
                    (libc::TCP_KEEPIDLE.unsigned_abs(), Fate::Allowed),
                    (libc::TCP_KEEPINTVL.unsigned_abs(), Fate::Allowed),
                    (libc::TCP_KEEPCNT.unsigned_abs(), Fate::Allowed),
                    (libc::TCP_USER_TIMEOUT.unsigned_abs(), Fate::Allowed),
                    (libc::TCP_QUICKACK.unsigned_abs(), Fate::Allowed),
                ])),
            ),
            (
                libc::IPPROTO_IPV6.unsigned_abs(),
                Fate::Asked(&option(&[(
                    libc::IPV6_V6ONLY.unsigned_abs(),
                    Fate::Allowed,
                )])),
            ),
        ],
        otherwise: Fate::Refused,
    }),
};

const fn option(fates: &'static [(u32, Fate)]) -> Question {
    Question {
        argument: 2,
        mask: u32::MAX,
        fates,
        otherwise: Fate::Refused,
    }
}

/// splice(2): neither out of the log nor into it, where an offset would overwrite its earlier lines.
const PIPED: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[(LOG, Fate::Ended)],
    otherwise: Fate::Asked(&Question {
        argument: 2,
        ..NOT_THE_LOG
    }),
};

/// Descriptor 2 is the log's, and other processes have the same open file: it is for writing only. Sessions could read what
/// is typed at a terminal, or end the log of all of them (shutdown(2)).
const NOT_THE_LOG: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[(LOG, Fate::Ended)],
    otherwise: Fate::Allowed,
};
const LOG: u32 = libc::STDERR_FILENO.unsigned_abs();

/// fcntl(2): the commands that are used. F_SETOWN, F_SETSIG, leases and F_NOTIFY send signals to other processes.
const COMMAND: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[(LOG, Fate::Ended)],
    otherwise: Fate::Asked(&Question {
        argument: 1,
        mask: u32::MAX,
        fates: COMMANDS,
        otherwise: Fate::Ended,
    }),
};

const COMMANDS: &[(u32, Fate)] = &[
    (libc::F_GETFD.unsigned_abs(), Fate::Allowed),
    (libc::F_SETFD.unsigned_abs(), Fate::Allowed),
    (libc::F_GETFL.unsigned_abs(), Fate::Allowed),
    (libc::F_SETFL.unsigned_abs(), Fate::Asked(&NO_SIGNALS)),
    (libc::F_GETPIPE_SZ.unsigned_abs(), Fate::Allowed),
    (libc::F_SETPIPE_SZ.unsigned_abs(), Fate::Allowed),
];

/// F_SETFL without the flag that has the kernel signal a descriptor's owner.
const NO_SIGNALS: Question = Question {
    argument: 2,
    mask: libc::O_ASYNC.unsigned_abs(),
    fates: &[(0, Fate::Allowed)],
    otherwise: Fate::Ended,
};

/// ioctl(2): whether a socket blocks. Others type into a terminal (TIOCSTI) or send signals (FIOSETOWN, SIOCSPGRP).
const REQUEST: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[(LOG, Fate::Ended)],
    otherwise: Fate::Asked(&Question {
        argument: 1,
        mask: u32::MAX,
        fates: &[(FIONBIO, Fate::Allowed)],
        otherwise: Fate::Ended,
    }),
};
#[allow(clippy::cast_possible_truncation, reason = "a constant of 16 bits")]
const FIONBIO: u32 = libc::FIONBIO as u32;
#[allow(clippy::cast_possible_truncation, reason = "a constant of 16 bits")]
const FIONREAD: u32 = libc::FIONREAD as u32;

/// Calls whose number does not say enough.
const ASKED: &[(i64, Question)] = &[
    (libc::SYS_socket, FAMILY),
    (libc::SYS_mmap, MAPPING),
    (libc::SYS_mprotect, PROTECTION),
    (libc::SYS_fcntl, COMMAND),
    (libc::SYS_ioctl, REQUEST),
    (libc::SYS_connect, NOT_THE_LOG),
    (libc::SYS_read, NOT_THE_LOG),
    (libc::SYS_recvfrom, NOT_THE_LOG),
    (libc::SYS_recvmsg, NOT_THE_LOG),
    (libc::SYS_setsockopt, OPTION),
    (libc::SYS_shutdown, NOT_THE_LOG),
    (libc::SYS_splice, PIPED),
    (libc::SYS_madvise, ADVICE),
    (libc::SYS_futex, LOCK),
    (libc::SYS_sendto, CONNECTED),
];

/// What a process of ours may call: what is common to all and `more`, and memory that is not executable, and sockets of
/// IPv4 and IPv6. Any other call ends it.
pub(crate) const fn permitting(more: &[i64]) -> Program {
    Program::new(ARCHITECTURE, [COMMON, more], &[ASKED], Otherwise::End)
}

/// Sockets of a look-up: as the session's, and to the system's resolver, and to the kernel for routes.
const LOOKING_UP: Question = Question {
    argument: 0,
    mask: u32::MAX,
    fates: &[
        (libc::AF_UNIX.unsigned_abs(), Fate::Allowed),
        (libc::AF_NETLINK.unsigned_abs(), Fate::Allowed),
        (libc::AF_INET.unsigned_abs(), Fate::Asked(&KIND)),
        (libc::AF_INET6.unsigned_abs(), Fate::Asked(&KIND)),
    ],
    otherwise: Fate::Ended,
};

/// What a process may call that looks up names by modules of the system: what is common to all and `more`, and limits of its
/// own. Any other call fails.
pub(crate) const fn looking_up(more: &[i64]) -> Program {
    let own_limits = Question {
        argument: 0,
        mask: u32::MAX,
        fates: &[(0, Fate::Allowed)],
        otherwise: Fate::Ended,
    };
    let command = Question {
        argument: 1,
        mask: u32::MAX,
        fates: COMMANDS,
        otherwise: Fate::Ended,
    };
    let request = Question {
        argument: 1,
        mask: u32::MAX,
        fates: &[(FIONBIO, Fate::Allowed), (FIONREAD, Fate::Allowed)],
        otherwise: Fate::Ended,
    };
    let asked = &[
        (libc::SYS_fcntl, command),
        (libc::SYS_madvise, ADVICE),
        (libc::SYS_futex, LOCK),
        (libc::SYS_socket, LOOKING_UP),
        (libc::SYS_ioctl, request),
        (libc::SYS_prlimit64, own_limits),
        (libc::SYS_read, NOT_THE_LOG),
        (libc::SYS_readv, NOT_THE_LOG),
        (libc::SYS_recvfrom, NOT_THE_LOG),
        (libc::SYS_recvmsg, NOT_THE_LOG),
        (libc::SYS_shutdown, NOT_THE_LOG),
    ];
    Program::new(ARCHITECTURE, [COMMON, more], &[asked], Otherwise::Refuse)
}

const ARCHITECTURE: u32 = match HERE {
    Some(architecture) => architecture,
    None => 0,
};

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
