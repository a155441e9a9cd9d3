//! Replies that nothing asked for. A client counts replies: it takes one too many for the answer to its next command, and an
//! address in it for that of its next data connection. So each command gets one final reply, and no other reply passes.

use std::net::IpAddr;

use super::super::action::{End, Note};
use super::super::addr::dots_for_commas;
use super::super::line::body;
use super::super::reply::Place;
use super::super::telnet::without_commands;
use super::Session;
use super::expected::Expected;

/// Replies that nothing asked for are dropped; the session ends after so many with no command between. A server that says
/// each final reply twice stays below it.
const MAX_UNASKED: usize = 20;

/// Replies that nothing asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unasked {
    /// Since the client's last command.
    pub(super) in_row: usize,
    logged: usize,
    /// A 421 has passed that nothing asked for.
    pub(super) farewell: bool,
}

impl Session {
    /// Counts a reply that nothing asked for. `true`: there were too many, and the session ends.
    pub(super) fn drops_too_many(&mut self) -> bool {
        self.unasked.in_row += 1;
        let too_many = self.unasked.in_row > MAX_UNASKED;
        if too_many {
            self.say(b"421 The server sends replies that nothing asked for.\r\n");
            self.end(End::Protocol);
        }
        too_many
    }

    /// The first line of such a reply. The log does not get all of them from a server that never stops.
    pub(super) fn drop_unasked(&mut self, line: &[u8]) {
        if self.unasked.logged < MAX_UNASKED {
            self.unasked.logged += 1;
            self.note(Note::Unasked(body(line).to_vec()));
        }
    }

    /// What the server said last, before its connection ended within a line. The client gets it if it can be the answer to
    /// something, and means no address.
    pub(super) fn pass_rest(&mut self) {
        let rest = self.from_server.take_rest();
        if rest.is_empty() {
            return;
        }
        let held = self.outstanding.front().is_some_and(Expected::holds_reply);
        let passes = !held
            && match self.replies.clone().place(body(&rest), true) {
                Place::Stray => true,
                Place::Ambiguous => false,
                Place::Within(_) => self.answering.is_some(),
                Place::Begins(code) | Place::Ends(code) => {
                    code == 421 && !self.unasked.farewell || !self.outstanding.is_empty()
                }
            };
        if passes {
            self.pass(rest);
        } else {
            self.drop_unasked(&rest);
        }
    }

    /// Some clients see the end of a reply in a line within it: curl(1) and wget(1) in any code with a blank, Python's ftplib in
    /// the same code alone. They then take the next line for the answer to PASV, whatever it answers here. A line that
    /// no PASV asked for names no third host.
    pub(super) fn hide_third_hosts(&mut self, line: &mut [u8]) {
        let own = match self.server {
            Some(IpAddr::V4(server)) => Some(server),
            _ => None,
        };
        // Some clients read Telnet within a code or a number.
        let mut plain = without_commands(line).into_owned();
        if !self.in_tail {
            // A 257 names a path, which stays what it is.
            let positive = plain.starts_with(b"2") && !plain.starts_with(b"257");
            self.tail_is_judged = positive && !self.terms.nat_mode;
        }
        // An address may be cut where a long line is.
        let least = if self.in_tail { 1 } else { 5 };
        if self.tail_is_judged && dots_for_commas(&mut plain, least, own) {
            if plain.len() == line.len() {
                line.copy_from_slice(&plain);
            } else {
                let commas = line.iter_mut().filter(|byte| **byte == b',');
                commas.for_each(|comma| *comma = b'.');
            }
            self.note(Note::StrayAddress(body(line).to_vec()));
        }
    }
}
