//! Other programs of the sessions' user.

use std::process::Command;

use nix::unistd::Pid;

use crate::scene::{Gateway, OTHER, root};

/// Whether a process of this user may look into that one, which the kernel decides as for ptrace(2).
fn looks_into(user: &[&str], pid: Pid) -> bool {
    let mut command = Command::new("setpriv");
    command
        .args(user)
        .args(["cat", &format!("/proc/{pid}/maps")]);
    let looked = command.output().unwrap();
    !looked.stdout.is_empty()
}

#[test]
fn no_program_of_the_same_user_reads_a_session() {
    if !root() {
        return;
    }
    let proxy = ["--reuid=proxy", "--regid=proxy", "--clear-groups"];
    let as_other = ["setpriv"]
        .iter()
        .chain(&OTHER)
        .copied()
        .collect::<Vec<_>>();
    let starts: [(&[&str], &[&str]); 2] = [(&[], &proxy), (&as_other, &OTHER)];
    for (starter, user) in starts {
        for option in ["--log-stderr", "--no-cage"] {
            let gateway = Gateway::started(starter, &[option]);
            let session = gateway.session();
            for pid in [gateway.pid(), gateway.waiting(), session.pid] {
                assert!(!looks_into(user, pid), "{starter:?} {option} {pid}");
            }
        }
    }
}

/// The test above sees what it looks for.
#[test]
fn a_program_of_the_same_user_reads_another_one() {
    if !root() {
        return;
    }
    let mut sleeper = Command::new("setpriv");
    let mut sleeper = sleeper.args(OTHER).args(["sleep", "60"]).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(sleeper.id()).unwrap());
    crate::scene::until("it can be read", || looks_into(&OTHER, pid).then_some(()));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}
