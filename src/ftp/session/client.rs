//! The client's half: what a command means here, and what the server gets to see of it.

use super::super::Side;
use super::super::action::{Action, End, Note};
use super::super::command::{Command, loggable, synonym, verb};
use super::super::line::{Line, body};
use super::super::telnet::{DM, IAC, IP, telnet_eats_end};
use super::Session;
use super::expected::Expected;

/// What a client hears of a line that is longer than a bound.
const TOO_LONG: &[u8] = b"500 Line too long.\r\n";

/// A Synch as BSD's ftp(1) sends it. The third byte is urgent.
const SYNCH: [u8; 4] = [IAC, IP, IAC, DM];

impl Session {
    /// Acts on the next line from the client; `false` if there is none that may be acted on now.
    pub(super) fn take_command(&mut self) -> bool {
        if self.from_client.is_empty() {
            return false;
        }
        self.end_reply_if_perhaps_over();
        let Some(line) = self.from_client.front() else {
            return false;
        };
        let sets_up = Command::parse(body(&line.bytes)).sets_up_data();
        let busy = self.outstanding.iter().any(|e| match e {
            // What comes next depends on the answer: nothing must get ahead.
            Expected::Passive(_) | Expected::Hidden(_) | Expected::Auth => true,
            // Pure-FTPd throws away what came behind ABOR, and its reply would be missed.
            Expected::Abor { given_up } => !given_up,
            // A new data connection takes the place of the old one: not while that one is in use, or not yet agreed on.
            Expected::Transfer { .. } | Expected::Active => sets_up,
            _ => false,
        });
        if busy {
            return false;
        }
        let most = self.terms.max_outstanding;
        if self.outstanding.len() >= most {
            let told = std::mem::replace(&mut self.crowded, true);
            if !told {
                self.note(Note::Crowded(most));
            }
            return !told;
        }
        if let Some(line) = self.from_client.pop() {
            self.command(&line);
        }
        true
    }

    fn command(&mut self, line: &Line) {
        let text = body(&line.bytes);
        self.unasked.in_row = 0;
        self.note(Note::Command(loggable(text)));
        if self.shows_out_balancer(text) {
            return;
        }
        if let Some((why, reply)) = unreadable(line, text, self.terms.max_command) {
            return self.refuse(why, text, reply);
        }
        let command = Command::parse(text);
        if command == Command::Foreign {
            return self.show_out(text);
        }
        if self.is_denied(&verb(text)) {
            return self.deny(text);
        }
        if self.server.is_none() {
            return self.choose(&command, text);
        }
        if line.synch {
            self.send_synch();
        }
        match command {
            command @ (Command::User(_) | Command::Pass | Command::Account | Command::Open(_)) => {
                self.log_in(&command, line);
            }
            command
                if self.epsv_all
                    && command.sets_up_data()
                    && !matches!(command, Command::Epsv(_)) =>
            {
                self.refuse(
                    "after EPSV ALL",
                    text,
                    b"501 EPSV ALL is in force: only EPSV is possible.\r\n",
                );
            }
            Command::Port(argument) => self.active(false, argument.map(|a| a.0.into()), text),
            Command::Eprt(argument) => self.eprt(argument, text),
            Command::Pasv => self.pasv(line),
            Command::Epsv(asked) => self.epsv(asked, line),
            Command::Long => {
                self.refuse(
                    "LPRT and LPSV are not supported",
                    text,
                    b"502 Not supported; use EPRT or EPSV.\r\n",
                );
            }
            Command::Auth | Command::Protected if self.terms.refuse_encryption() => {
                self.refuse_encryption(text);
            }
            Command::Algs(asked) if self.is_between_families() && !self.terms.nat_mode => {
                self.algs(asked);
            }
            Command::Empty => self.own(b"500 No command.\r\n"),
            command => self.hand_on(&command, line),
        }
    }

    /// A command that passes as it is.
    fn hand_on(&mut self, command: &Command<'_>, line: &Line) {
        if *command == Command::Rein && self.transfer().is_none() {
            self.discard();
        }
        // A connection that stayed open carries nothing before the client is told of the next transfer.
        self.flowing &= !(self.keeps_open && matches!(command, Command::Transfer(_)));
        self.ask(line.bytes.clone(), Expected::answer_to(command));
    }

    /// Whichever byte a server takes for the urgent one, a command remains.
    fn send_synch(&mut self) {
        let (urgent, mark) = SYNCH.split_at(3);
        let mark = Action::Send(Side::Server, mark.to_vec());
        self.actions
            .push_back(Action::Urgent(Side::Server, urgent.to_vec()));
        self.actions.push_back(mark);
    }

    fn refuse_encryption(&mut self, text: &[u8]) {
        let (why, reply): (_, &[u8]) = if self.terms.nat_mode {
            // RFC 2228 §5.3: the request is denied for policy reasons.
            (
                "encryption would hide the commands",
                b"534 Encryption is not allowed here, commands are checked.\r\n",
            )
        } else {
            (
                "encryption would hide the addresses",
                b"502 Encryption is not possible through this proxy.\r\n",
            )
        };
        self.refuse(why, text, reply);
    }

    fn is_denied(&self, verb: &[u8]) -> bool {
        let denied = &self.terms.permit.denied;
        denied.has(verb) || synonym(verb).is_some_and(|verb| denied.has(verb))
    }

    fn deny(&mut self, text: &[u8]) {
        let verb = verb(text);
        let code = if lacks_502(&verb) { 500 } else { 502 };
        let verb = String::from_utf8_lossy(&verb);
        let reply = format!("{code} {verb} is not allowed here.\r\n");
        self.refuse("denied", text, reply.as_bytes());
    }

    /// Ends the session before any line that follows can be taken for a command.
    fn show_out(&mut self, text: &[u8]) {
        self.note(Note::Refused("no FTP", loggable(text)));
        self.say(b"421 This is FTP.\r\n");
        self.end(End::Foreign);
    }

    pub(super) fn ask(&mut self, line: Vec<u8>, expected: Expected) {
        self.notice_asked(&line, &expected);
        self.outstanding.push_back(expected);
        self.actions.push_back(Action::Send(Side::Server, line));
    }

    pub(super) fn refuse(&mut self, why: &'static str, text: &[u8], reply: &[u8]) {
        self.note(Note::Refused(why, loggable(text)));
        self.own(reply);
    }
}

/// Why a line can be no command, and what the client hears of it. `most`: bytes that the server may get.
fn unreadable(line: &Line, text: &[u8], most: usize) -> Option<(&'static str, &'static [u8])> {
    if line.too_long {
        return Some(("line too long", TOO_LONG));
    }
    // A server that knows no Telnet counts the Synch as part of the line.
    let synch = if line.synch { SYNCH.len() } else { 0 };
    if line.bytes.len() + synch > most {
        return Some(("longer than --max-command", TOO_LONG));
    }
    if text.iter().any(|b| matches!(b, 0 | b'\r')) {
        let reply = b"500 Commands may hold no NUL and no bare CR.\r\n";
        return Some(("NUL or bare CR", reply));
    }
    // Servers of the BSD family read Telnet in the whole line, others keep the bytes: neither shall see a command, or a line
    // without its end, where we saw something else.
    if verb(text).contains(&IAC) || telnet_eats_end(&line.bytes) {
        let reply = b"500 No command has a byte of 255 there.\r\n";
        return Some(("byte 255 in the verb or before the end", reply));
    }
    None
}

/// Verbs that may not be answered with 502 (RFC 959 §5.4; for EPRT RFC 2428 §2 has it as for PORT).
fn lacks_502(verb: &[u8]) -> bool {
    matches!(
        verb,
        b"ACCT"
            | b"ALLO"
            | b"EPRT"
            | b"MODE"
            | b"NOOP"
            | b"PORT"
            | b"RETR"
            | b"SITE"
            | b"STOR"
            | b"STOU"
            | b"STRU"
            | b"TYPE"
    )
}
