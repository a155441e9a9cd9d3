//! Bytes to lines, in bounded memory. A line ends at LF, as every FTP server reads it; where the bytes were cut
//! on their way makes no difference.

use std::collections::VecDeque;

use super::command::is_blank;

/// Longest control line that is taken unless the terms say otherwise, in bytes, line end included. RFC 959 sets no
/// bound; the ancestors' was 512, too short for the paths of today (docs/ancestors.md, D19).
pub const MAX_LINE: usize = 4096;

/// Longest command that a server gets unless the terms say otherwise, in bytes, line end included. GNU inetutils ftpd and
/// others of the BSD family read 511 bytes at a time and take what follows for the next command (the kind of
/// CVE-2008-4247). Of a line of 512 bytes at most its line end follows, which is no command.
pub const MAX_COMMAND: usize = 512;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The bytes with their line end, or nothing of a line that was too long. A piece that is not the last has no line end.
    pub(super) bytes: Vec<u8>,
    /// A piece of a long line, and not its first.
    pub(super) continues: bool,
    /// The line was longer than the bound, and was dropped up to its LF.
    pub(super) too_long: bool,
    /// A Telnet Synch came before the line's end.
    pub(super) synch: bool,
}

/// Assembles the lines of one peer.
///
/// Holds at most one unfinished line and the lines of what was last pushed: who pushes must stop while
/// [`Lines::is_empty`] is false.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// Longest line, in bytes.
    max: usize,
    /// What to do with a longer one: cut it, or drop it.
    cut: bool,
    partial: Vec<u8>,
    continues: bool,
    too_long: bool,
    synch: bool,
    at: At,
    whole: VecDeque<Line>,
}

/// Which part of a command the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// No byte of it has come, or only blanks.
    #[default]
    Start,
    Verb,
    Argument,
}

impl Lines {
    pub(super) fn of_at_most(max: usize) -> Self {
        Lines {
            max,
            cut: false,
            partial: Vec::new(),
            continues: false,
            too_long: false,
            synch: false,
            at: At::Start,
            whole: VecDeque::new(),
        }
    }

    /// The same, but a longer line comes in pieces of that many bytes.
    pub(super) fn in_pieces_of(max: usize) -> Self {
        Lines {
            cut: true,
            ..Lines::of_at_most(max)
        }
    }

    /// The next byte belongs to a command's argument.
    pub(super) fn is_in_argument(&self) -> bool {
        self.at == At::Argument
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.at = match (self.at, is_blank(byte)) {
            _ if byte == b'\n' => At::Start,
            (At::Start, false) => At::Verb,
            (At::Verb, true) => At::Argument,
            (at, _) => at,
        };
        if self.partial.len() < self.max {
            self.partial.push(byte);
        } else {
            self.too_long = true;
        }
        let full = self.cut && self.partial.len() == self.max;
        if full || byte == b'\n' {
            let mut bytes = std::mem::take(&mut self.partial);
            if self.too_long {
                bytes.clear();
            }
            let (too_long, synch) = (
                std::mem::take(&mut self.too_long),
                std::mem::take(&mut self.synch),
            );
            let continues = std::mem::replace(&mut self.continues, byte != b'\n');
            self.whole.push_back(Line {
                bytes,
                continues,
                too_long,
                synch,
            });
        }
    }

    /// Notes a Telnet Synch at this place of the stream.
    pub(super) fn synch(&mut self) {
        self.synch = true;
    }

    pub(super) fn front(&self) -> Option<&Line> {
        self.whole.front()
    }

    pub(super) fn pop(&mut self) -> Option<Line> {
        self.whole.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Lines {
            cut: self.cut,
            ..Lines::of_at_most(self.max)
        };
    }

    /// What came after the last LF; for the end of the stream.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }
}

/// The line without its LF and the CRs before it.
pub(super) fn body(line: &[u8]) -> &[u8] {
    let mut body = line.strip_suffix(b"\n").unwrap_or(line);
    while let Some(shorter) = body.strip_suffix(b"\r") {
        body = shorter;
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::of_at_most(MAX_LINE);
        input.iter().for_each(|&b| lines.push(b));
        std::iter::from_fn(|| lines.pop())
            .map(|l| (l.bytes, l.too_long))
            .collect()
    }

    #[test]
    fn lf_ends_a_line_with_or_without_cr() {
        assert_eq!(
            lines(b"A\r\nB\nC"),
            [(b"A\r\n".to_vec(), false), (b"B\n".to_vec(), false)]
        );
    }

    #[test]
    fn a_line_of_exactly_the_bound_is_whole_and_one_more_byte_is_not() {
        let mut line = vec![b'x'; MAX_LINE - 1];
        line.push(b'\n');
        assert_eq!(lines(&line), [(line.clone(), false)]);
        line.insert(0, b'x');
        line.extend(b"NOOP\n");
        assert_eq!(
            lines(&line),
            [(Vec::new(), true), (b"NOOP\n".to_vec(), false)]
        );
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_bound() {
        let mut lines = Lines::of_at_most(MAX_LINE);
        (0..10 * MAX_LINE).for_each(|_| lines.push(b'x'));
        assert_eq!(lines.take_rest().len(), MAX_LINE);
    }

    #[test]
    fn a_long_line_comes_in_pieces_where_it_is_cut() {
        let mut lines = Lines::in_pieces_of(4);
        b"abcdefghij\nabc\nabcd\nab"
            .iter()
            .for_each(|&b| lines.push(b));
        let pieces: Vec<_> = std::iter::from_fn(|| lines.pop())
            .map(|l| (String::from_utf8(l.bytes).unwrap(), l.continues))
            .collect();
        let expected = [
            ("abcd", false),
            ("efgh", true),
            ("ij\n", true),
            ("abc\n", false),
            ("abcd", false),
            ("\n", true),
        ];
        assert!(
            pieces.iter().map(|(p, c)| (p.as_str(), *c)).eq(expected),
            "{pieces:?}"
        );
        assert_eq!(lines.take_rest(), b"ab");
    }

    #[test]
    fn the_body_has_no_line_end() {
        assert_eq!(body(b"A \r\r\n"), b"A ");
        assert_eq!(body(b"A"), b"A");
    }
}
