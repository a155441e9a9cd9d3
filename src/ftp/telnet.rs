//! Telnet commands within the client's control connection (RFC 854, RFC 1123 §4.1.2.12).
//!
//! FTP needs two of them: IAC IAC, a 255 that is data, and the Synch (IP, DM) before ABOR. Every offer is
//! refused, everything else is dropped: a server that drops them later than we do could otherwise see a command
//! that we did not (`US<IAC NOP>ER root`).

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
    fn offers_are_refused_and_refusals_are_not_answered() {
        let mut telnet = Telnet::default();
        let mut last = |bytes: &[u8]| bytes.iter().fold(None, |_, &b| Some(telnet.take(b)));
        assert_eq!(last(&[IAC, DO, 6]), Some(Taken::Refuse([IAC, WONT, 6])));
        assert_eq!(last(&[IAC, WILL, 10]), Some(Taken::Refuse([IAC, DONT, 10])));
        assert_eq!(last(&[IAC, WONT, 10]), Some(Taken::Nothing));
        assert_eq!(last(&[IAC, IP]), Some(Taken::Synch));
    }
}
