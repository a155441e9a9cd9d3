//! A process beside the session's: forked before the session gives up what the other needs, joined to it by a pair of
//! sockets and by nothing else. It ends when the session does.

#![forbid(unsafe_code)]

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::log::Log;
use crate::signals;
use crate::sys::fork::spawn_alone;

/// Starts it. `life` is lived there, with a log and a socket of its own, and returns its exit code or why it cannot
/// begin; it must use nothing that this process has open. The session's end of the pair waits for an answer no longer
/// than `patience`.
///
/// # Errors
/// No process or descriptor is to be had.
pub fn start(
    name: &str,
    patience: Duration,
    log: &Log,
    life: impl FnOnce(UnixStream, &Log) -> Result<u8, String>,
) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(patience))?;
    // A handler of the session's must not run there, where the pipe that it writes to is something else.
    signals::hold()?;
    let child = spawn_alone(&theirs, |socket| {
        let log = log.another();
        let socket = socket
            .map(UnixStream::from)
            .map_err(|error| error.to_string());
        socket
            .and_then(|socket| life(socket, &log))
            .unwrap_or_else(|why| {
                log.error(format_args!("{name}: cannot begin: {why}"));
                1
            })
    });
    signals::release()?;
    let child = child?;
    log.debug(1, format_args!("{name} is process {child}"));
    Ok(ours)
}
