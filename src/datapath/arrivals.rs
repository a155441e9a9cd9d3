//! Who comes to the listener of a data connection, and who of them is the one that it is for.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsFd;

use socket2::Socket;

use super::{Source, Watch};
use crate::log::Log;
use crate::net::{self, canonical};

/// Callers that one turn looks at.
const CALLERS: usize = 16;

/// A listener that one host is to come to.
#[derive(Debug)]
pub(super) struct Arrivals {
    listener: TcpListener,
    expected: IpAddr,
}

/// The one it is for.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Its connection, which does not block.
    pub(super) socket: Socket,
}

impl Arrivals {
    /// The listener is for `expected`.
    pub(super) fn new(listener: TcpListener, expected: IpAddr) -> Self {
        Arrivals { listener, expected }
    }

    /// Where.
    pub(super) fn at(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn watch<'w>(&'w self, watch: &mut Watch<'w>) {
        watch.add(Source::Listener, self.listener.as_fd(), true, false);
    }

    /// Takes the first connection from the host that is to come; a stranger is shown the door, and waiting goes on
    /// (docs/ancestors.md, D41). `None`: not among the first few who have come, and the control connections do not wait for
    /// more.
    ///
    /// # Errors
    /// No descriptor is to be had. The caller stays in the queue, so that to wait for it would be to ask again and again.
    pub(super) fn turn(&mut self, log: &Log) -> io::Result<Option<Arrived>> {
        for _ in 0..CALLERS {
            let (came, from) = match self.listener.accept() {
                Ok(came) => came,
                Err(error) if net::only_that_caller(&error) => return Ok(None), // none, or gone again
                Err(error) => return Err(error),
            };
            if canonical(from).ip() == self.expected {
                came.set_nonblocking(true)?;
                let socket = Socket::from(came);
                return Ok(Some(Arrived { socket }));
            }
            log.warning(format_args!(
                "refused data connection from {from}: not from {}",
                self.expected
            ));
        }
        Ok(None)
    }
}
