//! What the parent does about the words of the child that waits for a client.

use nix::unistd::Pid;

use super::Parent;
use super::clients::Client;
use super::word::Heard;
use crate::error::Error;
use crate::log::Provoked;

impl Parent<'_> {
    /// What the child that waits has to say. After its last word, or its end, it is not heard any more.
    pub(super) fn hear(&mut self) -> Result<(), Error> {
        while let Some(word) = &mut self.word {
            match (word.next(), self.waiting) {
                (Heard::Nothing, _) => return Ok(()),
                (Heard::Takes(client), Some(child)) => {
                    self.taken = true;
                    if let Some(client) = client {
                        self.children.takes(child, client);
                    }
                }
                (Heard::Asks(client), Some(child)) => self.judge(child, client)?,
                (Heard::Goes, _) => self.make_another(),
                (Heard::Gone | Heard::Takes(_) | Heard::Asks(_), _) => self.word = None,
            }
        }
        Ok(())
    }

    /// The child that waited is heard no more, and needs another in its place.
    pub(super) fn make_another(&mut self) {
        self.waiting = None;
        self.word = None;
        self.taken = false;
    }

    /// Whether the child may serve a client that had no place left when the child was made.
    fn judge(&mut self, child: Pid, client: Client) -> Result<(), Error> {
        self.reap()?; // sessions that ended are not counted
        let sessions = self.children.sessions_of(client);
        let may = self.room.has_place(sessions);
        if may {
            self.taken = true;
            self.children.takes(child, client);
        } else {
            self.log.provoked(Provoked::Client, |log| {
                log.warning(format_args!(
                    "refused {client}: {sessions} sessions of this client already"
                ));
            });
        }
        if let Some(word) = &self.word {
            word.answer(may);
        }
        Ok(())
    }
}
