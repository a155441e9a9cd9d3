//! The cage: from inside, what a session never does cannot be done. Each deed is tried by a process of its own, which is
//! this program again.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, and a process that ends as it must"
)]

#[path = "common/syslog.rs"]
mod syslog;

use std::env;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};

use ftp_proxy::cage;
use ftp_proxy::log::{Log, To, install_panic_hook};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Pid, execv, geteuid, getppid};
use syslog::FakeSyslog;

/// Tells the process which deed is its own.
const DEED: &str = "FTP_PROXY_CAGE_DEED";

/// What becomes of somebody who tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It works.
    Done,
    /// The system says no, and the process goes on.
    Refused,
    /// The process is ended at once.
    Ended,
}

/// A deed: whether it worked.
type Deed = fn() -> io::Result<()>;

/// What is tried, and what comes of it on Linux.
const DEEDS: &[(&str, Deed, Fate)] = &[
    (
        "a_file_cannot_be_read",
        || fs::read("/etc/passwd").map(drop),
        Fate::Ended,
    ),
    (
        "a_folder_cannot_be_listed",
        || fs::read_dir("/").map(drop),
        Fate::Ended,
    ),
    (
        "a_file_cannot_be_made",
        || fs::write("/tmp/ftp-proxy-cage", "x"),
        Fate::Ended,
    ),
    (
        "a_file_cannot_be_removed",
        || fs::remove_file("/tmp/no-such-file"),
        Fate::Ended,
    ),
    ("a_program_cannot_be_executed", exec, Fate::Ended),
    (
        "a_process_cannot_be_made",
        || Command::new("/bin/true").status().map(drop),
        Fate::Ended,
    ),
    ("a_process_cannot_be_traced", trace, Fate::Ended),
    ("a_process_cannot_be_killed", kill, Fate::Ended),
    (
        "the_kernel_cannot_be_asked_by_netlink",
        || family(AddressFamily::Netlink),
        Fate::Ended,
    ),
    (
        "packets_cannot_be_made",
        || family(AddressFamily::Packet),
        Fate::Ended,
    ),
    (
        "no_other_process_can_be_called",
        || UnixDatagram::unbound().map(drop),
        Fate::Refused,
    ),
    ("descriptors_run_out_early", many, Fate::Refused),
    ("data_connections_can_be_made", connect, Fate::Done),
    (
        "addresses_can_be_looked_at",
        || UdpSocket::bind("127.0.0.1:0").map(drop),
        Fate::Done,
    ),
];

fn exec() -> io::Result<()> {
    let words = [c"/bin/true"];
    Ok(execv(words[0], &words).map(|_| ())?)
}

fn trace() -> io::Result<()> {
    Ok(ptrace::attach(getppid())?)
}

fn kill() -> io::Result<()> {
    Ok(nix::sys::signal::kill(Pid::from_raw(1), None)?)
}

fn family(family: AddressFamily) -> io::Result<()> {
    socket(family, SockType::Raw, SockFlag::empty(), None)?;
    Ok(())
}

fn many() -> io::Result<()> {
    let sockets: io::Result<Vec<_>> = (0..100).map(|_| UdpSocket::bind("127.0.0.1:0")).collect();
    sockets.map(drop)
}

fn connect() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nonblocking(true)?;
    far.shutdown(std::net::Shutdown::Write)
}

fn main() -> ExitCode {
    if let Ok(name) = env::var(DEED) {
        return try_it(&name);
    }
    let mut trials: Vec<_> = DEEDS
        .iter()
        .map(|&(name, _, fate)| Trial::test(name, move || expect(name, fate)))
        .collect();
    let root = geteuid().is_root();
    trials.push(Trial::test(LEAVE, || expect(LEAVE, Fate::Done)).with_ignored_flag(!root));
    trials.push(Trial::test(PANIC, panic_is_logged));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

const LEAVE: &str = "who_has_left_the_files_finds_none_and_makes_none";

const PANIC: &str = "a_panic_is_logged";

/// Its last words go by the socket that it has: it can make no other.
fn panic_is_logged() -> Result<(), Failed> {
    let Some(syslog) = FakeSyslog::start() else {
        return Ok(());
    };
    let myself = env::current_exe()?;
    let mut command = syslog.command(&myself.to_string_lossy());
    let status = command.env(DEED, PANIC).status()?;
    if status.success() || met(status) == Some(Fate::Ended) {
        return Err(format!("{status}, not the end of a panic").into());
    }
    let line = syslog.expect("panicked at tests/cage.rs");
    if !line.starts_with("<27>") {
        return Err(line.into());
    }
    Ok(())
}

fn leave() -> io::Result<()> {
    cage::leave_files()?;
    let left = fs::read_dir("/")?.count();
    let found = fs::metadata("/etc/passwd").is_ok();
    let made = fs::write("/file", "x").is_ok();
    if left > 0 || found || made {
        return Err(io::Error::other(format!("{left} files, {found}, {made}")));
    }
    Ok(())
}

/// In a process of its own.
fn try_it(name: &str) -> ExitCode {
    let result = if name == LEAVE {
        leave()
    } else if name == PANIC {
        install_panic_hook(To::Syslog);
        cage::enter(&Log::open(0, false, To::Syslog)).expect("a cage");
        panic!("a deed");
    } else {
        let deed = DEEDS.iter().find(|(known, ..)| *known == name);
        let deed = deed.expect("a deed").1;
        cage::enter(&Log::open(0, false, To::Syslog)).expect("a cage");
        deed()
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}

fn expect(name: &str, fate: Fate) -> Result<(), Failed> {
    let myself = env::current_exe()?;
    let status = Command::new(myself).env(DEED, name).status()?;
    match met(status) {
        Some(met) if met == fate => Ok(()),
        _ => Err(format!("{status}, not {fate:?}").into()),
    }
}

fn met(status: ExitStatus) -> Option<Fate> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Some(Fate::Done),
        (Some(1), _) => Some(Fate::Refused),
        (_, Some(signal)) if signal == Signal::SIGSYS as libc::c_int => Some(Fate::Ended),
        _ => None,
    }
}
