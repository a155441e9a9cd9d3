//! A 200 that comes before the 150 of its transfer. Some servers say both, and their clients wait for the 150 before they send
//! data (Python's ftplib). To other servers the 200 is the last word. So it is put aside until that shows.

use super::super::action::Note;
use super::super::line::body;
use super::Session;
use super::expected::{Data, Expected};
use super::server::may_end_transfer;

/// The line, while it is put aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Early {
    line: Option<Vec<u8>>,
    /// Nothing else is to be waited for.
    due: bool,
}

impl Session {
    /// Puts the reply aside, if it is such a 200.
    pub(super) fn puts_aside(&mut self, code: u16) -> bool {
        let waits = matches!(
            self.answered(),
            Some(Expected::Transfer { begun: false, .. })
        );
        let open = matches!(self.data, Data::READY | Data::Elsewhere | Data::None);
        let next = self.from_server.front().map(|line| line.bytes.as_slice());
        let single = next.is_some_and(|line| line.starts_with(b"200 "));
        if !(code == 200 && waits && open && single && self.answering == Some(0))
            || self.early.line.is_some()
        {
            return false;
        }
        if let Some(line) = self.from_server.pop() {
            self.note(Note::Reply(body(&line.bytes).to_vec()));
            self.early.line = Some(line.bytes);
        }
        self.flowing = true;
        true
    }

    /// A 200 is put aside. If no data connection has been made, it is told after a moment that none will be.
    pub(super) fn has_early(&self) -> bool {
        self.early.line.is_some()
    }

    /// No data connection shows what the 200 was: it was the last word.
    pub(super) fn early_is_due(&mut self) {
        self.early.due = self.early.line.is_some();
    }

    /// A reply has come after the 200: the transfer's own, which is the one that counts, or that of another command.
    pub(super) fn settle_early(&mut self, code: u16) {
        if may_end_transfer(code) || self.outstanding.len() < 2 {
            self.early = Early::default();
        } else {
            self.end_early();
        }
    }

    /// Gives the client the 200, if the data has been delivered or nothing else is to come.
    pub(super) fn early_is_final(&mut self) -> bool {
        let over = match self.outstanding.front() {
            Some(Expected::Transfer { direction, .. }) => {
                let data = matches!(self.data, Data::Ready { .. });
                data && !self.data.is_under_way(*direction) || matches!(self.data, Data::Failed(_))
            }
            _ => true,
        };
        (over || self.early.due) && self.end_early()
    }

    fn end_early(&mut self) -> bool {
        let Some(line) = std::mem::take(&mut self.early).line else {
            return false;
        };
        self.answering = (!self.outstanding.is_empty()).then_some(0);
        self.correct(200);
        self.end_of_line(200, true, line);
        true
    }
}
