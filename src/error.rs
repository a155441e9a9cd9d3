//! The edge's errors: what to tell the operator, and the sysexits(3) code that the process ends with.

#![forbid(unsafe_code)]

use std::error;
use std::fmt;
use std::io;

use crate::options::BadUsage;

/// Why the process ends. `Display` is one lower-case clause without a full stop, fit for a log line.
#[derive(Debug)]
pub enum Error {
    /// The command line or the way of starting is wrong: say what to write instead.
    Usage(String),
    /// A peer's line cannot be taken.
    Peer(String),
    /// The server is not to be reached, or its name is unknown.
    NoHost(String),
    /// Something that this system should have is absent: a device, an engine, a library.
    Unavailable(String),
    /// A system call failed; the text says which and on what.
    Os(String, io::Error),
    /// The peers or the packet filter speak another protocol than expected.
    Protocol(String),
    /// The session is not permitted.
    Denied(String),
    /// The system's set-up contradicts itself.
    Config(String),
    /// What the log has been told already; the exit code.
    Logged(u8),
}

impl Error {
    /// The code for the process to return, from sysexits(3).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 64,
            Error::Peer(_) => 65,
            Error::NoHost(_) => 68,
            Error::Unavailable(_) => 69,
            Error::Os(..) => 71,
            Error::Protocol(_) => 76,
            Error::Denied(_) => 77,
            Error::Config(_) => 78,
            Error::Logged(code) => *code,
        }
    }

    /// Whether the operator has something to mend, on this machine; otherwise it was one client's or server's affair.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Error::Usage(_) | Error::Unavailable(_) | Error::Os(..) | Error::Config(_)
        )
    }

    /// For `map_err`: a failed system call, with what was being done in the infinitive's place, as `cannot listen`.
    pub fn os<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        move |error| Error::Os(what.into(), error.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Logged(code) => write!(f, "exit code {code}"),
            Error::Os(what, error) => write!(f, "{what}: {error}"),
            Error::Usage(text)
            | Error::Peer(text)
            | Error::NoHost(text)
            | Error::Unavailable(text)
            | Error::Protocol(text)
            | Error::Denied(text)
            | Error::Config(text) => f.write_str(text),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Os(_, error) => Some(error),
            _ => None,
        }
    }
}

impl From<BadUsage> for Error {
    fn from(bad: BadUsage) -> Self {
        Error::Usage(bad.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn a_failed_system_call_names_what_was_tried_and_keeps_its_cause() {
        let error = Error::os("cannot listen on 127.0.0.1:21")(io::Error::from_raw_os_error(13));
        assert_eq!(error.exit_code(), 71);
        assert!(
            error
                .to_string()
                .starts_with("cannot listen on 127.0.0.1:21: ")
        );
        assert!(error.source().is_some());
    }
}
