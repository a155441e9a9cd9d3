//! A listening proxy with sessions, and a server that greets and echoes lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Pid, geteuid};

use crate::free::free_address;
use crate::sessions::{sessions_of, status, waiting_of};
use crate::syslog;

pub const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// A user that owns nothing else.
pub const OTHER: [&str; 3] = ["--reuid=54321", "--regid=54321", "--clear-groups"];

/// `false`, said aloud, without root.
pub fn root() -> bool {
    let root = geteuid().is_root();
    if !root {
        syslog::skip("root, to stop a session and to be several users");
    }
    root
}

#[expect(clippy::disallowed_methods, reason = "a test that waits needs a clock")]
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A server that greets, and answers each line with `200` and that line.
pub fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = |client: TcpStream| {
        let mut lines = BufReader::new(client.try_clone().unwrap());
        let mut client = client;
        let _ = client.write_all(b"220 ready\r\n");
        let mut line = String::new();
        while matches!(lines.read_line(&mut line), Ok(1..)) {
            let _ = client.write_all(format!("200 {line}").as_bytes());
            line.clear();
        }
    };
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || serve(client.unwrap()));
        }
    });
    address
}

/// A proxy that listens.
pub struct Gateway {
    process: Child,
    address: SocketAddr,
}

/// A client and the process of its session.
pub struct Session {
    client: TcpStream,
    pub pid: Pid,
}

impl Gateway {
    pub fn started(by: &[&str], options: &[&str]) -> Gateway {
        let mut command = Command::new("env");
        Gateway::by(command.args(by).stderr(Stdio::null()), options)
    }

    /// As `command` starts it, with the proxy as its last words.
    pub fn by(command: &mut Command, options: &[&str]) -> Gateway {
        let address = free_address("127.0.0.1");
        command.arg(PROXY).args(options);
        command.args(["--listen", &address.to_string()]);
        if !options.contains(&"--forward") {
            command.args(["-R", &server().to_string()]);
        }
        let process = command.spawn().unwrap();
        Gateway { process, address }
    }

    /// As root starts it, with nothing on its standard descriptors.
    pub fn start() -> Gateway {
        let mut command = Command::new("env");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Gateway::by(&mut command, &[])
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap())
    }

    /// A client that was greeted.
    pub fn session(&self) -> Session {
        let before = sessions_of(self.process.id());
        let client = until("the proxy listens", || {
            TcpStream::connect(self.address).ok()
        });
        let mut session = Session {
            client,
            pid: self.pid(),
        };
        session.reads();
        let new = || {
            let sessions = sessions_of(self.process.id());
            sessions.into_iter().find(|pid| !before.contains(pid))
        };
        session.pid = until("there is a session", new);
        // One that is stopped elsewhere than in a system call cannot be made to issue another.
        until("it waits", || sleeps(session.pid).then_some(()));
        session
    }

    /// The process that waits for the next client, once it does nothing else.
    pub fn waiting(&self) -> Pid {
        until("a process waits", || {
            waiting_of(self.process.id()).filter(|pid| sleeps(*pid))
        })
    }

    /// It takes another client, so it neither ended nor stopped.
    pub fn still_serves(&self) {
        assert!(is_alive(self.pid()), "the parent has ended");
        self.session().works();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Session {
    fn reads(&mut self) -> String {
        let timeout = Some(Duration::from_secs(20));
        self.client.set_read_timeout(timeout).unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\n") {
            assert_eq!(self.client.read(&mut byte).unwrap(), 1, "the session ended");
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    /// A command reaches the server, and its answer the client.
    pub fn works(&mut self) {
        self.client.write_all(b"NOOP\r\n").unwrap();
        assert_eq!(self.reads(), "200 NOOP\r\n");
    }

    pub fn says(&mut self, line: &str) -> String {
        self.client
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.reads()
    }
}

/// It waits, in poll(2) of its loop or in read(2).
pub fn sleeps(pid: Pid) -> bool {
    let pid = pid.as_raw().unsigned_abs();
    let waits = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    waits.contains("poll") || waits.contains("read")
}

/// It runs, and is not one that nothing has waited for.
pub fn is_alive(pid: Pid) -> bool {
    let pid = pid.as_raw().unsigned_abs();
    std::fs::exists(format!("/proc/{pid}")).unwrap() && !status(pid, "State").starts_with('Z')
}
