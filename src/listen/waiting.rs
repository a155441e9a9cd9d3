//! The process that waits for a client, which it then serves.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use nix::poll::PollTimeout;

use super::acceptor::{Acceptor, PAUSE};
use super::{Served, ready};
use crate::error::Error;
use crate::log::Log;
use crate::signals::Signals;
use crate::sys::batch;

/// The beginning of a session, which needs nothing but the CPU, and would have to share that with the making of the next
/// process. To be dropped before anything is waited for: then the parent makes the one that takes the next client.
#[derive(Debug)]
pub struct Beginning(UnixStream);

impl Drop for Beginning {
    fn drop(&mut self) {
        let _ = self.0.write(b"!"); // gone already: then it makes no other
    }
}

/// Waits at all of these for the first that comes; with several, at `first` first, so that a busy one starves no other. What
/// can be done beforehand is done by `prepare`. Ends without one when it is told to, or when its parent takes no more clients
/// or has ended itself.
///
/// # Errors
/// [`Error::Os`]: the process cannot serve.
pub(super) fn wait_for_client(
    listeners: &[TcpListener],
    first: usize,
    parent: UnixStream,
    prepare: impl FnOnce() -> Result<(), Error>,
    log: &Log,
) -> Result<Served, Error> {
    let signals = Signals::catch().map_err(Error::os("cannot catch signals"))?;
    // A client will wait for us; and in a cage it is too late.
    batch::take_turns();
    prepare()?;
    let mut acceptor = Acceptor::new(log);
    let (before, after) = listeners.split_at(first % listeners.len());
    let at = after.iter().chain(before);
    loop {
        let own = [signals.fd(), parent.as_fd()];
        let ([signal, left], clients) = ready(own, at.clone(), PollTimeout::NONE)?;
        // The parent says nothing, ever: this is its end, or it takes no more clients.
        if left || (signal && signals.take().term) {
            return Ok(Served::Ended);
        }
        for listener in clients {
            if let Some((client, _)) = acceptor.accept(listener) {
                let beginning = Beginning(parent);
                return Ok(Served::Client(client.into(), signals, beginning));
            }
        }
        if acceptor.is_resting() {
            // Whatever comes meanwhile is looked at afterwards.
            ready(own, &[], PAUSE.into())?;
        }
    }
}
