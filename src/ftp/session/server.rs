//! The server's half: whose answer a reply is, and what the client may see of it.

use super::super::action::{NOT_OPENED, Note, Terms};
use super::super::command::verb;
use super::super::line::body;
use super::super::reply::Place;
use super::Session;
use super::expected::{Data, Expected, Login};

impl Session {
    /// Acts on the next line from the server; `false` if there is none that may be acted on now.
    pub(super) fn take_reply(&mut self) -> bool {
        self.holding = false;
        if self.early_is_final() {
            return true;
        }
        let Some(line) = self.from_server.front() else {
            return false;
        };
        let opens = self.replies.opens(body(&line.bytes));
        if let Some(code) = opens {
            self.answering = self.answered_by(code);
            // A command that waits here was asked before the reply came.
            if self.answering.is_none() && (self.take_command() || self.drops_too_many()) {
                return true;
            }
            if self.puts_aside(code) {
                return true;
            }
            if self.must_wait(code) {
                self.holding = true;
                self.flowing = true;
                return false;
            }
            self.correct(code);
        }
        let Some(line) = self.from_server.pop() else {
            return false;
        };
        self.note(Note::Reply(body(&line.bytes).to_vec()));
        if opens.is_some() && self.answering.is_none() {
            self.drop_unasked(&line.bytes);
        }
        let ends = line.bytes.ends_with(b"\n");
        if !(ends || std::mem::replace(&mut self.long_line, true)) {
            self.note(Note::LongLine(self.terms.max_line));
        }
        self.in_tail = line.continues;
        match self.replies.place(body(&line.bytes), ends) {
            Place::Stray => self.pass(line.bytes),
            Place::Ambiguous if line.continues => {}
            Place::Ambiguous => {
                if !self.drops_too_many() {
                    self.drop_unasked(&line.bytes);
                }
            }
            Place::Begins(code) | Place::Within(code) => {
                // The client does not see this reply, and waits for ours, or it waits for the final one: it cannot say by a
                // command that this one is over.
                let held = self.answered().is_some_and(Expected::holds_reply);
                let cut = held && self.replies.end_within_line();
                let over = (held || code < 200) && self.replies.end_if_perhaps_over().is_some();
                self.end_of_line(code, cut || over, line.bytes);
            }
            Place::Ends(code) => self.end_of_line(code, true, line.bytes),
        }
        true
    }

    pub(super) fn end_of_line(&mut self, code: u16, last: bool, line: Vec<u8>) {
        self.reply(code, last, line);
        if last {
            self.give_own();
        }
    }

    /// The client goes on: if a line of the open reply could be its end, it was.
    pub(super) fn end_reply_if_perhaps_over(&mut self) {
        if let Some(code) = self.replies.end_if_perhaps_over() {
            self.end_of_line(code, true, Vec::new());
        }
    }

    /// The place of the command that a reply with this code answers. `None`: nothing is outstanding, and the client would
    /// take the reply for the answer to its next command. A 421 is for no command (RFC 959 §5.4); a server says it once.
    ///
    /// While a transfer runs, STAT, NOOP and ABOR may be answered before it: a code that no transfer ends with is
    /// theirs. Of one that was answered by us that is true as well, and a server that answers anything else has done with it:
    /// Pure-FTPd says no last word of a transfer that broke.
    fn answered_by(&mut self, code: u16) -> Option<usize> {
        self.pass_over_abor(code);
        self.settle_early(code);
        let at = self.expecting(code);
        if at < self.outstanding.len() {
            return Some(at);
        }
        let passes = code == 421 && !std::mem::replace(&mut self.unasked.farewell, code == 421);
        passes.then_some(at)
    }

    fn expecting(&mut self, code: u16) -> usize {
        let ends_transfer = may_end_transfer(code);
        let other = |e: &Expected| {
            matches!(
                e,
                Expected::Plain
                    | Expected::Insider
                    | Expected::Mode(_)
                    | Expected::Rein
                    | Expected::Feat { .. }
                    | Expected::Abor { .. }
            )
        };
        match self.outstanding.front() {
            Some(Expected::Transfer { begun: true, .. }) if !ends_transfer => {
                self.outstanding.iter().position(other).unwrap_or(0)
            }
            Some(Expected::Swallow { .. }) if !ends_transfer && self.outstanding.len() > 1 => {
                if self.outstanding.get(1).is_some_and(other) {
                    return 1;
                }
                self.outstanding.pop_front();
                self.give_own();
                0
            }
            _ => 0,
        }
    }

    /// Not every server answers ABOR, or even the transfer that it ended (Pure-FTPd). One that answers a later command
    /// has done with both: waiting for their replies would put each reply from now on to the wrong command.
    fn pass_over_abor(&mut self, code: u16) {
        let Some(abor) = self.abor() else { return };
        let aborted = |e: &Expected| {
            matches!(
                e,
                Expected::Transfer { begun: true, .. } | Expected::Swallow { .. }
            )
        };
        let only_transfers = self.outstanding.iter().take(abor).all(aborted);
        let for_it = matches!(code, 100..=199 | 225 | 226 | 250 | 400..);
        if only_transfers && !for_it && abor + 1 < self.outstanding.len() {
            self.outstanding.drain(..=abor);
            self.leave(Data::None);
            self.give_own();
        }
    }

    /// The server calls a transfer done whose data has not been delivered: the client hears it afterwards, except
    /// that one which aborts may never read on.
    fn must_wait(&self, code: u16) -> bool {
        let Some(Expected::Transfer { direction, .. }) = self.answered() else {
            return false;
        };
        let under_way = self.data.is_under_way(*direction) && !self.keeps_open;
        (200..300).contains(&code) && self.abor().is_none() && under_way
    }

    /// The command that the reply under way answers.
    pub(super) fn answered(&self) -> Option<&Expected> {
        self.outstanding.get(self.answering?)
    }

    /// The same; it has had its final reply.
    pub(super) fn take_answered(&mut self) -> Option<Expected> {
        self.outstanding.remove(self.answering?)
    }

    /// The place of an ABOR that has not been answered.
    fn abor(&self) -> Option<usize> {
        let is_abor = |e: &Expected| matches!(e, Expected::Abor { .. });
        self.outstanding.iter().position(is_abor)
    }

    /// The server calls a transfer done that has failed on the client's side: the client hears that instead.
    pub(super) fn correct(&mut self, code: u16) {
        let at = self.answering.unwrap_or(usize::MAX);
        let Some(expected @ Expected::Transfer { .. }) = self.outstanding.get_mut(at) else {
            return;
        };
        let begun = matches!(expected, Expected::Transfer { begun: true, .. });
        // A transfer begins once. Pure-FTPd says 150 again of one that broke, and nothing after that.
        let again = begun && matches!((code, self.data), (125 | 150, Data::Failed(_)));
        if code >= 200 || again {
            self.flowing = true;
            let after = self.data.after_reply(code, begun);
            let text = match self.data {
                Data::Failed(end) if again => end.contradicts_success().or(Some(NOT_OPENED)),
                Data::Failed(end) if code < 300 => end.contradicts_success(),
                _ => None,
            };
            if text.is_some() {
                expected.swallow();
            }
            if !(self.keeps_open && code < 300 && text.is_none()) {
                self.leave(after);
            }
            if let Some(text) = text {
                self.say(text);
            }
        }
    }

    fn reply(&mut self, code: u16, last: bool, line: Vec<u8>) {
        let preliminary = code < 200;
        let Some(at) = self.answering else { return };
        self.goodbye |= matches!(code, 221 | 421) && last;
        self.logged_in |= self.shows_login(code);
        if last {
            self.notice_reply(code, &line);
        }
        match self.outstanding.get_mut(at) {
            Some(Expected::Swallow { begun: true }) if last && preliminary => {
                self.outstanding.remove(at);
            }
            Some(expected @ Expected::Swallow { .. }) => {
                if last && preliminary {
                    expected.begin();
                }
            }
            Some(Expected::Feat { begun }) => {
                let refused = *begun && is_refused(&self.terms, body(&line));
                *begun = true;
                if refused {
                    self.replies.skip_tail();
                } else {
                    self.pass(line);
                }
            }
            Some(Expected::Hidden(_)) => return self.hidden(code, last, line),
            Some(Expected::Passive(_)) => return self.passive_reply(code, last, line),
            Some(Expected::Auth) if last && code == 234 => {
                self.pass(line);
                self.become_opaque();
            }
            Some(Expected::Mode(keeps)) if last && (200..300).contains(&code) => {
                self.keeps_open = *keeps;
                self.pass(line);
            }
            Some(Expected::Rein) if last && (200..300).contains(&code) => {
                self.logged_in = false;
                self.keeps_open = false;
                self.pass(line);
            }
            Some(Expected::Active) if last && code >= 300 => {
                self.pass(line);
                self.discard();
            }
            Some(expected) if matches!(code, 125 | 150) => {
                expected.begin();
                self.flowing = true;
                self.pass(line);
            }
            _ => self.pass(line),
        }
        if last && !preliminary {
            self.outstanding.remove(at);
        }
    }

    /// The server has let the client in: it says so (230, 232), begins a transfer, or does what it does for nobody else.
    /// Some servers want no password (202), or no login at all.
    fn shows_login(&self, code: u16) -> bool {
        let inside = matches!(
            self.answered(),
            Some(Expected::Insider | Expected::Passive(_))
        );
        matches!(code, 125 | 150 | 230 | 232) || inside && (200..300).contains(&code)
    }

    /// The greeting of a server that the client named: the client has had ours already.
    fn hidden(&mut self, code: u16, last: bool, line: Vec<u8>) {
        if code >= 300 {
            self.pass(line);
        }
        if !last || code < 200 {
            return;
        }
        match self.take_answered() {
            Some(Expected::Hidden(Login::User(user))) if code < 300 => {
                self.ask(
                    [b"USER ", user.as_slice(), b"\r\n"].concat(),
                    Expected::Insider,
                );
            }
            Some(Expected::Hidden(Login::Site)) if code < 300 => {
                // NcFTP goes on after this code alone.
                self.own(b"220 Connected; log in.\r\n");
            }
            _ => {}
        }
    }

    /// TLS begins, in NAT mode. What waits was said in clear, and is dropped.
    fn become_opaque(&mut self) {
        self.opaque = true;
        self.from_client.clear();
        self.from_server.clear();
    }

    /// Our own words in place of the server's, to the command that is being answered.
    pub(super) fn answer(&mut self, reply: &[u8]) {
        self.take_answered();
        self.say(reply);
        self.give_own();
    }
}

/// Codes of a transfer; any other is for another command.
pub(super) fn may_end_transfer(code: u16) -> bool {
    matches!(code, 100..=199 | 226 | 250 | 421 | 425 | 426 | 450..=452 | 550..=559)
}

/// A line of the answer to FEAT names a command that is refused here: a client would only try it. A feature has a line
/// of its own, behind a blank (RFC 2389 §3.2); some servers repeat the code instead.
fn is_refused(terms: &Terms, line: &[u8]) -> bool {
    let Some(line) = line.strip_prefix(b"211-").or(line.strip_prefix(b" ")) else {
        return false;
    };
    let feature = verb(line.trim_ascii_start());
    // MLST's line is that of MLSD too, which has none (RFC 3659 §7.8).
    let denied = |verb: &[u8]| terms.permit.denied.has(verb);
    let denied = denied(&feature) || feature == b"MLST" && denied(b"MLSD");
    let encryption = matches!(feature.as_slice(), b"AUTH" | b"CCC" | b"PBSZ" | b"PROT");
    let encryption = encryption && terms.refuse_encryption();
    let epsv = feature == b"EPSV" && !terms.epsv && !terms.nat_mode;
    denied || encryption || epsv
}
