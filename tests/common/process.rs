//! The real program, started as inetd starts it or listening by itself.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::eventually;

/// A running program; it does not outlive the test.
pub struct Proxy(Child);

impl Proxy {
    /// As inetd does it: descriptors 0, 1 and 2 are all the client.
    #[must_use]
    pub fn inherits(client: TcpStream, options: &[&str]) -> Self {
        Proxy::inherits_by(program(&[]), client, options)
    }

    /// The same, by a command that becomes the program, see [`PROGRAM`].
    #[must_use]
    pub fn inherits_by(mut command: Command, client: TcpStream, options: &[&str]) -> Self {
        let client = OwnedFd::from(client);
        let copy = || Stdio::from(client.try_clone().expect("dup"));
        let (out, err) = (copy(), copy());
        command.args(options).stdin(client).stdout(out).stderr(err);
        Proxy(command.spawn().expect("the program"))
    }

    /// With a terminal, or whatever else `stderr` is, for its messages.
    #[must_use]
    pub fn listens(options: &[&str], stderr: impl Into<Stdio>) -> Self {
        let mut command = program(options);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        Proxy(command.spawn().expect("the program"))
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("kill");
    }

    /// Its exit status, which must come soon.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        eventually("the program ends", || self.ended())
    }

    /// Its exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("wait")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill(); // gone already, as a rule
        let _ = self.0.wait();
    }
}

/// The program's path.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ftp-proxy");

fn program(options: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(options).env_clear();
    command
}
