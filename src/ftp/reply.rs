//! Where a line stands in the server's replies (RFC 959 §4.2).

use super::telnet::without_commands;

/// The place of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Belongs to no reply: outside of one, without three digits.
    Stray,
    /// Outside of a reply, with a fourth digit behind three: a reply to some clients (Python's ftplib), and none to others.
    Ambiguous,
    /// First line of a reply of several lines.
    Begins(u16),
    /// Within such a reply; such a line may begin with anything, other codes included.
    Within(u16),
    /// The last or only line of a reply.
    Ends(u16),
}

/// Follows the replies of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Replies {
    open: Option<u16>,
    /// Some clients have seen the end of the open reply.
    perhaps_over: bool,
    /// The place of a long line whose end has not come.
    tail: Option<Place>,
}

impl Replies {
    /// Takes the next line, without its line end, or a piece of it. Only the piece that `ends` its line can end a reply.
    pub(super) fn place(&mut self, body: &[u8], ends: bool) -> Place {
        let place = self.tail.take().unwrap_or_else(|| self.read(body));
        if ends {
            return place;
        }
        self.tail = Some(match place {
            Place::Begins(code) => Place::Within(code),
            place => place,
        });
        match place {
            Place::Ends(code) => Place::Within(code),
            place => place,
        }
    }

    /// The line under way is the last of its reply: what is still to come of it counts no more. `false`: it is not.
    pub(super) fn end_within_line(&mut self) -> bool {
        let ends = matches!(self.tail, Some(Place::Ends(_)));
        if ends {
            self.skip_tail();
        }
        ends
    }

    /// The rest of the line under way is none of the client's.
    pub(super) fn skip_tail(&mut self) {
        self.tail = self.tail.map(|_| Place::Ambiguous);
    }

    fn read(&mut self, body: &[u8]) -> Place {
        // A server answers Telnet offers where it stands, and some clients read Telnet within a code.
        let body = &*without_commands(body);
        let code = code(body);
        let mark = body.get(3);
        match (self.open, code) {
            (Some(open), Some(code)) if code == open && mark == Some(&b' ') => {
                self.open = None;
                Place::Ends(open)
            }
            (Some(open), code) => {
                // The bare code: Python's ftplib, tnftp and ncftp take it for the end.
                self.perhaps_over |= code == Some(open) && mark != Some(&b'-');
                Place::Within(open)
            }
            (None, Some(code)) if mark == Some(&b'-') => {
                (self.open, self.perhaps_over) = (Some(code), false);
                Place::Begins(code)
            }
            (None, Some(_)) if mark.is_some_and(u8::is_ascii_digit) => Place::Ambiguous,
            // A code without text is sent by real servers (docs/ancestors.md, D33). Behind a tab, or whatever else is no
            // digit, some clients see the reply that others see behind a blank.
            (None, Some(code)) => Place::Ends(code),
            (None, None) => Place::Stray,
        }
    }

    /// The code of the reply that this line would begin, if it begins one.
    pub(super) fn opens(&self, body: &[u8]) -> Option<u16> {
        let body = &*without_commands(body);
        let begins = !body.get(3).is_some_and(u8::is_ascii_digit);
        code(body).filter(|_| begins && !self.is_open())
    }

    /// Ends the open reply if some clients have seen its end; its code.
    pub(super) fn end_if_perhaps_over(&mut self) -> Option<u16> {
        self.open
            .take_if(|_| self.perhaps_over && self.tail.is_none())
    }

    /// A reply has begun and not ended, or a line.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some() || self.tail.is_some()
    }

    /// Our own words would cut what the client gets now. `asked`: it gets the reply under way.
    pub(super) fn is_passing(&self, asked: bool) -> bool {
        match self.tail {
            Some(Place::Stray) => true,
            Some(Place::Ambiguous) => false,
            _ => self.is_open() && asked,
        }
    }
}

/// The three digits at the start of the line, the first of them 1 to 6 (RFC 959 §4.2.1, RFC 2228 §6.1).
fn code(body: &[u8]) -> Option<u16> {
    let digits = body.get(..3)?;
    let plain = matches!(digits[0], b'1'..=b'6') && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| {
        digits
            .iter()
            .fold(0, |code, d| code * 10 + u16::from(d - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_code_and_a_blank_end_a_reply() {
        let mut replies = Replies::default();
        let mut places = |lines: &[&str]| {
            lines
                .iter()
                .map(|l| replies.place(l.as_bytes(), true))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            places(&[
                "220-hi",
                "200 files here",
                "220-more",
                "220",
                "free text",
                "220 end",
                "220",
                "hello",
                "22 x",
                "2200 x",
                "220\tx",
                "220=",
            ]),
            [
                Place::Begins(220),
                Place::Within(220),
                Place::Within(220),
                Place::Within(220),
                Place::Within(220),
                Place::Ends(220),
                Place::Ends(220),
                Place::Stray,
                Place::Stray,
                Place::Ambiguous,
                Place::Ends(220),
                Place::Ends(220),
            ]
        );
    }
}
