//! A syslogd for one process: a datagram socket that the process finds where syslogd would be, in a mount namespace of
//! its own. Needs root.

#![allow(dead_code, reason = "no test uses all of it")]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// Longest wait for a line. A line that does not come fails a test, so be patient with slow machines.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the folder `$1` with its socket the /run of the program, which is where it looks second, and puts the socket
/// where it looks first unless there is nothing; then becomes the program.
const ENTER: &str = r#"
set -e
mount --bind "$1" /run
[ ! -e /dev/log ] || mount --bind /run/syslog /dev/log
shift
exec "$@"
"#;

pub struct FakeSyslog {
    socket: Option<UnixDatagram>,
    directory: PathBuf,
}

impl FakeSyslog {
    /// `None`, said aloud, where no mount namespace can be made.
    pub fn start() -> Option<FakeSyslog> {
        let able = Command::new("unshare").args(["-m", "true"]).output();
        if !able.is_ok_and(|ran| ran.status.success()) {
            skip("root and unshare(1), for a mount namespace");
            return None;
        }
        let directory = nix::unistd::mkdtemp(&std::env::temp_dir().join("syslog-XXXXXX")).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let mut syslog = FakeSyslog {
            socket: None,
            directory,
        };
        syslog.restart();
        Some(syslog)
    }

    /// Goes, as a syslogd that is being upgraded.
    pub fn stop(&mut self) {
        self.socket = None;
        fs::remove_file(self.directory.join("syslog")).unwrap();
    }

    /// Comes back with a new socket under the old name.
    pub fn restart(&mut self) {
        let path = self.directory.join("syslog");
        self.socket = Some(UnixDatagram::bind(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    }

    /// Goes, and comes back with a stream socket that keeps `waiting` callers waiting until they are accepted.
    pub fn becomes_a_stream(&mut self, waiting: i32) -> UnixListener {
        self.stop();
        let path = self.directory.join("syslog");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(waiting).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        socket.into()
    }

    /// Where its socket is, for who is not in that mount namespace.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("syslog")
    }

    /// A folder that goes when the test ends.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command that runs `program` with this syslog, after `setup` (sh) in the same mount namespace.
    pub fn command_after(&self, setup: &str, program: &str) -> Command {
        let mut command = Command::new("unshare");
        let script = format!("{setup}\n{ENTER}");
        command
            .args(["-m", "sh", "-c", &script, "sh"])
            .arg(&self.directory)
            .arg(program);
        command
    }

    /// A command that runs `program` with this syslog; the process keeps the id that `spawn` tells.
    pub fn command(&self, program: &str) -> Command {
        self.command_after("", program)
    }

    /// The next line, as it came; `None` if none comes within `patience`.
    pub fn next(&self, patience: Duration) -> Option<String> {
        let mut line = [0; 4096];
        let socket = self.socket.as_ref()?;
        socket.set_read_timeout(Some(patience)).unwrap();
        let length = loop {
            match socket.recv(&mut line) {
                // A read with a time-out is not taken up again by the kernel after a stop (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.ok()?,
            }
        };
        Some(String::from_utf8(line[..length].to_vec()).unwrap())
    }

    /// Waits for a line that holds `text` and returns it; lines before it are lost.
    pub fn expect(&self, text: &str) -> String {
        let mut seen = Vec::new();
        while let Some(line) = self.next(PATIENCE) {
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {text:?} in the log, but {seen:#?}");
    }
}

impl Drop for FakeSyslog {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Says why a test is none on this machine.
pub fn skip(needs: &str) {
    let _ = writeln!(io::stderr(), "skipped: needs {needs}");
}

/// Calls a stream socket until no more callers are kept waiting there.
pub fn fill(socket: &Path) -> Vec<Socket> {
    let mut waiting = Vec::new();
    loop {
        let caller = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        caller.set_nonblocking(true).unwrap();
        if caller.connect(&SockAddr::unix(socket).unwrap()).is_err() {
            return waiting;
        }
        waiting.push(caller);
    }
}
