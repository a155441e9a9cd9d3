//! Telnet commands within the client's control connection (RFC 854, RFC 1123 §4.1.2.12).
//!
//! They are read up to the end of the verb; an argument may hold any byte. FTP needs two of them: IAC IAC, a 255 that is
//! data, and the Synch (IP, DM) before ABOR. Every offer is refused, everything else is dropped: a server that drops them
//! later than we do could otherwise see a command that we did not (`US<IAC NOP>ER root`).

use std::borrow::Cow;

/// Interpret As Command.
pub(super) const IAC: u8 = 255;
/// Data Mark: the end of a Synch.
pub(super) const DM: u8 = 242;
/// Interrupt Process.
pub(super) const IP: u8 = 244;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
/// The least byte that is a command after IAC; below it the 255 was an unescaped letter (`ÿ`), and stays.
const SE: u8 = 240;

/// Reads a byte stream as Telnet; one for each client.
#[derive(Clone, Debug, Default)]
pub(super) struct Telnet {
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Data,
    Command,
    /// Behind IAC IP, where the Data Mark of the Synch belongs.
    Interrupted,
    Option(u8),
    Sub,
    SubCommand,
}

/// What one byte brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Part of a sequence that means nothing to FTP, or of one that is not over.
    Nothing,
    /// A byte of the line.
    Byte(u8),
    /// IAC and a byte of the line: a doubled 255 stays doubled on the other side (RFC 3659 §2.2).
    Pair(u8),
    /// An offer, and the refusal that the sender must get.
    Refuse([u8; 3]),
    /// IP or DM: the client wants the server's attention before its next command.
    Synch,
}

impl Telnet {
    pub(super) fn take(&mut self, byte: u8) -> Taken {
        let (next, taken) = match (self.state, byte) {
            (State::Data | State::Interrupted, IAC) => (State::Command, Taken::Nothing),
            // Its IAC was the urgent byte, as BSD's ftp sends it, and who stands between cannot carry that (HAProxy).
            (State::Interrupted, DM) => (State::Data, Taken::Nothing),
            (State::Data | State::Interrupted, byte) => (State::Data, Taken::Byte(byte)),
            (State::Command, IP) => (State::Interrupted, Taken::Synch),
            (State::Command, DM) => (State::Data, Taken::Synch),
            (State::Command, WILL | WONT | DO | DONT) => (State::Option(byte), Taken::Nothing),
            (State::Command, SB) => (State::Sub, Taken::Nothing),
            (State::Command, IAC | 0..SE) => (State::Data, Taken::Pair(byte)),
            (State::Command, _) => (State::Data, Taken::Nothing),
            (State::Option(DO), option) => (State::Data, Taken::Refuse([IAC, WONT, option])),
            (State::Option(WILL), option) => (State::Data, Taken::Refuse([IAC, DONT, option])),
            (State::Option(_), _) => (State::Data, Taken::Nothing),
            (State::Sub, IAC) => (State::SubCommand, Taken::Nothing),
            (State::SubCommand, SE) => (State::Data, Taken::Nothing),
            (State::Sub | State::SubCommand, _) => (State::Sub, Taken::Nothing),
        };
        self.state = next;
        taken
    }
}

/// A line of a server's as a client reads it that knows Telnet: without Telnet commands.
pub(super) fn without_commands(line: &[u8]) -> Cow<'_, [u8]> {
    if !line.contains(&IAC) {
        return Cow::Borrowed(line);
    }
    let (mut rest, mut plain) = (line, Vec::new());
    loop {
        rest = match rest {
            [] => return Cow::Owned(plain),
            [IAC, WILL..=DONT, _, rest @ ..] => rest,
            [IAC, IAC, rest @ ..] => {
                plain.push(IAC);
                rest
            }
            [IAC, _, rest @ ..] => rest,
            [byte, rest @ ..] => {
                plain.push(*byte);
                rest
            }
        };
    }
}

/// A server that reads Telnet in the whole line misses the line feed at its end.
pub(super) fn telnet_eats_end(line: &[u8]) -> bool {
    let mut rest = line;
    loop {
        rest = match rest {
            [] => return false,
            [IAC, WILL..=DONT, _, rest @ ..] | [IAC, _, rest @ ..] if rest.is_empty() => {
                return true;
            }
            [IAC, WILL..=DONT, _, rest @ ..] | [IAC, _, rest @ ..] | [_, rest @ ..] => rest,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(input: &[u8]) -> Vec<u8> {
        let mut telnet = Telnet::default();
        let mut out = Vec::new();
        for &byte in input {
            match telnet.take(byte) {
                Taken::Byte(b) => out.push(b),
                Taken::Pair(b) => out.extend([IAC, b]),
                _ => {}
            }
        }
        out
    }

    #[test]
    fn a_doubled_255_stays_doubled() {
        assert_eq!(data(b"RETR \xff\xffa"), b"RETR \xff\xffa");
    }

    #[test]
    fn an_unescaped_255_before_a_letter_is_data() {
        assert_eq!(data(b"RETR \xffa"), b"RETR \xffa");
    }

    #[test]
    fn commands_and_subnegotiations_vanish() {
        assert_eq!(
            data(b"US\xff\xf1ER\xff\xfa\x18\x01\xff\xff\n\xff\xf0 x\xff\xfb\n!"),
            b"USER x!"
        );
    }

    #[test]
    fn the_end_of_a_line_is_eaten_by_telnet_before_it() {
        for line in [
            &b"RETR \xff\n"[..],
            b"RETR \xff\xfb\n",
            b"RETR \xff\xff\xff\xf1\xff\n",
        ] {
            assert!(telnet_eats_end(line), "{line:?}");
        }
        for line in [
            &b"RETR \xff\r\n"[..],
            b"RETR \xff\xfb\r\n",
            b"RETR \xff\xff\n",
            b"RETR \xff\xfb\x01\n",
            b"RETR \xff\xf1\n",
            b"\n",
        ] {
            assert!(!telnet_eats_end(line), "{line:?}");
        }
    }

    #[test]
    fn offers_are_refused_and_refusals_are_not_answered() {
        let mut telnet = Telnet::default();
        let mut last = |bytes: &[u8]| bytes.iter().fold(None, |_, &b| Some(telnet.take(b)));
        assert_eq!(last(&[IAC, DO, 6]), Some(Taken::Refuse([IAC, WONT, 6])));
        assert_eq!(last(&[IAC, WILL, 10]), Some(Taken::Refuse([IAC, DONT, 10])));
        assert_eq!(last(&[IAC, WONT, 10]), Some(Taken::Nothing));
        assert_eq!(last(&[IAC, IP]), Some(Taken::Synch));
    }
}
