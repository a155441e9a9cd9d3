//! The terminal that the proxy is started from.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::process::Command;

use nix::libc;
use nix::pty::openpty;
use nix::unistd::Pid;

use crate::captive::{Captive, Outcome};
use crate::scene::{Gateway, root};

/// The controlling terminal's number, 0 for none (`proc_pid_stat(5)`).
fn terminal_of(pid: Pid) -> i64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(4).unwrap().parse().unwrap()
}

/// How the descriptor was opened (`proc_pid_fdinfo(5)`).
fn flags_of(pid: Pid, fd: i32) -> i32 {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    i32::from_str_radix(flags.unwrap().trim(), 8).unwrap()
}

#[test]
fn no_session_types_into_its_starters_terminal() {
    if !root() {
        return;
    }
    let pty = openpty(None, None).unwrap();
    let terminal = || File::from(pty.slave.as_fd().try_clone_to_owned().unwrap());
    let mut command = Command::new("setsid");
    // That session leads the terminal, as a login shell's does.
    command.args(["--ctty", "env"]);
    command
        .stdin(terminal())
        .stdout(terminal())
        .stderr(terminal());
    let gateway = Gateway::by(&mut command, &[]);
    let mut bystander = gateway.session();
    assert_ne!(terminal_of(gateway.pid()), 0, "it was started from none");
    for pid in [gateway.waiting(), bystander.pid] {
        assert_eq!(terminal_of(pid), 0);
        for fd in 0..=1 {
            let open = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
            assert_eq!(open.to_str(), Some("/dev/null"));
        }
        // There the log is, and nothing is read.
        assert_eq!(flags_of(pid, 2) & libc::O_ACCMODE, libc::O_WRONLY);
    }
    for fd in [0, 2] {
        let session = gateway.session();
        let mut captive = Captive::take(session.pid);
        let key = captive.put(b"x");
        let typed = captive.call(libc::SYS_ioctl, [fd, libc::TIOCSTI, key, 0, 0, 0]);
        assert_eq!(typed, Outcome::Ended);
    }
    bystander.works();
    gateway.still_serves();
}
