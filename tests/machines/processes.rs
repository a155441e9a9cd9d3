//! What /proc and the log tell of the proxy's processes.

#[path = "../common/sessions.rs"]
mod sessions;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::net::Namespace;
use super::world;

/// A process, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(pub u32);

impl Process {
    /// A line of its status, without its key.
    #[track_caller]
    pub fn status(self, key: &str) -> String {
        let path = format!("/proc/{}/status", self.0);
        let status = fs::read_to_string(&path).unwrap();
        let prefix = format!("{key}:");
        let line = status.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap().trim().to_owned()
    }

    /// Its effective user.
    #[track_caller]
    pub fn user(self) -> u32 {
        let ids = self.status("Uid");
        ids.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// What its descriptors are.
    #[track_caller]
    pub fn descriptors(self) -> Vec<PathBuf> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap();
        let link = |entry: std::io::Result<fs::DirEntry>| fs::read_link(entry.unwrap().path());
        entries.map(|entry| link(entry).unwrap()).collect()
    }

    pub fn children(self) -> Vec<Process> {
        let all = all().into_iter();
        all.filter(|one| one.parent() == Some(self.0)).collect()
    }

    /// Of a proxy that listens by itself: its children that have a client.
    pub fn sessions(self) -> Vec<Process> {
        let sessions = sessions::sessions_of(self.0).into_iter();
        sessions
            .map(|pid| Process(pid.as_raw().unsigned_abs()))
            .collect()
    }

    fn parent(self) -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("PPid:"))?;
        line.trim().parse().ok()
    }

    /// Whether it is more than a name for its parent to collect. Orphans are ours here, and nobody collects them.
    pub fn lives(self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("State:"))
            .is_some_and(|state| !state.trim().starts_with('Z'))
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn gets(self, signal: Signal) {
        let pid = i32::try_from(self.0).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Whether it runs on this machine.
    pub fn is_on(self, machine: &Namespace) -> bool {
        let net = fs::metadata(format!("/run/netns/{}", machine.name())).unwrap();
        let own = fs::metadata(format!("/proc/{}/ns/net", self.0));
        own.is_ok_and(|own| own.ino() == net.ino())
    }

    /// Bytes that it has read and written by calls, whatever they were.
    #[track_caller]
    pub fn copied(self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.0)).unwrap();
        io.lines()
            .filter_map(|line| {
                line.strip_prefix("rchar: ")
                    .or(line.strip_prefix("wchar: "))
            })
            .map(|count| count.parse::<u64>().unwrap())
            .sum()
    }
}

/// How many TCP connections there are on the machine where this process runs, and the inodes of all its TCP sockets.
#[track_caller]
pub fn tcp_of(process: Process) -> (usize, Vec<String>) {
    const ESTABLISHED: &str = "01";
    let mut established = 0;
    let mut inodes = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{}/net/{table}", process.0)).unwrap();
        for line in table.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            established += usize::from(fields[3] == ESTABLISHED);
            inodes.push(format!("socket:[{}]", fields[9]));
        }
    }
    (established, inodes)
}

/// Every process of this world, those included that nobody has collected.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .map(Process)
        .collect()
}

/// What the process has logged so far.
pub fn log_of(pid: u32) -> Vec<String> {
    let mark = format!("ftp-proxy[{pid}]");
    let mut lines = world::logged_since(0);
    lines.retain(|line| line.contains(&mark));
    lines
}
