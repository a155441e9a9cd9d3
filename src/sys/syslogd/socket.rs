//! The way to syslogd by its socket in the file system.

use std::io::{self, Write};

use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

/// A connection to the syslogd that is there now.
pub struct Syslogd(Logger<LoggerBackend, Untimed>);

impl Syslogd {
    /// `None` if no syslogd listens. Lines carry `pid`.
    #[must_use]
    pub fn connect(pid: u32) -> Option<Self> {
        let logger = syslog::unix(Untimed { pid }).ok()?;
        match &logger.backend {
            LoggerBackend::Unix(socket) => socket.set_nonblocking(true).ok()?,
            LoggerBackend::UnixStream(stream) => stream.get_ref().set_nonblocking(true).ok()?,
            LoggerBackend::Udp(..) | LoggerBackend::Tcp(_) => {}
        }
        Some(Syslogd(logger))
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
