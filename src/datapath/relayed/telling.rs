//! Telling a server that waits for a client who has not come.

use std::time::Instant;

use super::{Relayed, State};
use crate::ftp::{DataEnd, DataPlan};

impl Relayed<'_> {
    /// Nobody came: the server of a passive connection is told so by a reset, without which it would wait on.
    pub(super) fn tell_server(&mut self, plan: DataPlan, now: Instant) -> DataEnd {
        match plan {
            DataPlan::Active { .. } => DataEnd::Unopened,
            DataPlan::Passive { .. } => {
                // If it cannot be told it waits, and hears nothing from the client meanwhile.
                if let Ok(server) = self.dial(plan) {
                    self.state = State::Telling {
                        server,
                        deadline: now + self.connect,
                    };
                }
                DataEnd::ClientUnreachable
            }
        }
    }
}
