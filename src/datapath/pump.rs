//! One direction of a data connection: bytes, then their end. Used twice for each.

use std::io;
use std::os::fd::AsFd;

use socket2::Socket;

use crate::net;
use crate::sys::conduit::Conduit;

/// Fillings that one turn carries at most, so that the control connection is not kept waiting.
const FILLINGS: usize = 16;

#[derive(Debug)]
pub(super) struct Pump {
    conduit: Conduit,
    /// The end came and has been passed on.
    finished: bool,
    /// Bytes delivered.
    bytes: u64,
}

/// Which socket broke.
#[derive(Debug)]
pub(super) enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

impl Pump {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Pump {
            conduit: Conduit::new()?,
            finished: false,
            bytes: 0,
        })
    }

    pub(super) fn wants_to_read(&self) -> bool {
        !self.finished && self.conduit.pending() == 0
    }

    pub(super) fn wants_to_write(&self) -> bool {
        self.conduit.pending() > 0
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Carries what there is without waiting; `true` if it was something. The end is passed on as what it is, a
    /// half-close, once all before it has been.
    pub(super) fn turn(&mut self, from: &Socket, to: &Socket) -> Result<bool, Broken> {
        let before = (self.bytes, self.finished);
        for _ in 0..FILLINGS {
            if self.wants_to_write() && !self.empty(to)? {
                break;
            }
            if self.finished {
                break;
            }
            match ready(self.conduit.fill(from.as_fd())).map_err(Broken::Source)? {
                None => break,
                Some(0) => {
                    net::end(to).map_err(Broken::Sink)?;
                    self.finished = true;
                }
                Some(_) => {}
            }
        }
        Ok(before != (self.bytes, self.finished))
    }

    /// Gives all that is pending; `false` if the sink takes no more for now.
    fn empty(&mut self, to: &Socket) -> Result<bool, Broken> {
        while self.wants_to_write() {
            match ready(self.conduit.drain(to.as_fd())).map_err(Broken::Sink)? {
                None => return Ok(false),
                Some(moved) => self.bytes += moved as u64,
            }
        }
        Ok(true)
    }
}

/// `None`: would have to wait.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(moved) => Ok(Some(moved)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
