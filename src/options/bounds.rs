//! What a session may take of memory and time. Every bound is an option; none can be left out.

use std::time::Duration;

use super::given::Given;
use super::{BadUsage, MAX_TIMEOUT};
use crate::ftp::{MAX_COMMAND, MAX_LINE, MAX_OUTSTANDING};

/// Longest time for TCP_KEEPIDLE on Linux, in seconds (tcp(7)).
const MAX_KEEPALIVE: u64 = 32_767;

/// `-t`: when a session in which nothing moves is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// `-t` is not given. Under inetd such a session is not ended, as with the ancestors; a process that listens itself
    /// ends it after a time of its own.
    Unset,
    /// `-t 0`: it is not ended.
    Never,
    /// It is ended after this time, in the middle of a transfer too.
    After(Duration),
}

/// The bounds of a session. Made by the command line, or [`Bounds::default`] where that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `--max-line`: longest control line, in bytes with its line end, 512 to 65536; 4096.
    pub line: usize,
    /// `--max-command`: longest command that a server gets, in bytes with its line end, 512 to 65536; 512.
    pub command: usize,
    /// `--max-outstanding`: commands that may wait for their answers, 4 to 1024; 64.
    pub outstanding: usize,
    /// `--max-queue`: bytes that wait for one side before the other is no longer read, 4096 to 1048576; 65536.
    pub queue: usize,
    /// `--connect-timeout`: for a server, with all the addresses of its name, and for each data connection; 1 to 3600 s, 30 s.
    pub connect: Duration,
    /// `--accept-timeout`: how long a data connection is waited for, up to a year; 60 s. `None`: for ever.
    pub accept: Option<Duration>,
    /// `--login-timeout`: how long a session may go on before the server has let the client in, up to a year; 300 s.
    /// `None`: for ever.
    pub login: Option<Duration>,
    /// `--stall-timeout`: how long nothing may move on a data connection, up to a year; 600 s. `None`: for ever.
    pub stall: Option<Duration>,
    /// `--keepalive`: when a connection is probed from which nothing comes, up to 32767 s, which is what Linux takes; 60 s.
    /// `None`: never.
    pub keepalive: Option<Duration>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            line: MAX_LINE,
            command: MAX_COMMAND,
            outstanding: MAX_OUTSTANDING,
            queue: 65536,
            connect: Duration::from_secs(30),
            accept: Some(Duration::from_secs(60)),
            login: Some(Duration::from_secs(300)),
            stall: Some(Duration::from_secs(600)),
            keepalive: Some(Duration::from_secs(60)),
        }
    }
}

pub(super) fn bounds(given: &Given) -> Result<Bounds, BadUsage> {
    let default = Bounds::default();
    let connect = given.number("connect-timeout", 1, 3600)?;
    Ok(Bounds {
        line: given
            .number("max-line", 512, 65536)?
            .unwrap_or(default.line),
        command: given
            .number("max-command", 512, 65536)?
            .unwrap_or(default.command),
        outstanding: given
            .number("max-outstanding", 4, 1024)?
            .unwrap_or(default.outstanding),
        queue: given
            .number("max-queue", 4096, 1_048_576)?
            .unwrap_or(default.queue),
        connect: connect.map_or(default.connect, Duration::from_secs),
        accept: seconds(given, "accept-timeout", default.accept)?,
        login: seconds(given, "login-timeout", default.login)?,
        stall: seconds(given, "stall-timeout", default.stall)?,
        keepalive: match given.number("keepalive", 0, MAX_KEEPALIVE)? {
            None => default.keepalive,
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
        },
    })
}

pub(super) fn idle(given: &Given) -> Result<Idle, BadUsage> {
    Ok(match given.number("t", 0, MAX_TIMEOUT)? {
        None => Idle::Unset,
        Some(0) => Idle::Never,
        Some(seconds) => Idle::After(Duration::from_secs(seconds)),
    })
}

/// A time of which 0 is for ever.
pub(super) fn seconds(
    given: &Given,
    name: &str,
    default: Option<Duration>,
) -> Result<Option<Duration>, BadUsage> {
    Ok(match given.number(name, 0, MAX_TIMEOUT)? {
        None => default,
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn every_bound_is_settable_and_none_is_without_a_ceiling() {
        assert_eq!(run("-p").unwrap().bounds, Bounds::default());
        let options = run(
            "-p --max-line 512 --max-command 513 --max-outstanding 4 --max-queue 4096 --connect-timeout 1 \
                           --accept-timeout 2 --login-timeout 3 --stall-timeout 4 --keepalive 5",
        )
        .unwrap();
        let least = Bounds {
            line: 512,
            command: 513,
            outstanding: 4,
            queue: 4096,
            connect: Duration::from_secs(1),
            accept: Some(Duration::from_secs(2)),
            login: Some(Duration::from_secs(3)),
            stall: Some(Duration::from_secs(4)),
            keepalive: Some(Duration::from_secs(5)),
        };
        assert_eq!(options.bounds, least);
        let options =
            run("-p --accept-timeout 0 --login-timeout=0 --stall-timeout 0 --keepalive 0").unwrap();
        let Bounds {
            accept,
            login,
            stall,
            keepalive,
            ..
        } = options.bounds;
        assert_eq!((accept, login, stall, keepalive), (None, None, None, None));
        for bad in [
            "--max-line 511",
            "--max-line 65537",
            "--max-command 511",
            "--max-command 65537",
            "--max-outstanding 3",
            "--max-outstanding 1025",
            "--max-queue 4095",
            "--max-queue 1048577",
            "--connect-timeout 0",
            "--connect-timeout 3601",
            "--accept-timeout 31536001",
            "--login-timeout -1",
            "--stall-timeout 1.5",
            "--keepalive 32768",
        ] {
            let complaint = run(&format!("-p {bad}")).unwrap_err();
            assert!(complaint.starts_with(bad), "{complaint}");
        }
    }
}
