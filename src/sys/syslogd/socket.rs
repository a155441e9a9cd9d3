//! The way to syslogd by its socket in the file system.

use std::io::{self, BufWriter, Write};

use socket2::{Domain, SockAddr, Socket, Type};
use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

/// Where syslogd listens: on Linux and OpenBSD, on macOS, on FreeBSD and NetBSD.
const PATHS: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// A connection to the syslogd that is there now.
pub struct Syslogd(Logger<LoggerBackend, Untimed>);

impl Syslogd {
    /// `None` if no syslogd listens, or none has time for us. Lines carry `pid`.
    #[must_use]
    pub fn connect(pid: u32) -> Option<Self> {
        let backend = PATHS.iter().find_map(|path| {
            let datagrams = || Some(LoggerBackend::Unix(reach(path, Type::DGRAM).ok()?.into()));
            let stream = || {
                let socket = reach(path, Type::STREAM).ok()?;
                Some(LoggerBackend::UnixStream(BufWriter::new(socket.into())))
            };
            datagrams().or_else(stream)
        })?;
        let formatter = Untimed { pid };
        Some(Syslogd(Logger { formatter, backend }))
    }

    /// A second way by the same socket; `None` without a descriptor for it.
    #[must_use]
    pub fn another(&self) -> Option<Self> {
        let backend = match &self.0.backend {
            LoggerBackend::Unix(socket) => LoggerBackend::Unix(socket.try_clone().ok()?),
            LoggerBackend::UnixStream(stream) => {
                let socket = stream.get_ref().try_clone().ok()?;
                LoggerBackend::UnixStream(BufWriter::new(socket))
            }
            _ => return None,
        };
        let formatter = self.0.formatter.clone();
        Some(Syslogd(Logger { formatter, backend }))
    }

    /// Whether that is possible by the socket that there is: not on a stream, which ends with its reader.
    #[must_use]
    pub fn can_be_found_again(&self) -> bool {
        matches!(self.0.backend, LoggerBackend::Unix(_))
    }

    /// Turns to the syslogd that is there now, by the socket that there is; whether there is one. Who can make no socket any
    /// more may yet find one that was started anew.
    pub fn find_again(&mut self) -> bool {
        match &self.0.backend {
            LoggerBackend::Unix(socket) => PATHS.iter().any(|path| socket.connect(path).is_ok()),
            _ => false,
        }
    }

    /// Sends one line without waiting.
    ///
    /// # Errors
    /// `WouldBlock`: syslogd is busy and this line is lost. Anything else: it has gone, connect again.
    pub fn send(&mut self, severity: Severity, text: &str) -> io::Result<()> {
        let Logger { formatter, backend } = &mut self.0;
        match formatter.format(backend, severity, text) {
            Err(syslog::Error::Write(error)) => Err(error),
            Err(error) => Err(io::Error::other(error)),
            Ok(()) => Ok(()),
        }
    }
}

/// A socket that never waits, not even for one who has yet to accept those before us (unix(7): EAGAIN).
fn reach(path: &str, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// A line as syslog(3) writes it, but without a time: every syslogd sets its own, and the crate's would be in UTC, which
/// those that believe it take for local time.
#[derive(Clone)]
struct Untimed {
    pid: u32,
}

impl LogFormat<&str> for Untimed {
    fn format<W: Write>(&self, w: &mut W, severity: Severity, text: &str) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        // One write: each is a datagram.
        let packet = format!("<{priority}>ftp-proxy[{}]: {text}", self.pid);
        w.write(packet.as_bytes())
            .map(drop)
            .map_err(syslog::Error::Write)
    }
}
