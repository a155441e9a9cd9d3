//! The program in a process group of its own, so that whoever it leaves behind can be found.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::common::eventually;

pub struct Program(Child);

impl Program {
    /// As inetd does it: descriptors 0, 1 and 2 are all the client.
    pub fn inherits(client: TcpStream, options: &[&str]) -> Program {
        let client = OwnedFd::from(client);
        let copy = || Stdio::from(client.try_clone().expect("dup"));
        let (out, err) = (copy(), copy());
        let mut command = Command::new(env!("CARGO_BIN_EXE_ftp-proxy"));
        command.args(options).env_clear().process_group(0);
        command.stdin(client).stdout(out).stderr(err);
        Program(command.spawn().expect("the program"))
    }

    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("kill");
    }

    /// It is dead, and so are all that it started.
    #[track_caller]
    pub fn lies_dead(mut self) {
        let status = self.0.wait().expect("wait");
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{status}");
        self.leaves_nobody();
    }

    /// Descriptors that it has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid());
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    /// It ends soon and with one of these exit codes, and with it all that it started.
    #[track_caller]
    pub fn ends(mut self, codes: &[i32]) {
        let status = eventually("the program ends", || self.0.try_wait().expect("wait"));
        let well = status.code().is_some_and(|code| codes.contains(&code));
        assert!(well, "how it ended: {status}");
        self.leaves_nobody();
    }

    #[track_caller]
    fn leaves_nobody(&self) {
        eventually("its processes are gone", || {
            (killpg(self.pid(), None) == Err(Errno::ESRCH)).then_some(())
        });
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Before the wait: the number is ours until then.
        if let Ok(None) = self.0.try_wait() {
            let _ = killpg(self.pid(), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}
