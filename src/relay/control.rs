//! One side's control connection: a socket and what waits to be written to it. Both sides are this one type.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;

use crate::datapath::{Source, Watch};
use crate::ftp::Side;
use crate::net;

/// Bytes read at once.
const READ_MAX: usize = 2048;

/// Lines that wait are put together to pieces of at most so many bytes.
const PIECE_MAX: usize = 4096;

/// A control connection, never blocking.
#[derive(Debug)]
pub struct Control {
    stream: TcpStream,
    out: VecDeque<Piece>,
    /// Something has been read since [`Control::acknowledge`].
    heard: bool,
    /// The peer would not take everything when it was last tried.
    stuck: bool,
    /// More has waited than may.
    full: bool,
    /// Shut down writing when all is written.
    finishing: bool,
    /// Nothing can be written any more.
    broken: bool,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// The last byte is sent as urgent data.
    urgent: bool,
}

impl Control {
    /// Takes over a connection, which is probed when nothing has come for the time `keepalive`.
    ///
    /// # Errors
    /// The peer has gone already.
    pub fn new(stream: TcpStream, keepalive: Option<Duration>) -> io::Result<Self> {
        net::prepare_control(&stream, keepalive)?;
        Ok(Control {
            stream,
            out: VecDeque::new(),
            heard: false,
            stuck: false,
            full: false,
            finishing: false,
            broken: false,
        })
    }

    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        if self.broken {
            return;
        }
        match self.out.back_mut() {
            // Each piece costs beside its bytes, and lines may be of one byte.
            Some(last) if !last.urgent && last.bytes.len() + bytes.len() <= PIECE_MAX => {
                last.bytes.extend(bytes);
            }
            _ => self.out.push_back(Piece {
                bytes,
                urgent: false,
            }),
        }
    }

    pub(super) fn send_urgent(&mut self, bytes: Vec<u8>) {
        if !self.broken {
            self.out.push_back(Piece {
                bytes,
                urgent: true,
            });
        }
    }

    /// Ends our half once everything is written.
    pub(super) fn finish(&mut self) {
        self.finishing = true;
    }

    /// Bytes waiting to be written.
    pub(super) fn queued(&self) -> usize {
        self.out.iter().map(|piece| piece.bytes.len()).sum()
    }

    /// `true`, once, when `most` bytes wait.
    pub(super) fn fills(&mut self, most: usize) -> bool {
        !self.full && self.queued() >= most && !std::mem::replace(&mut self.full, true)
    }

    pub(super) fn is_written(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn watch<'a>(&'a self, side: Side, reading: bool, watch: &mut Watch<'a>) {
        let writing = !self.out.is_empty();
        let reading = reading && !self.broken;
        watch.add(Source::Control(side), self.stream.as_fd(), reading, writing);
    }

    /// Reads what there is: `None` if that is nothing, 0 bytes at the end of the stream.
    pub(super) fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = [0; READ_MAX];
        match self.stream.read(&mut bytes) {
            Ok(length) => {
                self.heard = true;
                Ok(Some(bytes[..length].to_vec()))
            }
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => {
                self.give_up();
                Err(error)
            }
        }
    }

    /// Has what was read since the last call acknowledged at once, if the peer is `waiting`.
    pub(super) fn acknowledge(&mut self, waiting: bool) {
        if std::mem::take(&mut self.heard) && waiting {
            net::acknowledge(&self.stream);
        }
    }

    /// Writes what the socket takes; `true` if it has taken something that had to wait for it.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        let waited = std::mem::take(&mut self.stuck);
        let mut taken = false;
        while let Some(piece) = self.out.front_mut() {
            let written = if piece.urgent {
                // Should only a part go out, the rest is urgent again and ends at the same byte.
                SockRef::from(&self.stream).send_out_of_band(&piece.bytes)
            } else {
                self.stream.write(&piece.bytes)
            };
            match written {
                Ok(n) if n < piece.bytes.len() => drop(piece.bytes.drain(..n)),
                Ok(_) => drop(self.out.pop_front()),
                Err(error) if is_passing(&error) => {
                    self.stuck = true;
                    return Ok(waited && taken);
                }
                Err(error) => {
                    self.give_up();
                    return Err(error);
                }
            }
            taken = true;
        }
        if std::mem::take(&mut self.finishing) {
            let _ = self.stream.shutdown(Shutdown::Write); // gone already: it need not be told
        }
        Ok(waited && taken)
    }

    /// Nothing more can be said to this peer.
    fn give_up(&mut self) {
        self.broken = true;
        self.out.clear();
    }

    /// Closes so that what was said last arrives.
    pub(super) fn farewell(&self) {
        if !self.broken {
            net::farewell(&self.stream);
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
