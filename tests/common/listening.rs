//! The program listening by itself, with a terminal or a pipe for its messages.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use nix::pty::openpty;
use nix::unistd::pipe;

use super::address::{CLIENT, FRONT};
use super::fake::{Control, Listener, dial};
use super::process::Proxy;
use super::{PATIENCE, eventually};

/// A listening proxy.
pub struct Listening {
    pub proxy: Proxy,
    pub at: SocketAddr,
    lines: Receiver<String>,
    /// Everything that was written there so far.
    pub seen: Vec<String>,
    /// And before it listened.
    pub before: Vec<String>,
}

impl Listening {
    #[must_use]
    #[track_caller]
    pub fn begin(options: &[&str]) -> Self {
        // Somebody else may take the port before the program does; then it says so and ends, and another is tried.
        eventually("the program listens", || {
            let terminal = openpty(None, None).expect("a terminal");
            Self::try_begin(FRONT, options, terminal.master, terminal.slave)
        })
    }

    /// With `--log-stderr` and a pipe.
    #[must_use]
    #[track_caller]
    pub fn begin_with_pipe(options: &[&str]) -> Self {
        Self::begin_without_syslogd(&[&["--log-stderr"], options].concat())
    }

    /// With a pipe, into which the log goes where there is no syslogd.
    #[must_use]
    #[track_caller]
    pub fn begin_without_syslogd(options: &[&str]) -> Self {
        eventually("the program listens", || {
            let (read, write) = pipe().expect("a pipe");
            Self::try_begin(FRONT, options, read, write)
        })
    }

    fn try_begin(ip: IpAddr, options: &[&str], ours: OwnedFd, stderr: OwnedFd) -> Option<Self> {
        let at = Listener::front(ip).address();
        let at_text = at.to_string();
        let options: Vec<&str> = ["--listen", at_text.as_str()]
            .iter()
            .chain(options)
            .copied()
            .collect();
        let proxy = Proxy::listens(&options, stderr);
        let mut listening = Listening {
            proxy,
            at,
            lines: lines_of(ours),
            seen: Vec::new(),
            before: Vec::new(),
        };
        loop {
            match listening.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains("listening on") => return Some(listening),
                Ok(line) => listening.before.push(line),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not listen"),
            }
        }
    }

    /// A client that has just connected.
    #[must_use]
    #[track_caller]
    pub fn client(&self) -> Control {
        Control::over(dial(CLIENT, self.at).expect("to connect"), "client")
    }

    /// The next line of the log that holds `what`; those before it are passed over.
    #[track_caller]
    pub fn logs(&mut self, what: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line with {what:?} in {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
    }
}

fn lines_of(terminal: OwnedFd) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        // Reading fails once nobody has the other end open: that is the end.
        for line in BufReader::new(File::from(terminal))
            .lines()
            .map_while(Result::ok)
        {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}
