//! What the child that waits for a client says to its parent, and the parent's one answer.
//!
//! The child says it before it reads a byte of a peer. Afterwards a session could be taken over: then the parent takes no more
//! than the last of these words, after which it listens no longer, and what was said before about the client stands.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::clients::Client;

const TAKES: u8 = b'c';
const ASKS: u8 = b'?';
const GOES: u8 = b'!';
const YES: u8 = b'y';
const NO: u8 = b'n';

/// In place of a client that is not counted.
const UNCOUNTED: [u8; 16] = [0; 16];

/// The parent's end.
#[derive(Debug)]
pub(super) struct Word {
    socket: UnixStream,
    unread: Vec<u8>,
}

/// One word of the child.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// None, or a part of one.
    Nothing,
    /// It has a client, this one unless it is not counted.
    Takes(Option<Client>),
    /// May it serve this client, which may have too many sessions?
    Asks(Client),
    /// The next child is to be made.
    Goes,
    /// It has ended, or says what is none.
    Gone,
}

/// Both ends.
pub(super) fn pair() -> io::Result<(Word, UnixStream)> {
    let (socket, child) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    let word = Word {
        socket,
        unread: Vec::new(),
    };
    Ok((word, child))
}

impl Word {
    /// The next word, without waiting.
    pub(super) fn next(&mut self) -> Heard {
        if self.is_partial() {
            let mut bytes = [0; 32];
            match self.socket.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
                Ok(0) | Err(_) => return Heard::Gone,
                Ok(taken) => self.unread.extend_from_slice(&bytes[..taken]),
            }
        }
        match self.unread.as_slice() {
            [GOES, ..] => Heard::Goes,
            [kind @ (TAKES | ASKS), rest @ ..] => {
                let Some(bytes) = rest.first_chunk::<16>() else {
                    return Heard::Nothing;
                };
                let client = (*bytes != UNCOUNTED).then(|| Client::from_bytes(*bytes));
                let heard = match (*kind, client) {
                    (TAKES, client) => Heard::Takes(client),
                    (_, Some(client)) => Heard::Asks(client),
                    (_, None) => Heard::Gone,
                };
                self.unread.drain(..17);
                heard
            }
            _ => Heard::Gone,
        }
    }

    fn is_partial(&self) -> bool {
        match self.unread.first() {
            None => true,
            Some(&first) => first != GOES && self.unread.len() < 17,
        }
    }

    pub(super) fn answer(&self, may: bool) {
        let answer = if may { YES } else { NO };
        let _ = (&self.socket).write(&[answer]); // gone already: it serves no client
    }
}

impl AsFd for Word {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The child has a client, this one unless it is not counted.
pub(super) fn takes(mut parent: &UnixStream, client: Option<Client>) {
    let _ = parent.write_all(&message(TAKES, client)); // gone already: nobody counts
}

/// Whether the child may serve this client; not if the parent has ended.
pub(super) fn asks(mut parent: &UnixStream, client: Client) -> bool {
    let mut answer = [0];
    let asked = parent.write_all(&message(ASKS, Some(client)));
    asked.and_then(|()| parent.read_exact(&mut answer)).is_ok() && answer == [YES]
}

/// The next child is to be made.
pub(super) fn goes(mut parent: &UnixStream) {
    let _ = parent.write(&[GOES]); // gone already: then it makes no other
}

fn message(kind: u8, client: Option<Client>) -> [u8; 17] {
    let mut bytes = [kind; 17];
    bytes[1..].copy_from_slice(&client.map_or(UNCOUNTED, |client| *client.bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Client {
        let mut bytes = [0; 16];
        bytes[..8].fill(last);
        Client::from_bytes(bytes)
    }

    #[test]
    fn words_are_heard_in_order_however_they_are_cut() {
        let whole = [
            message(ASKS, Some(client(1))).as_slice(),
            &message(TAKES, Some(client(2))),
            &message(TAKES, None),
            &[GOES],
        ]
        .concat();
        for cut in 0..=whole.len() {
            let (mut word, mut child) = pair().unwrap();
            let mut heard = Vec::new();
            for part in [&whole[..cut], &whole[cut..]] {
                child.write_all(part).unwrap();
                loop {
                    match word.next() {
                        Heard::Nothing => break,
                        Heard::Goes => {
                            heard.push(Heard::Goes);
                            break;
                        }
                        other => heard.push(other),
                    }
                }
            }
            let expected = [
                Heard::Asks(client(1)),
                Heard::Takes(Some(client(2))),
                Heard::Takes(None),
                Heard::Goes,
            ];
            // What is said last may still be said again: the parent listens no longer.
            heard.dedup();
            assert_eq!(heard, expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_word_ends_the_hearing() {
        for wild in [&b"x"[..], &[0; 40], b"yes"] {
            let (mut word, mut child) = pair().unwrap();
            child.write_all(wild).unwrap();
            assert_eq!(word.next(), Heard::Gone);
        }
        let (mut word, child) = pair().unwrap();
        assert_eq!(word.next(), Heard::Nothing);
        drop(child);
        assert_eq!(word.next(), Heard::Gone);
    }

    #[test]
    fn a_child_hears_whether_it_may() {
        for may in [true, false] {
            let (mut word, child) = pair().unwrap();
            let asking = std::thread::spawn(move || asks(&child, client(3)));
            while word.next() != Heard::Asks(client(3)) {}
            word.answer(may);
            assert_eq!(asking.join().unwrap(), may);
        }
        let (word, child) = pair().unwrap();
        drop(word);
        assert!(!asks(&child, client(3)), "the parent has ended");
    }
}
