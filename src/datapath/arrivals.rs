//! Who comes to the listener of a data connection, and who of them is the one that it is for.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Instant;

use socket2::Socket;

use super::{Source, Watch};
use crate::balancer::Hearing;
use crate::cidr::Networks;
use crate::log::{Log, Provoked};
use crate::net::{self, canonical};
use crate::proxy_protocol::Header;

/// Callers that one turn looks at.
const CALLERS: usize = 16;

/// Connections from balancers whose headers are awaited at a time. Headers come with the first packet, so that only who
/// holds his back is ever in the way of another.
const WAITING_MAX: usize = 8;

/// A listener that one host is to come to, itself or by way of a balancer.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    listener: TcpListener,
    expected: IpAddr,
    /// It may come from there as well.
    also: Option<&'a Networks>,
    /// Whoever comes from there brings somebody, and says first whom.
    balancers: Option<&'a Networks>,
    /// Who has yet to say so, the oldest first.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    socket: TcpStream,
    from: SocketAddr,
    hearing: Hearing,
}

/// The one it is for.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Its connection, which does not block.
    pub(super) socket: Socket,
    /// Where it has come from.
    pub(super) from: SocketAddr,
    /// What it has dialled, by a balancer's word.
    pub(super) dialled: Option<SocketAddr>,
}

impl<'a> Arrivals<'a> {
    /// The listener is for `expected`, which may come from one of `also` too, and whom one of `balancers` may bring.
    pub(super) fn new(
        listener: TcpListener,
        expected: IpAddr,
        also: Option<&'a Networks>,
        balancers: Option<&'a Networks>,
    ) -> Self {
        Arrivals {
            listener,
            expected,
            also,
            balancers,
            waiting: Vec::new(),
        }
    }

    /// Where.
    pub(super) fn at(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn watch<'w>(&'w self, watch: &mut Watch<'w>) {
        watch.add(Source::Listener, self.listener.as_fd(), true, false);
        for waiting in &self.waiting {
            watch.add(Source::Listener, waiting.socket.as_fd(), true, false);
        }
    }

    /// When a header is late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.waiting.iter().map(|w| w.hearing.deadline());
        deadlines.min()
    }

    /// Takes the first connection from the host that is to come; a stranger is shown the door, and waiting goes on
    /// (docs/ancestors.md, D41). `None`: not among the first few who have come, and the control connections do not wait for
    /// more.
    ///
    /// # Errors
    /// No descriptor is to be had. The caller stays in the queue, so that to wait for it would be to ask again and again.
    pub(super) fn turn(&mut self, now: Instant, log: &Log) -> io::Result<Option<Arrived>> {
        for _ in 0..CALLERS {
            let (came, from) = match self.listener.accept() {
                Ok(came) => came,
                Err(error) if net::only_that_caller(&error) => break, // none, or gone again
                Err(error) => return Err(error),
            };
            let from = canonical(from);
            if came.set_nonblocking(true).is_err() {
                continue; // dead already, and no reason to give up those behind it
            }
            if self.balancers.is_some_and(|list| list.contain(from.ip())) {
                self.make_room(log);
                self.waiting.push(Waiting {
                    socket: came,
                    from,
                    hearing: Hearing::begin(now),
                });
                // At once, so that not even a full house keeps out who says its name.
                if let Some(arrived) = self.hear(now, log) {
                    return Ok(Some(arrived));
                }
            } else if self.is_for(from, log) {
                return Ok(Some(Arrived {
                    socket: came.into(),
                    from,
                    dialled: None,
                }));
            } else {
                self.refuse(from, None, log);
            }
        }
        Ok(self.hear(now, log))
    }

    fn make_room(&mut self, log: &Log) {
        if self.waiting.len() == WAITING_MAX {
            let from = self.waiting.remove(0).from;
            say_why(
                from,
                &"others have come, and its PROXY protocol header has not",
                log,
            );
        }
    }

    /// Reads what those who wait have said.
    fn hear(&mut self, now: Instant, log: &Log) -> Option<Arrived> {
        let mut at = 0;
        while let Some(waiting) = self.waiting.get_mut(at) {
            match waiting.hearing.hear(&waiting.socket, now) {
                Ok(None) => at += 1,
                Ok(Some(header)) => {
                    let waiting = self.waiting.remove(at);
                    if let Some(arrived) = self.judge(waiting, header, log) {
                        return Some(arrived);
                    }
                }
                Err(why) => {
                    let from = self.waiting.remove(at).from;
                    say_why(from, &why, log);
                }
            }
        }
        None
    }

    /// Whether the listener is for who comes from there.
    fn is_for(&self, from: SocketAddr, log: &Log) -> bool {
        let own = from.ip() == self.expected;
        let also = !own && self.also.is_some_and(|list| list.contain(from.ip()));
        if also {
            let expected = self.expected;
            log.info(format_args!(
                "data connection from {from}, not from {expected}: allowed by --data-from"
            ));
        }
        own || also
    }

    fn judge(&self, waiting: Waiting, header: Header, log: &Log) -> Option<Arrived> {
        let (from, dialled) = match header {
            Header::Local => (waiting.from, None),
            Header::Proxied {
                source,
                destination,
            } => (source, Some(destination)),
        };
        if !self.is_for(from, log) {
            self.refuse(from, Some(waiting.from), log);
            return None;
        }
        Some(Arrived {
            socket: waiting.socket.into(),
            from,
            dialled,
        })
    }

    fn refuse(&self, from: SocketAddr, balancer: Option<SocketAddr>, log: &Log) {
        let expected = self.expected;
        log.provoked(Provoked::DataConnection, |log| match balancer {
            Some(balancer) => log.warning(format_args!(
                "refused data connection from {from} by way of {balancer}: not from {expected}"
            )),
            None => log.warning(format_args!(
                "refused data connection from {from}: not from {expected}"
            )),
        });
    }
}

fn say_why(from: SocketAddr, why: &dyn Display, log: &Log) {
    log.provoked(Provoked::DataConnection, |log| {
        log.warning(format_args!("refused data connection from {from}: {why}"));
    });
}
