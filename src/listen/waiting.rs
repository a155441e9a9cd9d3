//! The process that waits for a client, which it then serves.

use std::net::{IpAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use nix::poll::PollTimeout;

use super::acceptor::{Acceptor, PAUSE};
use super::children::Children;
use super::clients::Room;
use super::{Served, ready, refuse, word};
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
        word::goes(&self.0);
    }
}

/// The sessions that there were when this process was made. Until it takes a client no other process takes one, so their
/// number can only have become less.
pub(super) struct Counted<'a> {
    pub(super) children: Children,
    pub(super) room: Room<'a>,
}

impl Counted<'_> {
    /// Whether a client at this address may have a session, which is then counted. Where it had none left the parent knows
    /// whether it still has none.
    fn admits(&self, from: IpAddr, parent: &UnixStream) -> bool {
        let Some(client) = self.room.client(from) else {
            word::takes(parent, None);
            return true;
        };
        if self.room.has_place(self.children.sessions_of(client)) {
            word::takes(parent, Some(client));
            return true;
        }
        word::asks(parent, client)
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
    counted: &Counted<'_>,
    log: &Log,
) -> Result<Served, Error> {
    let signals = Signals::catch().map_err(Error::os("cannot catch signals"))?;
    // A client will wait for us; and in a cage it is too late.
    batch::take_turns();
    let prepared = prepare();
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
            if let Some((client, from)) = acceptor.accept(listener) {
                if prepared.is_err() {
                    refuse(client, "Service not available: internal error.");
                    return prepared.map(|()| Served::Ended);
                }
                if !counted.admits(from.ip(), &parent) {
                    refuse(
                        client,
                        "Too many sessions of your address; try again later.",
                    );
                    continue;
                }
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
