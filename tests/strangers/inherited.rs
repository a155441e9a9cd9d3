//! Descriptors that the starter had open.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::unistd::Pid;

use crate::scene::{Gateway, root};
use crate::syslog::FakeSyslog;

/// What this process has open.
pub fn open_in(pid: Pid) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open = open.map(|fd| fs::read_link(fd.unwrap().path()).unwrap());
    open.collect()
}

#[test]
fn nothing_of_the_starter_stays_open() {
    if !root() {
        return;
    }
    // Descriptors in a row, with a gap, and a high one.
    let open = "exec 3</etc/passwd 4</etc/group 9</etc/services; ulimit -n 1024
        exec bash -c 'exec 251</etc/hosts; exec \"$@\"' bash \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", open, "bash"]);
    let gateway = Gateway::by(&mut command, &[]);
    let session = gateway.session();
    for pid in [gateway.pid(), gateway.waiting(), session.pid] {
        let of_the_starter: Vec<_> = open_in(pid)
            .into_iter()
            .filter(|path| path.starts_with("/etc"))
            .collect();
        assert!(of_the_starter.is_empty(), "{of_the_starter:?}");
    }
}

#[test]
fn a_session_has_the_standard_descriptors_of_nothing() {
    // Without a syslogd the log is standard error.
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let gateway = Gateway::by(
        syslog
            .command("env")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
        &[],
    );
    let session = gateway.session();
    for pid in [gateway.waiting(), session.pid] {
        for fd in 0..=2 {
            let open = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
            assert_eq!(open, PathBuf::from("/dev/null"), "{fd}");
        }
    }
}
