//! The embedded super-server: listeners in, one forked child for each client.
//!
//! The child is there before its client: one waits at the listeners, and when it has a client and is about to wait for
//! something else the next one is made. So no client waits for fork(2), and accept(2) hands it straight to who serves it. The
//! parent holds no session's state, only the ids of its children; it takes clients itself only to tell them that nobody can
//! serve them. Whatever is wrong with one client or for a moment with the machine, it goes on.

#![forbid(unsafe_code)]

mod acceptor;
mod children;
mod clients;
mod hearing;
mod sockets;
mod waiting;
mod word;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::Error;
use crate::log::{Log, Provoked};
use crate::signals::{self, Signals};
use crate::sys::batch;
use crate::sys::fork::{Forked, fork_barely};
use acceptor::{Acceptor, PAUSE};
use children::Children;
pub use clients::Room;
pub use sockets::{Passed, bind, is_passed, passed};
pub use waiting::Beginning;
use waiting::Counted;
use word::Word;

/// How long a child with a client may take to say that the next one is to be made, in milliseconds.
const BEGINNING: u16 = 1000;

/// How long a stopped parent waits for its children's farewell: five seconds, so many turns of so many milliseconds.
const FAREWELL_TURNS: u32 = 50;
const FAREWELL_TURN: u16 = 100;

/// Why [`serve`] returned.
pub enum Served {
    /// We are a child and have this client: serve it, then return an exit code.
    Client(OwnedFd, Signals, Beginning),
    /// We are the parent, told to stop; or a child whom no client needed.
    Ended,
}

/// Accepts clients until told to stop: returns once in the parent, and once in each child.
///
/// SIGTERM and SIGINT end the sessions too, SIGHUP waits for them. Where there is no `room` a client is told 421. What each child
/// can do before it has a client is `prepare`.
///
/// # Errors
/// [`Error::Os`]: the process cannot serve at all.
pub fn serve(
    listeners: Vec<TcpListener>,
    room: Room<'_>,
    prepare: impl FnOnce() -> Result<(), Error>,
    log: &Log,
) -> Result<Served, Error> {
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
        children: Children::default(),
        waiting: None,
        word: None,
        taken: false,
        made: 0,
        room,
        stop: false,
        farewell: None,
        acceptor: Acceptor::new(log),
        log,
    };
    // The next child is made when who has a client does not need the CPU.
    batch::give_way();
    if let Some(ours) = parent.accept_until_stopped(&listeners)? {
        let first = parent.made;
        let children = std::mem::take(&mut parent.children);
        drop(parent); // with its descriptors: its end shall be seen
        let counted = Counted { children, room };
        return waiting::wait_for_client(&listeners, first, ours, prepare, &counted, log);
    }
    // From here on the port is free for a successor.
    drop(listeners);
    parent.wait_for_sessions()?;
    Ok(Served::Ended)
}

struct Parent<'a> {
    signals: Signals,
    children: Children,
    /// The one of them that has no client yet.
    waiting: Option<Pid>,
    /// It says there which client it has, and when the next one is to be made. When we close it, this one ends if it still waits.
    word: Option<Word>,
    /// It has a client.
    taken: bool,
    /// Children made so far.
    made: usize,
    room: Room<'a>,
    /// Take no more clients.
    stop: bool,
    /// Turns left for children that were told to end.
    farewell: Option<u32>,
    acceptor: Acceptor<'a>,
    log: &'a Log,
}

/// Why no child waits for clients.
enum Want {
    /// Of room: there are as many sessions as there may be.
    Room,
    /// Of a process: the system makes none.
    Process(io::Error),
}

impl Parent<'_> {
    /// Sees to it that a child waits, and turns away whoever comes where none can. In a new child its way to its parent.
    fn accept_until_stopped(
        &mut self,
        listeners: &[TcpListener],
    ) -> Result<Option<UnixStream>, Error> {
        while !self.stop {
            let unserved = match self.provide() {
                Ok(Some(ours)) => return Ok(Some(ours)),
                Ok(None) => &[],
                Err(_) => listeners,
            };
            let clients = self.wait(unserved)?;
            if self.stop || clients.is_empty() {
                continue;
            }
            // Things may have changed while nobody came.
            match self.provide() {
                Ok(Some(ours)) => return Ok(Some(ours)),
                Ok(None) => {}
                Err(want) => self.turn_away(&clients, &want)?,
            }
        }
        Ok(None)
    }

    /// Makes the child that waits, unless there is one. In the new child its way to its parent.
    fn provide(&mut self) -> Result<Option<UnixStream>, Want> {
        if self.waiting.is_some() {
            return Ok(None);
        }
        if self.children.len() >= self.room.sessions {
            return Err(Want::Room);
        }
        let (word, ours) = word::pair().map_err(Want::Process)?;
        match fork_quietly().map_err(Want::Process)? {
            Forked::Child => {
                self.log.after_fork();
                Ok(Some(ours))
            }
            Forked::Parent(child) => {
                self.made += 1;
                self.children.add(child);
                self.waiting = Some(child);
                self.word = Some(word);
                self.taken = false;
                Ok(None)
            }
        }
    }

    /// One from each listener in turn, so that a busy one cannot starve another.
    fn turn_away(&mut self, listeners: &[&TcpListener], want: &Want) -> Result<(), Error> {
        for listener in listeners {
            if let Some((client, from)) = self.acceptor.accept(listener) {
                self.log.provoked(Provoked::Client, |log| match want {
                    Want::Room => log.warning(format_args!(
                        "refused {from}: {} sessions already",
                        self.room.sessions
                    )),
                    Want::Process(error) => {
                        log.error(format_args!("refused {from}: cannot fork: {error}"));
                    }
                });
                refuse(client, "Too many sessions; try again later.");
            }
        }
        if self.acceptor.is_resting() {
            self.sleep(PAUSE.into())?;
        }
        Ok(())
    }

    /// Sleeps until something comes, and sees to signals and children; the listeners that have a client.
    fn wait<'l>(&mut self, listeners: &'l [TcpListener]) -> Result<Vec<&'l TcpListener>, Error> {
        let own = [self.signals.fd(), self.word()];
        let patience = if self.taken {
            BEGINNING.into()
        } else {
            PollTimeout::NONE
        };
        let ([signal, word], clients) = ready(own, listeners, patience)?;
        if self.taken && !word && !signal {
            // A session that was taken over could keep all other clients from being served.
            self.make_another();
        }
        if word {
            self.hear()?;
        }
        if signal {
            self.obey_signals()?;
        }
        Ok(clients)
    }

    /// Where the child that waits is heard, if one does.
    fn word(&self) -> BorrowedFd<'_> {
        self.word.as_ref().map_or(self.signals.fd(), AsFd::as_fd)
    }

    /// Sleeps until a signal comes; `false` if none did in time.
    fn sleep(&self, timeout: PollTimeout) -> Result<bool, Error> {
        Ok(ready([self.signals.fd()], &[], timeout)?.0[0])
    }

    /// How many have a client.
    fn sessions(&self) -> usize {
        self.children.len() - usize::from(self.waiting.is_some())
    }

    fn obey_signals(&mut self) -> Result<(), Error> {
        let pending = self.signals.take();
        if pending.term && self.farewell.is_none() {
            let sessions = self.sessions();
            self.log
                .notice(format_args!("stopping, {sessions} sessions end"));
            self.farewell = Some(FAREWELL_TURNS);
            for child in self.children.iter() {
                let _ = kill(child, Signal::SIGTERM); // not reaped yet, so the id is still the child's
            }
        } else if pending.hup && !self.stop {
            let sessions = self.sessions();
            self.log
                .notice(format_args!("no more clients, {sessions} sessions go on"));
        }
        self.stop |= pending.term || pending.hup;
        if pending.child {
            self.reap()?;
        }
        Ok(())
    }

    /// All that ended, whoever they are: an id that is not ours was handed to us by exec(3).
    fn reap(&mut self) -> Result<(), Error> {
        loop {
            let (ended, signal) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(child, _)) => (child, None),
                Ok(WaitStatus::Signaled(child, signal, _)) => (child, Some(signal)),
                Ok(WaitStatus::StillAlive) | Err(_) => return Ok(()),
                Ok(_) => continue,
            };
            if !self.children.remove(ended) {
                continue;
            }
            if self.waiting == Some(ended) {
                self.hear()?; // it may have had a client, and be done with it
            }
            if let Some(signal) = signal {
                self.log.provoked(Provoked::Session, |log| {
                    log.error(format_args!("session [{ended}] was ended by {signal}"));
                });
            }
            if self.waiting == Some(ended) {
                self.waiting = None;
                if !self.stop {
                    // What has ended this one may end the next: not as fast as we can make them.
                    self.sleep(PAUSE.into())?;
                }
            }
        }
    }

    /// After SIGHUP as long as it takes, after SIGTERM a few seconds.
    fn wait_for_sessions(&mut self) -> Result<(), Error> {
        self.hear()?;
        self.word = None; // whoever waits still ends
        while self.children.len() > 0 {
            let timeout = self
                .farewell
                .map_or(PollTimeout::NONE, |_| FAREWELL_TURN.into());
            if self.sleep(timeout)? {
                self.obey_signals()?;
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

/// Signals wait meanwhile: one that reaches the child is for the handlers that it has yet to make.
fn fork_quietly() -> io::Result<Forked> {
    signals::hold()?;
    let forked = fork_barely();
    if !matches!(forked, Ok(Forked::Child)) {
        signals::release()?;
    }
    forked
}

/// poll(2) for reading: which of our own descriptors are ready, and which listeners; none after `timeout`.
fn ready<'l, const OWN: usize>(
    own: [BorrowedFd<'_>; OWN],
    listeners: impl IntoIterator<Item = &'l TcpListener> + Clone,
    timeout: PollTimeout,
) -> Result<([bool; OWN], Vec<&'l TcpListener>), Error> {
    let at = listeners.clone().into_iter();
    let mut fds = Vec::from(own.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
    fds.extend(at.map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
    loop {
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => {} // a signal that is for us is there to be read now
            Err(errno) => return Err(Error::os("cannot poll")(errno)),
            Ok(_) => break,
        }
    }
    let mut any = fds.iter().map(|fd| fd.any() != Some(false));
    let own = own.map(|_| any.next() == Some(true));
    let with_client = listeners.into_iter().zip(any).filter(|(_, any)| *any);
    Ok((own, with_client.map(|(listener, _)| listener).collect()))
}

/// Tells a client why it is not served, without waiting for it.
fn refuse(mut client: TcpStream, why: &str) {
    // Whatever fails here, the client learns by the connection's end.
    let _ = client.set_nonblocking(true);
    let _ = client.write_all(format!("421 {why}\r\n").as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    // Closing over unread bytes resets the connection, and the reply could be lost with it.
    let _ = client.read(&mut [0; 1024]);
}
