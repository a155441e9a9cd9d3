//! An empty conduit, kept for who needs one next.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::conduit::Conduit;

/// How long it outlives the data connection. Files that follow one another find it still; a session that only idles has none
/// of the memory for pipes, which all sessions of a user share (pipe(7), pipe-user-pages-soft).
const KEPT: Duration = Duration::from_secs(1);

/// One conduit at most, without a byte in it.
#[derive(Debug, Default)]
pub(super) struct Spare {
    conduit: Option<Conduit>,
    until: Option<Instant>,
}

impl Spare {
    /// Sees to it that there is one, from before the first byte: a data connection without it is none.
    ///
    /// # Errors
    /// As [`Conduit::new`].
    pub(super) fn provide(&mut self) -> io::Result<()> {
        if self.conduit.is_none() {
            self.conduit = Some(Conduit::new()?);
        }
        self.until = None;
        Ok(())
    }

    /// The one that is kept, or a new one.
    ///
    /// # Errors
    /// As [`Conduit::new`].
    pub(super) fn take(&mut self) -> io::Result<Conduit> {
        self.conduit.take().map_or_else(Conduit::new, Ok)
    }

    /// Takes it back. In one that is not empty the next file would begin with this one's bytes: such a one is closed.
    pub(super) fn keep(&mut self, conduit: Conduit) {
        if conduit.pending() == 0 {
            self.conduit = Some(conduit);
        }
    }

    pub(super) fn is_wide(&self) -> bool {
        self.conduit.as_ref().is_some_and(Conduit::is_wide)
    }

    pub(super) fn narrow(&mut self) {
        if let Some(conduit) = &mut self.conduit {
            conduit.narrow();
        }
    }

    /// The data connection is over; another may follow.
    pub(super) fn rest(&mut self, now: Instant) {
        self.until = self.conduit.is_some().then(|| now + KEPT);
    }

    /// When it is kept no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Closes it when nobody has wanted it for so long.
    pub(super) fn turn(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            *self = Spare::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::Shutdown;

    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::datapath::pump::Pump;

    /// What the peer has, and what the pump has.
    fn pair() -> (Socket, Socket) {
        let (peer, ours) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        (peer, ours)
    }

    /// A pump that has taken a secret which its sink does not take; and who keeps all that from ending.
    fn stuck(spare: &mut Spare) -> (Pump, Vec<Socket>) {
        let (mut writer, from) = pair();
        let (reader, mut to) = pair();
        while to.write(&[0; 4096]).is_ok() {}
        writer.write_all(b"secret").unwrap();
        let mut pump = Pump::default();
        pump.turn(&from, &to, spare).unwrap();
        assert!(pump.wants_to_write());
        (pump, vec![writer, from, reader, to])
    }

    #[track_caller]
    fn the_next_file_is_whole(spare: &mut Spare) {
        let (mut writer, from) = pair();
        let (mut reader, to) = pair();
        writer.write_all(b"another").unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
        let mut pump = Pump::default();
        pump.turn(&from, &to, spare).unwrap();
        assert!(pump.is_finished());
        let mut file = Vec::new();
        reader.read_to_end(&mut file).unwrap();
        assert_eq!(file, b"another");
    }

    #[test]
    fn what_a_transfer_that_was_cut_had_taken_is_in_no_other_file() {
        let mut spare = Spare::default();
        spare.provide().unwrap();
        drop(stuck(&mut spare));
        assert!(spare.conduit.is_none());
        the_next_file_is_whole(&mut spare);
    }

    #[test]
    fn what_a_transfer_that_broke_had_taken_is_in_no_other_file() {
        let mut spare = Spare::default();
        spare.provide().unwrap();
        let (mut writer, from) = pair();
        let (reader, to) = pair();
        drop(reader);
        writer.write_all(b"secret").unwrap();
        Pump::default().turn(&from, &to, &mut spare).unwrap_err();
        assert!(spare.conduit.is_none());
        the_next_file_is_whole(&mut spare);
    }

    #[test]
    fn a_transfer_beside_one_that_is_stuck_has_a_conduit_of_its_own() {
        let mut spare = Spare::default();
        spare.provide().unwrap();
        let held = stuck(&mut spare);
        the_next_file_is_whole(&mut spare);
        assert!(held.0.wants_to_write());
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "any moment will do, and only the clock makes one"
    )]
    fn one_that_is_empty_serves_the_next_file_and_is_closed_after_a_while() {
        let mut spare = Spare::default();
        spare.provide().unwrap();
        the_next_file_is_whole(&mut spare);
        assert!(spare.conduit.is_some());
        let now = Instant::now();
        spare.rest(now);
        spare.turn(now);
        assert!(spare.conduit.is_some());
        spare.turn(spare.deadline().unwrap());
        assert!(spare.conduit.is_none() && spare.deadline().is_none());
    }
}
