//! One direction of a data connection: bytes, then their end. Used twice for each.

use std::io;
use std::os::fd::AsFd;

use socket2::Socket;

use super::spare::Spare;
use crate::net;
use crate::sys::conduit::Conduit;

/// Fillings that one turn carries at most, so that the control connection is not kept waiting.
const FILLINGS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Pump {
    /// Bytes that were taken and not yet given, if there are any: in between, one conduit serves both directions.
    conduit: Option<Conduit>,
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
    pub(super) fn wants_to_read(&self) -> bool {
        !self.finished && self.conduit.is_none()
    }

    pub(super) fn wants_to_write(&self) -> bool {
        self.conduit.is_some()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Carries what there is without waiting; `true` if it was something. The end is passed on as what it is, a
    /// half-close, once all before it has been.
    pub(super) fn turn(
        &mut self,
        from: &Socket,
        to: &Socket,
        spare: &mut Spare,
    ) -> Result<bool, Broken> {
        if self.finished {
            return Ok(false);
        }
        let before = self.bytes;
        let mut conduit = match self.conduit.take() {
            Some(conduit) => conduit,
            None => spare.take().map_err(Broken::Source)?,
        };
        for _ in 0..FILLINGS {
            if !self.empty(&mut conduit, to)? {
                break;
            }
            match ready(conduit.fill(from.as_fd())).map_err(Broken::Source)? {
                None => break,
                Some(0) => {
                    net::acknowledge(from); // its close(2) may wait for that, and its last reply for its close(2)
                    net::end(to).map_err(Broken::Sink)?;
                    self.finished = true;
                    break;
                }
                Some(_) => {}
            }
        }
        if conduit.pending() > 0 {
            self.conduit = Some(conduit);
        } else {
            spare.keep(conduit);
        }
        Ok(self.finished || before != self.bytes)
    }

    pub(super) fn is_wide(&self) -> bool {
        self.conduit.as_ref().is_some_and(Conduit::is_wide)
    }

    pub(super) fn narrow(&mut self) {
        if let Some(conduit) = &mut self.conduit {
            conduit.narrow();
        }
    }

    /// Gives all that is pending; `false` if the sink takes no more for now.
    fn empty(&mut self, conduit: &mut Conduit, to: &Socket) -> Result<bool, Broken> {
        while conduit.pending() > 0 {
            match ready(conduit.drain(to.as_fd())).map_err(Broken::Sink)? {
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
