//! What happened, and what should not have.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::common::now;

/// Of what went wrong so many are told; the rest is counted.
const TOLD: usize = 20;

pub struct Tally {
    begun: Instant,
    time: Duration,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    sessions: u64,
    transfers: BTreeMap<&'static str, u64>,
    bytes: u64,
    kills: u64,
    /// Sessions that ended without having been asked to.
    lost: u64,
    wrong: Vec<String>,
}

impl Tally {
    pub fn new(time: Duration) -> Tally {
        Tally {
            begun: now(),
            time,
            counts: Mutex::default(),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn is_over(&self) -> bool {
        self.elapsed() >= self.time
    }

    pub fn began(&self) {
        self.counts.lock().unwrap().sessions += 1;
    }

    /// A transfer came to this end.
    pub fn transferred(&self, how: &'static str, bytes: u64) {
        let mut counts = self.counts.lock().unwrap();
        *counts.transfers.entry(how).or_default() += 1;
        counts.bytes += bytes;
    }

    pub fn killed(&self) {
        self.counts.lock().unwrap().kills += 1;
    }

    pub fn lost(&self) {
        self.counts.lock().unwrap().lost += 1;
    }

    pub fn wrong(&self, what: String) {
        self.counts.lock().unwrap().wrong.push(what);
    }

    /// Each killed session is one that a client lost, and there is no other.
    pub fn verdict(&self) -> Result<(), String> {
        let counts = self.counts.lock().unwrap();
        if let Some(first) = counts.wrong.first() {
            return Err(first.clone());
        }
        if counts.lost > counts.kills {
            return Err(format!(
                "{} sessions were killed and {} lost",
                counts.kills, counts.lost
            ));
        }
        if counts.transfers.get("complete").is_none_or(|n| *n < 10) {
            return Err("hardly anything was transferred".to_owned());
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.lock().unwrap();
        let seconds = self.elapsed().as_secs();
        write!(f, "{} sessions in {seconds} s, ", counts.sessions)?;
        write!(f, "{} killed, {} lost; ", counts.kills, counts.lost)?;
        write!(f, "transfers {:?}, ", counts.transfers)?;
        let (bytes, wrong) = (counts.bytes >> 20, counts.wrong.len());
        write!(f, "{bytes} MiB; {wrong} wrong")?;
        let mut told = counts.wrong.iter().take(TOLD);
        told.try_for_each(|wrong| write!(f, "\n  {wrong}"))
    }
}
