//! Taking a client from a listener.

use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::log::{Log, Provoked};
use crate::net;

/// Rest after the system ran out of descriptors or memory, in milliseconds.
pub(super) const PAUSE: u16 = 1000;

/// Accepts, and says once of a want that lasts that it does.
pub(super) struct Acceptor<'a> {
    /// The last try failed for want of descriptors or memory, and the log knows.
    resting: bool,
    log: &'a Log,
}

impl<'a> Acceptor<'a> {
    pub(super) fn new(log: &'a Log) -> Self {
        Acceptor {
            resting: false,
            log,
        }
    }

    /// The system is short of something: it needs a rest.
    pub(super) fn is_resting(&self) -> bool {
        self.resting
    }

    /// `None`: there was nobody, or the system is short of something.
    pub(super) fn accept(&mut self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        let accepted = listener.accept().and_then(|(client, from)| {
            client.set_nonblocking(false)?; // the BSDs hand a listener's flag on
            Ok((client, from))
        });
        match accepted {
            Ok(client) => {
                self.resting = false;
                Some(client)
            }
            Err(error) if net::only_that_caller(&error) => None,
            Err(error) => {
                if !self.resting {
                    self.log.provoked(Provoked::Client, |log| {
                        log.error(format_args!("cannot accept clients, trying again: {error}"));
                    });
                }
                self.resting = true;
                None
            }
        }
    }
}
