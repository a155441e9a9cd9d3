//! The embedded super-server: listeners in, one forked child for each client.
//!
//! The parent holds no session's state, only the ids of its children. Whatever is wrong with one client or for a moment
//! with the machine, it goes on.

#![forbid(unsafe_code)]

mod sockets;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::Error;
use crate::log::Log;
use crate::net;
use crate::signals::{self, Signals};
use crate::sys::fork::{Forked, fork};
pub use sockets::{Passed, bind, passed};

/// Rest after the system ran out of descriptors or memory, in milliseconds.
const PAUSE: u16 = 1000;

/// How long a stopped parent waits for its children's farewell: five seconds, so many turns of so many milliseconds.
const FAREWELL_TURNS: u32 = 50;
const FAREWELL_TURN: u16 = 100;

/// Why [`serve`] returned.
#[derive(Debug)]
pub enum Served {
    /// We are a new child: serve this client, then return an exit code. Signals are held back until the session makes its
    /// own [`Signals`].
    Client(OwnedFd),
    /// We are the parent, told to stop.
    Ended,
}

/// Accepts clients until told to stop: returns once in the parent, and once in each child.
///
/// SIGTERM and SIGINT end the sessions too, SIGHUP waits for them. Above `max_sessions` a client is told 421.
///
/// # Errors
/// [`Error::Os`]: the process cannot serve at all.
pub fn serve(listeners: Vec<TcpListener>, max_sessions: usize, log: &Log) -> Result<Served, Error> {
    for listener in &listeners {
        listener
            .set_nonblocking(true)
            .map_err(Error::os("cannot listen"))?;
        let address = listener.local_addr().map_err(Error::os("cannot listen"))?;
        log.info(format_args!("listening on {address}"));
    }
    let signals = Signals::catch().map_err(Error::os("cannot catch signals"))?;
    let mut parent = Parent {
        signals,
        children: HashSet::new(),
        max_sessions,
        stop: false,
        farewell: None,
        resting: false,
        log,
    };
    let client = parent.accept_until_stopped(&listeners)?;
    // From here on the port is free for a successor; and a child must not hold it.
    drop(listeners);
    if let Some(client) = client {
        return Ok(Served::Client(client));
    }
    parent.wait_for_sessions()?;
    Ok(Served::Ended)
}

struct Parent<'a> {
    signals: Signals,
    children: HashSet<Pid>,
    max_sessions: usize,
    /// Take no more clients.
    stop: bool,
    /// Turns left for children that were told to end.
    farewell: Option<u32>,
    /// Accepting failed for want of descriptors or memory, and the log knows.
    resting: bool,
    log: &'a Log,
}

/// What became of one client.
enum Turn {
    /// Whatever became of it, we are the parent and go on.
    Next,
    /// The system is short of something: let it rest.
    Rest,
    /// We are its child.
    Child(OwnedFd),
}

impl Parent<'_> {
    /// `Some` in a child, `None` in the parent.
    fn accept_until_stopped(
        &mut self,
        listeners: &[TcpListener],
    ) -> Result<Option<OwnedFd>, Error> {
        while !self.stop {
            // One client from each in turn, so that a busy listener cannot starve another.
            for listener in self.ready(listeners)? {
                match self.accept(listener) {
                    Turn::Next => {}
                    Turn::Rest => drop(self.sleep(PAUSE.into())?),
                    Turn::Child(client) => return Ok(Some(client)),
                }
            }
            self.obey_signals();
        }
        Ok(None)
    }

    /// Sleeps until a client or a signal comes; the listeners that have a client.
    fn ready<'l>(&self, listeners: &'l [TcpListener]) -> Result<Vec<&'l TcpListener>, Error> {
        let fds = listeners.iter().map(AsFd::as_fd).chain([self.signals.fd()]);
        let mut polled: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        wait(&mut polled, PollTimeout::NONE)?;
        let pairs = listeners.iter().zip(&polled);
        Ok(pairs
            .filter(|(_, fd)| fd.any() == Some(true))
            .map(|(listener, _)| listener)
            .collect())
    }

    /// Sleeps until a signal comes; `false` if none did in time.
    fn sleep(&self, timeout: PollTimeout) -> Result<bool, Error> {
        wait(
            &mut [PollFd::new(self.signals.fd(), PollFlags::POLLIN)],
            timeout,
        )
    }

    fn accept(&mut self, listener: &TcpListener) -> Turn {
        match listener.accept() {
            Ok((client, from)) => {
                self.resting = false;
                self.admit(client, from)
            }
            Err(error) if net::only_that_caller(&error) => Turn::Next,
            Err(error) => {
                if !self.resting {
                    self.log
                        .error(format_args!("cannot accept clients, trying again: {error}"));
                }
                self.resting = true;
                Turn::Rest
            }
        }
    }

    fn admit(&mut self, client: TcpStream, from: SocketAddr) -> Turn {
        self.reap();
        if self.children.len() >= self.max_sessions {
            self.log.warning(format_args!(
                "refused {from}: {} sessions already",
                self.max_sessions
            ));
            refuse(client);
            return Turn::Next;
        }
        match self.fork(&client) {
            Ok(Forked::Child) => {
                self.log.after_fork();
                Turn::Child(client.into())
            }
            Ok(Forked::Parent(child)) => {
                self.children.insert(child);
                Turn::Next
            }
            Err(error) => {
                self.log
                    .error(format_args!("refused {from}: cannot fork: {error}"));
                refuse(client);
                Turn::Next
            }
        }
    }

    /// Signals wait meanwhile: one that reaches the child is for the handlers that it has yet to make.
    fn fork(&self, client: &TcpStream) -> io::Result<Forked> {
        client.set_nonblocking(false)?; // the BSDs hand a listener's flag on
        signals::hold()?;
        let forked = fork();
        if !matches!(forked, Ok(Forked::Child)) {
            signals::release()?;
        }
        forked
    }

    fn obey_signals(&mut self) {
        let pending = self.signals.take();
        if pending.child {
            self.reap();
        }
        if pending.term && self.farewell.is_none() {
            self.log.notice(format_args!(
                "stopping, {} sessions end",
                self.children.len()
            ));
            self.farewell = Some(FAREWELL_TURNS);
            for child in &self.children {
                let _ = kill(*child, Signal::SIGTERM); // not reaped yet, so the id is still the child's
            }
        } else if pending.hup && !self.stop {
            self.log.notice(format_args!(
                "no more clients, {} sessions go on",
                self.children.len()
            ));
        }
        self.stop |= pending.term || pending.hup;
    }

    /// All that ended, whoever they are: an id that is not ours was handed to us by exec(3).
    fn reap(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(child, _)) => drop(self.children.remove(&child)),
                Ok(WaitStatus::Signaled(child, signal, _)) => {
                    if self.children.remove(&child) {
                        self.log
                            .error(format_args!("session [{child}] was ended by {signal}"));
                    }
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// After SIGHUP as long as it takes, after SIGTERM a few seconds.
    fn wait_for_sessions(&mut self) -> Result<(), Error> {
        while !self.children.is_empty() {
            let timeout = self
                .farewell
                .map_or(PollTimeout::NONE, |_| FAREWELL_TURN.into());
            if self.sleep(timeout)? {
                self.obey_signals();
                continue;
            }
            self.farewell = self.farewell.map(|turns| turns - 1);
            if self.farewell == Some(0) {
                self.log.warning(format_args!(
                    "{} sessions are slow to end",
                    self.children.len()
                ));
                break;
            }
        }
        Ok(())
    }
}

/// poll(2); `false` after `timeout`. An interruption counts as an event: the caller looks again.
fn wait(fds: &mut [PollFd<'_>], timeout: PollTimeout) -> Result<bool, Error> {
    match poll(fds, timeout) {
        Ok(0) => Ok(false),
        Ok(_) | Err(Errno::EINTR) => Ok(true),
        Err(errno) => Err(Error::os("cannot poll")(errno)),
    }
}

/// Tells a client why it is not served, without waiting for it.
fn refuse(mut client: TcpStream) {
    // Whatever fails here, the client learns by the connection's end.
    let _ = client.set_nonblocking(true);
    let _ = client.write_all(b"421 Too many sessions; try again later.\r\n");
    let _ = client.shutdown(Shutdown::Write);
    // Closing over unread bytes resets the connection, and the reply could be lost with it.
    let _ = client.read(&mut [0; 1024]);
}
