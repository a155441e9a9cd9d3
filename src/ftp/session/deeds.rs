//! What the log is to know of a client: its user, its transfers, and what goes wrong for a reason outside of the session.

use super::super::action::{End, Note};
use super::super::command::{Command, loggable};
use super::super::line::body;
use super::Session;
use super::expected::Expected;

/// What a header of the PROXY protocol begins with: version 1, and version 2, of whose signature the third line is a NUL.
const HEADER: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\0";

/// What has been noticed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Deeds {
    /// Lines from the client.
    lines: usize,
    /// The argument of the last USER that the server got.
    user: Option<Vec<u8>>,
    /// A login is under way.
    logs_in: bool,
    /// The command of the last transfer.
    transfer: Option<Vec<u8>>,
    /// The server got PORT, or EPRT in IPv6: no other command names an address to it.
    pub(super) last_resort: bool,
    /// The log knows that the server refuses our address.
    refused: bool,
}

impl Session {
    /// The user of the last login, as the server got it.
    #[must_use]
    pub fn user_name(&self) -> Option<&[u8]> {
        self.deeds.user.as_deref()
    }

    /// The command whose data has just been carried; it is given once.
    pub fn take_transfer(&mut self) -> Option<Vec<u8>> {
        self.deeds.transfer.take()
    }

    /// Notices a command that goes to the server.
    pub(super) fn notice_asked(&mut self, line: &[u8], expected: &Expected) {
        let text = body(line);
        match (Command::parse(text), expected) {
            (Command::User(user), _) => {
                self.deeds.user = Some(user.to_vec());
                self.deeds.logs_in = true;
            }
            (Command::Pass | Command::Account, _) => self.deeds.logs_in = true,
            // Of transfers that follow each other closely the first one has the data connection.
            (_, Expected::Transfer { .. }) if self.transfer().is_none() => {
                self.deeds.transfer = Some(loggable(text));
            }
            _ => {}
        }
    }

    /// Notices the last line of a reply.
    pub(super) fn notice_reply(&mut self, code: u16, line: &[u8]) {
        match self.answered() {
            Some(Expected::Insider) if matches!(code, 430 | 530) && self.deeds.logs_in => {
                self.deeds.logs_in = false;
                let user = self.deeds.user.clone().unwrap_or_default();
                self.note(Note::LoginRefused(user, code));
            }
            Some(Expected::Insider) if code == 230 => self.deeds.logs_in = false,
            // 530: no login yet. What is said of an EPRT may be about that command alone, and then PORT follows.
            Some(Expected::Active)
                if code >= 500 && code != 530 && self.deeds.last_resort && !self.deeds.refused =>
            {
                self.deeds.refused = true;
                self.note(Note::ActiveRefused(body(line).to_vec()));
            }
            _ => {}
        }
    }

    /// A peer that begins with a header of the PROXY protocol is a balancer that nobody has listed. `true`: the session ends.
    pub(super) fn shows_out_balancer(&mut self, text: &[u8]) -> bool {
        let before = self.deeds.lines;
        self.deeds.lines += 1;
        let header = before == 0 && text.starts_with(HEADER) || before == 2 && text == SIGNATURE;
        let header = header && !self.terms.introduced;
        if header {
            self.note(Note::UnlistedBalancer(self.terms.client));
            self.say(b"421 The proxy expects no PROXY protocol header from this address.\r\n");
            self.end(End::Foreign);
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_line_of_a_signature_is_a_nul() {
        let signature = b"\r\n\r\n\0\r\nQUIT\n";
        let third = signature.split(|byte| *byte == b'\n').nth(2).unwrap();
        assert_eq!(body(third), SIGNATURE);
    }
}
