//! Files that their names tell all of: seed, length, and where the server is to break the transfer.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use crate::chance::Chance;

/// Bytes made, sent and compared at once; every piece is that of its place in the file.
const PIECE: usize = 1 << 14;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    pub seed: u64,
    pub length: u64,
    /// The server resets the data connection here.
    pub breaks_at: Option<u64>,
}

impl File {
    pub fn random(chance: &mut Chance) -> File {
        let most = match chance.below(20) {
            0 | 1 => 1,
            2..=7 => 1 << 10,
            8..=13 => 1 << 16,
            14..=18 => 1 << 20,
            _ => 5 << 20,
        };
        File {
            seed: chance.next(),
            length: chance.below(most),
            breaks_at: None,
        }
    }

    /// Sends it, and asks before each piece whether to go on, with the bytes sent so far. Whether all of it went.
    pub fn send(
        &self,
        mut to: impl Write,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> io::Result<bool> {
        let mut sent = 0;
        while sent < self.length {
            if !goes_on(sent) {
                return Ok(false);
            }
            let piece = self.piece(sent);
            to.write_all(&piece)?;
            sent += piece.len() as u64;
        }
        Ok(true)
    }

    /// Reads to the end, and compares; asks as [`File::send`]. Whether it is whole; an end that comes early is an error of
    /// its own kind.
    pub fn receive(
        &self,
        mut from: impl Read,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> io::Result<Received> {
        let mut received = 0;
        while received < self.length {
            if !goes_on(received) {
                return Ok(Received::Left);
            }
            let expected = self.piece(received);
            let mut got = vec![0; expected.len()];
            let count = fill(&mut from, &mut got)?;
            if got[..count] != expected[..count] {
                return Ok(Received::Other(received));
            }
            received += count as u64;
            if count < expected.len() {
                return Ok(Received::Short(received));
            }
        }
        match fill(&mut from, &mut [0])? {
            0 => Ok(Received::Whole),
            _ => Ok(Received::Other(received)),
        }
    }

    fn piece(&self, start: u64) -> Vec<u8> {
        let length = (self.length - start).min(PIECE as u64);
        let mut chance = Chance::new(self.seed ^ start);
        let words = (0..length.div_ceil(8)).flat_map(|_| chance.next().to_be_bytes());
        words
            .take(usize::try_from(length).expect("a piece"))
            .collect()
    }
}

/// What came of receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    Whole,
    /// The receiver has had enough.
    Left,
    /// The end came early, and looked like one.
    Short(u64),
    /// Other bytes than those that were sent.
    Other(u64),
}

/// Reads until the buffer is full or the end has come.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match from.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(n) => count += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seed, self.length)?;
        self.breaks_at.map_or(Ok(()), |at| write!(f, "-{at}"))
    }
}

impl FromStr for File {
    type Err = std::num::ParseIntError;

    fn from_str(name: &str) -> Result<File, Self::Err> {
        let mut numbers = name.split('-').map(u64::from_str);
        let mut next = || numbers.next().transpose();
        Ok(File {
            seed: next()?.unwrap_or_default(),
            length: next()?.unwrap_or_default(),
            breaks_at: next()?,
        })
    }
}
