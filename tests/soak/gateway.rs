//! The program as it is started, and what can be seen of its processes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::chance::Chance;
use crate::common::address::{CLIENT, FRONT};
use crate::common::eventually;
use crate::common::fake::{Control, dial};
use crate::common::process::PROGRAM;
use crate::free::free_address;
use crate::sessions::sessions_of;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    Listen,
    Inetd,
}

impl Launcher {
    /// inetd(8) becomes the user that its configuration names, which is for root alone.
    pub fn is_here(self) -> bool {
        self == Launcher::Listen || geteuid().is_root() && inetd().exists()
    }
}

/// What tests/setup/peers has unpacked.
fn unpacked(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/.work/root")
        .join(path)
}

fn inetd() -> PathBuf {
    unpacked("usr/sbin/inetd")
}

pub struct Gateway {
    parent: Child,
    address: SocketAddr,
    /// inetd's, to be removed.
    settings: Option<PathBuf>,
}

/// Of a process.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Resident, in KiB.
    pub memory: u64,
    pub descriptors: usize,
}

impl Gateway {
    pub fn start(launcher: Launcher, server: SocketAddr) -> Gateway {
        let address = free_address(&FRONT.to_string());
        let mut settings = None;
        let mut command = match launcher {
            Launcher::Listen => {
                let mut command = Command::new(PROGRAM);
                command.args(["-R", &server.to_string(), "--max-sessions", "10000"]);
                command.args(["--max-sessions-per-client", "0"]); // all of them are one
                command.args(["--listen", &address.to_string()]);
                command
            }
            Launcher::Inetd => {
                let file = std::env::temp_dir().join(format!("inetd-{}.conf", address.port()));
                let line = format!(
                    "{address} stream tcp nowait.1000000 root {PROGRAM} ftp-proxy -R {server}\n"
                );
                fs::write(&file, line).expect("inetd.conf");
                let mut command = Command::new(inetd());
                command.env("LD_LIBRARY_PATH", unpacked("usr/lib/x86_64-linux-gnu"));
                command.arg("-i").arg(&file);
                settings = Some(file);
                command
            }
        };
        let parent = command.stdin(Stdio::null()).spawn().expect("the program");
        let gateway = Gateway {
            parent,
            address,
            settings,
        };
        let first = eventually("the gateway listens", || dial(CLIENT, address).ok());
        Control::over(first, "first client").hears_code("220 ");
        eventually("its first session ends", || {
            gateway.sessions().is_empty().then_some(())
        });
        gateway
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The parent's sessions, those that nobody has waited for included.
    pub fn sessions(&self) -> Vec<Pid> {
        sessions_of(self.parent.id())
    }

    /// Kills a session that is not `spared`.
    pub fn kills_one(&self, chance: &mut Chance, spared: Pid) -> bool {
        let mut sessions = self.sessions();
        sessions.retain(|child| *child != spared);
        if sessions.is_empty() {
            return false;
        }
        let child = chance.one_of(&sessions);
        // One that has become another process's number since is none of ours, and the list says whose it is.
        self.sessions().contains(&child) && kill(child, Signal::SIGKILL).is_ok()
    }

    pub fn size_of_parent(&self) -> Size {
        self.size(Pid::from_raw(
            self.parent.id().try_into().expect("a number"),
        ))
    }

    /// At rest: a parent that has just accepted a client has its descriptor too, for a moment.
    pub fn size(&self, process: Pid) -> Size {
        let looks = (0..20).map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            Gateway::look_at(process)
        });
        looks.min_by_key(|size| size.descriptors).expect("a look")
    }

    fn look_at(process: Pid) -> Size {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("it lives");
        Size {
            memory: memory
                .and_then(|kib| kib.parse().ok())
                .expect("VmRSS in kB"),
            descriptors: descriptors.count(),
        }
    }

    /// The parent, that is.
    pub fn is_killed(&mut self) {
        self.parent.kill().expect("kill");
        self.parent.wait().expect("wait");
    }

    /// All sessions but these end soon, and are waited for.
    pub fn is_left_with(&self, sessions: &[Pid]) -> Result<(), String> {
        for _ in 0..600 {
            if self.sessions() == sessions {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("left behind: {:?}", self.sessions()))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        self.settings
            .iter()
            .for_each(|file| drop(fs::remove_file(file)));
    }
}
