//! Carrying bytes, until both ends are delivered or it breaks.

use std::time::Instant;

use super::{Relayed, State};
use crate::datapath::carriage::Carriage;
use crate::datapath::{Ready, Report};
use crate::ftp::{DataEnd, Side};

impl Relayed<'_> {
    pub(super) fn carry(
        &mut self,
        ready: &Ready,
        flow: bool,
        now: Instant,
        ends: &mut Vec<DataEnd>,
    ) -> bool {
        let State::Carrying(carriage) = &mut self.state else {
            return false;
        };
        let done = |c: &Carriage| (c.to_client.is_finished(), c.to_server.is_finished());
        let before = done(carriage);
        let turned = carriage.turn(ready, flow, &mut self.spare);
        let after = done(carriage);
        if after.0 && !before.0 {
            ends.push(DataEnd::Delivered(Side::Client));
        }
        if after.1 && !before.1 {
            ends.push(DataEnd::Delivered(Side::Server));
        }
        // What broke after an end was delivered takes nothing back.
        let moved = match turned {
            Ok(moved) => moved,
            Err(how) => {
                carriage.reset();
                self.conclude(now, &how);
                ends.push(DataEnd::Broken);
                return true;
            }
        };
        if after == (true, true) {
            self.conclude(now, "complete");
        }
        moved
    }

    /// Reports and counts the transfer that is over, however it ended, and closes its sockets.
    pub(super) fn conclude(&mut self, now: Instant, how: &str) {
        if let State::Carrying(carriage) = std::mem::replace(&mut self.state, State::Idle) {
            let (to_client, to_server) = (carriage.to_client.bytes(), carriage.to_server.bytes());
            self.totals.to_client += to_client;
            self.totals.to_server += to_server;
            self.spare.rest(now);
            let (side, bytes) = match (to_client, to_server) {
                (0, bytes @ 1..) => (Side::Server, bytes),
                (bytes, _) => (Side::Client, bytes),
            };
            self.reports.push(Report {
                to: side,
                bytes,
                time: now.saturating_duration_since(carriage.since),
                how: how.to_owned(),
            });
        }
    }
}
