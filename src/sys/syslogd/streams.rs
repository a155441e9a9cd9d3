//! The way to syslogd by the C library: where there is no socket but a STREAMS driver, only syslog(3C) knows the way.

use std::ffi::{CString, c_int};
use std::io;

use syslog::Severity;

/// The C library's connection, of which a process has one.
pub struct Syslogd(());

impl Syslogd {
    /// Always there: a syslogd that is absent costs lines and nobody is told. The library knows the process id itself.
    #[must_use]
    pub fn connect(_pid: u32) -> Option<Self> {
        // SAFETY: openlog keeps the pointer; what it points to is a constant.
        unsafe { libc::openlog(c"ftp-proxy".as_ptr(), libc::LOG_PID, libc::LOG_DAEMON) };
        Some(Syslogd(()))
    }

    /// The same one: a process has no other.
    #[must_use]
    pub fn another(&self) -> Option<Self> {
        Some(Syslogd(()))
    }

    /// See the systems with sockets.
    #[must_use]
    pub fn can_be_found_again(&self) -> bool {
        false
    }

    /// The library looks for it anew by itself.
    pub fn find_again(&mut self) -> bool {
        false
    }

    /// Sends one line.
    ///
    /// # Errors
    /// `InvalidInput`: a NUL in the text, which the caller has escaped.
    pub fn send(&mut self, severity: Severity, text: &str) -> io::Result<()> {
        let text = CString::new(text)?;
        // SAFETY: the format asks for one C string, and `text` is one that outlives the call.
        unsafe { libc::syslog(severity as c_int, c"%s".as_ptr(), text.as_ptr()) };
        Ok(())
    }
}
