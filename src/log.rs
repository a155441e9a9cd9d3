//! The log: syslog's daemon facility, the terminal as well when somebody watches, or standard error instead of both.
//!
//! Under inetd descriptors 1 and 2 are the client, so syslog is the only way to say anything to the operator. A syslogd
//! that is absent, full or restarting costs lines, never a session, and so does a pipe that nobody empties: nothing here
//! fails, and nothing here waits but for a person who has stopped the terminal.

#![forbid(unsafe_code)]

mod provoked;
mod stderr;

use std::cell::{Cell, RefCell};
use std::fmt::{self, Arguments, Write as _};
use std::io;
use std::net::SocketAddr;
use std::panic::PanicHookInfo;
use std::process;
use std::sync::Mutex;
use std::time::Instant;

use nix::errno::Errno;
use syslog::Severity;

use crate::error::Error;
use crate::sys::syslogd::Syslogd;
use provoked::Counts;
pub use provoked::Provoked;
use stderr::Stderr;
pub use stderr::may_be_the_client;

/// Longest text of one line, in bytes. RFC 3164 §4.1 promises 1024 for the whole packet.
const MAX_TEXT: usize = 1000;

/// Lines dropped between two tries to reach a syslogd that is absent.
const LINES_BETWEEN_TRIES: u32 = 16;

/// Where lines go. With the latter two the caller must know that descriptor 2 is not the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To syslogd.
    Syslog,
    /// To syslogd, and to a person who watches.
    SyslogAndStderr,
    /// To whatever collects them from standard error, and nowhere else.
    Stderr,
}

/// Where the lines go, and which. One for each process; after a fork see [`Log::after_fork`].
pub struct Log {
    debug: u8,
    verbose: bool,
    to: To,
    pid: Cell<u32>,
    /// Whose session this process has.
    client: RefCell<Option<String>>,
    provoked: Counts,
    stderr: Option<RefCell<Stderr>>,
    syslog: Option<RefCell<Syslog>>,
}

impl Log {
    /// Opens the log. `debug` is the highest level that [`Log::debug`] writes, 0 for none.
    #[must_use]
    pub fn open(debug: u8, verbose: bool, to: To) -> Log {
        let stderr = (to != To::Syslog).then(Stderr::open).flatten();
        let syslog = (to != To::Stderr).then(Syslog::open);
        Log {
            debug,
            verbose,
            to,
            pid: Cell::new(process::id()),
            client: RefCell::default(),
            provoked: Counts::default(),
            stderr: stderr.map(RefCell::new),
            syslog: syslog.map(RefCell::new),
        }
    }

    /// LOG_ERR: the session or the program ends by a fault on our side.
    pub fn error(&self, text: Arguments<'_>) {
        self.write(Severity::LOG_ERR, text);
    }

    /// LOG_WARNING: something was refused or failed that the operator should look at.
    pub fn warning(&self, text: Arguments<'_>) {
        self.write(Severity::LOG_WARNING, text);
    }

    /// LOG_NOTICE: rare and normal.
    pub fn notice(&self, text: Arguments<'_>) {
        self.write(Severity::LOG_NOTICE, text);
    }

    /// LOG_INFO: the life of a session.
    pub fn info(&self, text: Arguments<'_>) {
        self.write(Severity::LOG_INFO, text);
    }

    /// Why the process ends: LOG_ERR if the operator has something to mend, else LOG_NOTICE. The error to end with says no more.
    #[must_use]
    pub fn fault(&self, error: &Error) -> Error {
        match error {
            Error::Logged(_) => {}
            ours if ours.is_ours() => self.error(format_args!("{error}")),
            _ => self.notice(format_args!("{error}")),
        }
        Error::Logged(error.exit_code())
    }

    /// LOG_DEBUG, if `level` (1 to 3) is at most `-D`.
    pub fn debug(&self, level: u8, text: Arguments<'_>) {
        if level <= self.debug {
            self.write(Severity::LOG_DEBUG, text);
        }
    }

    /// A line that a peer can provoke as often as it likes. `write` writes it, and is called for the first few of its kind.
    pub fn provoked(&self, kind: Provoked, write: impl FnOnce(&Log)) {
        let verdict = self.provoked.add(kind, now());
        if let Some(sum) = verdict.sum {
            self.warning(format_args!("{sum}"));
        }
        if verdict.line {
            write(self);
        }
        if let Some(notice) = verdict.notice {
            self.warning(format_args!("{notice}"));
        }
    }

    /// Says how many lines of each kind were not written. To be called when a process ends.
    pub fn provoked_sums(&self) {
        for sum in self.provoked.sums() {
            self.warning(format_args!("{sum}"));
        }
    }

    /// From now on each line says whose session it is about.
    pub fn set_client(&self, client: SocketAddr) {
        *self.client.borrow_mut() = Some(client.to_string());
    }

    /// Whether commands and replies are to be logged (`-V`).
    #[must_use]
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Whether lines go into a file, which grows by them.
    #[must_use]
    pub fn is_a_file(&self) -> bool {
        let stderr = self.stderr.as_ref();
        stderr.is_some_and(|stderr| stderr.borrow().is_a_file())
    }

    /// Whether descriptor 2 belongs to the log.
    #[must_use]
    pub fn is_on_stderr(&self) -> bool {
        self.stderr.is_some()
    }

    /// In a forked child, first thing: its lines carry its own process id.
    pub fn after_fork(&self) {
        self.pid.set(process::id());
        self.provoked.clear();
        if let Some(syslog) = &self.syslog {
            *syslog.borrow_mut() = Syslog::open();
        }
    }

    /// Whether lines are taken, and will be when a syslogd has been started anew, by means that a process has in its cage.
    pub(crate) fn is_lasting(&self) -> bool {
        self.syslog.as_ref().is_none_or(|syslog| {
            let syslogd = &syslog.borrow().syslogd;
            syslogd.as_ref().is_some_and(Syslogd::can_be_found_again)
        })
    }

    /// From now on lines go by the socket that there is or nowhere, the line of a panic too: in a cage the attempt to make
    /// another may end the process.
    pub(crate) fn seek_no_more(&self) {
        let Some(syslog) = &self.syslog else {
            return;
        };
        let mut syslog = syslog.borrow_mut();
        syslog.seeking = false;
        let last = syslog.syslogd.as_ref().and_then(Syslogd::another);
        let last = Mutex::new(last);
        on_panic(move |text| {
            let last = last.try_lock();
            if let Some(syslogd) = last.ok().as_mut().and_then(|last| last.as_mut()) {
                let _ = syslogd.send(Severity::LOG_ERR, text); // no other place to say it
            }
        });
    }

    /// A second log with the same settings, for a process whose descriptors are not its parent's.
    #[must_use]
    pub fn another(&self) -> Log {
        let mut another = Log::open(self.debug, self.verbose, self.to);
        another.client.clone_from(&self.client);
        another
    }

    fn write(&self, severity: Severity, text: Arguments<'_>) {
        let mut text = without_codes(&text.to_string());
        if let Some(client) = &*self.client.borrow() {
            if !text.contains(client) {
                text = format!("{client}: {text}");
            }
        }
        let text = line(&text);
        if let Some(stderr) = &self.stderr {
            let pid = self.pid.get();
            stderr
                .borrow_mut()
                .line(&format!("ftp-proxy[{pid}]: {text}"));
        }
        if let Some(syslog) = &self.syslog {
            syslog.borrow_mut().send(severity, &text);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "lines come from everywhere, and those of a peer are counted by the minute"
)]
fn now() -> Instant {
    Instant::now()
}

/// Whether there is a syslogd that takes lines.
#[must_use]
pub fn has_syslogd() -> bool {
    Syslogd::connect(process::id()).is_some()
}

/// Panics go where the log goes: to syslog, unless it is known that standard error is not the client. The message is left
/// out unless it is a constant of the program: one made up at run time may quote what a peer sent, a password included.
pub fn install_panic_hook(to: To) {
    on_panic(move |text| {
        if to == To::Stderr {
            stderr::last_words(&format!("ftp-proxy[{}]: {text}", process::id()));
        } else {
            Syslog::open().send(Severity::LOG_ERR, text);
        }
    });
}

/// Has `tell` take the line of each panic.
fn on_panic(tell: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let what = info
            .payload()
            .downcast_ref::<&'static str>()
            .unwrap_or(&"(message withheld)");
        let text = match info.location() {
            Some(place) => format!("panicked at {place}: {what}"),
            None => format!("panicked: {what}"),
        };
        tell(&line(&text));
    }));
}

/// Bytes from a peer, fit for a log line: `\r`, `\n`, `\t`, `\\`, and `\ooo` for each byte of other control characters
/// and of whatever is no UTF-8. Printable UTF-8 stays as it is.
#[must_use]
pub fn escaped(bytes: &[u8]) -> impl fmt::Display + '_ {
    Escaped {
        bytes,
        backslash: true,
    }
}

/// The same in quotes, which end where the bytes do: no name can be taken for what a line says behind it. At most `most` bytes
/// are shown.
#[must_use]
pub fn quoted(bytes: &[u8], most: usize) -> String {
    let mut text = escaped(bytes).to_string().replace('"', "\\\"");
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    format!("\"{text}\"")
}

struct Escaped<'a> {
    bytes: &'a [u8],
    /// Whether a backslash is doubled; not in a finished line, where it may be an escape already.
    backslash: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\r' => f.write_str("\\r")?,
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    '\\' if self.backslash => f.write_str("\\\\")?,
                    _ if deceptive(character) => {
                        octal(f, character.encode_utf8(&mut [0; 4]).as_bytes())?;
                    }
                    _ => f.write_char(character)?,
                }
            }
            octal(f, chunk.invalid())?;
        }
        Ok(())
    }
}

fn octal(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\{byte:03o}"))
}

/// Control characters (C0, DEL, C1), and those that turn or hide the text around them on a terminal: a forged line
/// needs no more than a right-to-left override.
fn deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text without the number that [`io::Error`] puts behind what it says, as in ` (os error 13)`: the words say it.
fn without_codes(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once(" (os error ") {
        plain.push_str(before);
        let behind = after.trim_start_matches(|c: char| c.is_ascii_digit());
        match behind.strip_prefix(')') {
            Some(behind) if !after.starts_with(')') => rest = behind,
            _ => {
                plain.push_str(" (os error ");
                rest = after;
            }
        }
    }
    plain + rest
}

/// The text as it leaves: nothing in it that a terminal or syslogd would obey, at most [`MAX_TEXT`] bytes.
fn line(text: &str) -> String {
    let mut line = Escaped {
        bytes: text.as_bytes(),
        backslash: false,
    }
    .to_string();
    if line.len() > MAX_TEXT {
        // A character has at most four bytes, so one of these four places is a boundary.
        let end = (MAX_TEXT - 3..=MAX_TEXT)
            .rev()
            .find(|at| line.is_char_boundary(*at));
        line.truncate(end.unwrap_or(0));
    }
    line
}

/// The connection to syslogd, and the patience with it.
struct Syslog {
    pid: u32,
    syslogd: Option<Syslogd>,
    /// Whether one that is not there may be looked for by a new socket.
    seeking: bool,
    /// It has gone, and was not found again.
    gone: bool,
    /// Lines lost since syslogd was last looked for.
    lost: u32,
}

impl Syslog {
    fn open() -> Syslog {
        let pid = process::id();
        Syslog {
            pid,
            syslogd: Syslogd::connect(pid),
            seeking: true,
            gone: false,
            lost: 0,
        }
    }

    fn send(&mut self, severity: Severity, text: &str) {
        if self.syslogd.is_none() || self.gone {
            self.lost += 1;
            if self.lost < LINES_BETWEEN_TRIES {
                return;
            }
            self.lost = 0;
        }
        // Twice, for a syslogd that was restarted leaves us with a dead socket.
        for _ in 0..2 {
            if self.syslogd.is_none() && self.seeking {
                self.syslogd = Syslogd::connect(self.pid);
            }
            let Some(syslogd) = &mut self.syslogd else {
                return;
            };
            match syslogd.send(severity, text) {
                Err(error) if is_full(&error) => return, // this line is lost
                Err(_) if self.seeking => self.syslogd = None,
                Err(_) => self.gone = !syslogd.find_again(),
                Ok(()) => return,
            }
        }
    }
}

/// The BSDs say ENOBUFS of a datagram socket whose reader is busy.
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_and_what_is_no_utf8_are_escaped() {
        let text = escaped(b"a\r\nb\t\\\x1b[2J\x7f\xff \xc3\xa9 \xc2\x85").to_string();
        assert_eq!(text, "a\\r\\nb\\t\\\\\\033[2J\\177\\377 \u{e9} \\302\\205");
        assert_eq!(
            escaped("a\u{202e}b".as_bytes()).to_string(),
            "a\\342\\200\\256b"
        );
    }

    #[test]
    fn no_line_shows_the_number_of_an_error() {
        for (text, plain) in [
            (
                "x: no route (os error 113); trying another",
                "x: no route; trying another",
            ),
            ("a (os error 1) b (os error 22)", "a b"),
            (
                "a (os error ) b (os error x) (os error 1",
                "a (os error ) b (os error x) (os error 1",
            ),
        ] {
            assert_eq!(without_codes(text), plain);
        }
        let error = io::Error::from_raw_os_error(13).to_string();
        assert!(error.ends_with(" (os error 13)"), "{error}");
        assert!(!without_codes(&error).contains("os error"));
    }

    #[test]
    fn a_line_is_escaped_as_a_whole_without_doubling() {
        assert_eq!(line("client: a\\r\u{1b}\n"), "client: a\\r\\033\\n");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        for start in 0..4 {
            let text = line(&("x".repeat(start) + &"\u{1f600}".repeat(400)));
            assert!((997..=1000).contains(&text.len()) && text.ends_with('\u{1f600}'));
        }
        assert_eq!(line(&"\u{1}".repeat(1000)).len(), 1000);
    }

    #[test]
    fn a_full_socket_is_known_by_each_systems_word_for_it() {
        for full in [Errno::EAGAIN, Errno::ENOBUFS] {
            assert!(is_full(&full.into()), "{full}");
        }
        assert!(!is_full(&Errno::ECONNREFUSED.into()));
    }

    #[test]
    fn debug_output_obeys_its_level_and_an_absent_syslogd_costs_nothing() {
        let log = Log::open(1, true, To::Syslog);
        for _ in 0..1000 {
            log.debug(1, format_args!("seen"));
            log.debug(2, format_args!("not made"));
        }
        assert!(log.verbose());
    }
}
