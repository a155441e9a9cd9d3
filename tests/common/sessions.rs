//! The children of a program that listens by itself: sessions, and the one that waits for a client.

#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use nix::unistd::Pid;

/// Those of this parent, whether anybody has waited for them or not, the oldest first.
fn children_of(parent: u32) -> Vec<Pid> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(path).unwrap();
    let pids = text.split_ascii_whitespace();
    pids.map(|pid| Pid::from_raw(pid.parse().unwrap()))
        .collect()
}

/// Nothing of a process that has ended.
fn sockets_of(process: impl std::fmt::Display) -> HashSet<PathBuf> {
    let open = fs::read_dir(format!("/proc/{process}/fd"));
    let targets = open.into_iter().flatten().flatten();
    let targets = targets.filter_map(|fd| fs::read_link(fd.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .collect()
}

/// Whether it has no client yet: only then it has its parent's listeners.
fn waits(parent: u32, child: Pid) -> bool {
    !sockets_of(parent).is_disjoint(&sockets_of(child))
}

/// The children that have, or had, a client.
#[must_use]
pub fn sessions_of(parent: u32) -> Vec<Pid> {
    let mut children = children_of(parent);
    children.retain(|child| !waits(parent, *child));
    children
}

/// The one that waits for a client, if one does at this moment.
#[must_use]
pub fn waiting_of(parent: u32) -> Option<Pid> {
    let mut children = children_of(parent).into_iter();
    children.find(|child| waits(parent, *child))
}

/// A field of proc_pid_status(5), its words with one blank between them.
#[must_use]
pub fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
