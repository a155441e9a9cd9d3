//! Who comes to the listener of a data connection, and who of them is the one that it is for.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsFd;

use socket2::Socket;

use super::{Source, Watch};
use crate::endpoint::PortRange;
use crate::log::Log;
use crate::net::{self, canonical};

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
    /// Listens at the address of `at`, for `expected`.
    pub(super) fn listen(at: SocketAddr, ports: PortRange, expected: IpAddr) -> io::Result<Self> {
        let listener = net::listen_data(at, ports)?;
        Ok(Arrivals { listener, expected })
    }

    /// Where.
    pub(super) fn at(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn watch<'w>(&'w self, watch: &mut Watch<'w>) {
        watch.add(Source::Listener, self.listener.as_fd(), true, false);
    }

    /// Takes the first connection from the host that is to come; a stranger is shown the door, and waiting goes on
    /// (docs/ancestors.md, D41).
    pub(super) fn turn(&mut self, log: &Log) -> Option<Arrived> {
        loop {
            let (came, from) = self.listener.accept().ok()?; // would block, or gone again
            if canonical(from).ip() == self.expected {
                came.set_nonblocking(true).ok()?; // fails only on a socket that is dead already
                let socket = Socket::from(came);
                return Some(Arrived { socket });
            }
            log.warning(format_args!(
                "refused data connection from {from}: not from {}",
                self.expected
            ));
        }
    }
}
