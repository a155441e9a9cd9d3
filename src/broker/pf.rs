//! pf(4): what is granted is the content of the session's own anchor, written by pfctl(8).

mod lock;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use self::lock::Lock;

use super::filter::Filter;
use crate::log::escaped;
use crate::options::RuleOptions;
use crate::program::{Failure, Run, Said};
use crate::rules::Grant;
use crate::rules::anchor::{Listing, missing};
use crate::rules::pf::{Grammar, render};

/// Where pfctl(8) is, on every system that has pf(4).
const PROGRAM: &str = "/sbin/pfctl";

/// Longest that pfctl(8) may take; a grant that fails runs it three times.
const PATIENCE: Duration = Duration::from_secs(3);

/// While pfctl(8) finds pf busy, it is run again after so many milliseconds, twice as many each time: the administrator's own
/// pfctl(8) holds no lock of ours.
const BUSY: [u64; 6] = [20, 40, 80, 160, 320, 640];

/// Anchors of dead sessions that one check empties at most.
const SWEPT: usize = 64;

/// Longest ruleset that is looked through, in bytes: 40000 rules of a hundred letters.
const MAX_RULESET: usize = 4 << 20;

/// So much of a complaint is listened to, in bytes, and so much of its line is passed on.
const MAX_COMPLAINT: (usize, usize) = (4096, 200);

/// What pfctl(8) of macOS and FreeBSD says on standard error though nothing is wrong.
const NOTICES: [&str; 5] = [
    "No ALTQ support",
    "ALTQ related functions",
    "pfctl: Use of -f option",
    "present in the main ruleset",
    "See /etc/pf.conf",
];

/// The packet filter, for one session.
#[derive(Debug)]
pub struct Pf {
    /// pfctl(8), by an absolute path.
    pub program: PathBuf,
    /// Where the session's rules live: the anchor of [`Pf::options`], a slash and the session's process id.
    pub anchor: String,
    /// What the administrator wants of the rules.
    pub options: RuleOptions,
    /// What pfctl(8) reads.
    pub grammar: Grammar,
    /// Longest that pfctl(8) may take.
    pub patience: Duration,
    /// What keeps others from loading rules at the same moment.
    lock: Option<Lock>,
    /// The anchor may hold rules.
    filled: bool,
}

impl Pf {
    /// For the session with this process id.
    #[must_use]
    pub fn new(options: RuleOptions, pid: u32, grammar: Grammar) -> Self {
        Pf {
            program: PROGRAM.into(),
            anchor: format!("{}/{pid}", options.anchor),
            options,
            grammar,
            patience: PATIENCE,
            lock: None,
            filled: false,
        }
    }

    /// Has no other process with the same lock change rules at the same moment.
    ///
    /// # Errors
    /// As open(2).
    pub fn lock_at(&mut self, path: &Path) -> io::Result<()> {
        self.lock = Some(Lock::open(path)?);
        Ok(())
    }

    /// Whether rules of ours would count: pf(4) is on, comes to our anchor, and takes rules from us (at a high
    /// securelevel(7) it does not).
    ///
    /// # Errors
    /// What is wrong and how it is put right, in one line.
    pub fn check(&self) -> Result<(), String> {
        let info = self.ask(&["-s", "info"])?;
        if !is_enabled(&info) {
            return Err(
                "pf is disabled: enable it with `pfctl -e`; at securelevel(7) 3 it says so although \
                 it is enabled, and takes no rules"
                    .to_owned(),
            );
        }
        let lines = self.missing()?;
        if !lines.is_empty() {
            let lines: Vec<_> = lines.iter().map(|line| format!("`{line}`")).collect();
            return Err(format!(
                "pf.conf does not evaluate the rules of sessions: add {}, then `pfctl -f /etc/pf.conf`",
                lines.join(" and ")
            ));
        }
        // Also, a session that was killed may have had our process id.
        self.load("")?;
        self.sweep();
        Ok(())
    }

    /// Empties the anchors of sessions whose brokers were killed. What cannot be emptied is tried again by the next check.
    fn sweep(&self) {
        let ours = &self.options.anchor;
        let Ok(anchors) = self.ask(&["-a", ours, "-s", "Anchors"]) else {
            return; // none were ever made
        };
        let dead = anchors.lines().filter_map(|line| {
            let name = line.trim().rsplit('/').next()?;
            let pid = name.parse().ok().filter(|pid| *pid > 0)?;
            let gone = kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
            gone.then(|| format!("{ours}/{name}"))
        });
        for anchor in dead.take(SWEPT) {
            let _ = self.empty(&anchor);
        }
    }

    /// The lines that pf.conf(5) lacks.
    fn missing(&self) -> Result<Vec<String>, String> {
        let anchor = &self.options.anchor;
        let mut listings = vec![self.listing(&[])?];
        // An anchor on the way may name ours. One that does not exist cannot be listed, and names nothing.
        let ends = anchor.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([anchor.len()]) {
            if missing(&listings, anchor, self.grammar).is_empty() {
                break;
            }
            let way = self.listing(&["-a", &anchor[..end]]);
            listings.push(way.unwrap_or_default());
        }
        Ok(missing(&listings, anchor, self.grammar))
    }

    /// What the main ruleset or, by `-a`, that of an anchor holds.
    fn listing(&self, of: &[&str]) -> Result<Listing, String> {
        let show = |what| self.ask(&[of, &["-s", what]].concat());
        Ok(Listing {
            rules: show("rules")?,
            nat: match self.grammar {
                Grammar::Translation => show("nat")?,
                Grammar::Match => String::new(),
            },
        })
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let said = self.run(arguments, None)?;
        Ok(String::from_utf8_lossy(&said.output).into_owned())
    }

    /// Runs pfctl(8), which must be content; otherwise, what it has to say.
    fn run(&self, arguments: &[&str], rules: Option<&str>) -> Result<Said, String> {
        let run = Run {
            program: &self.program,
            arguments,
            directory: None, // unveil(2) hides them all
            input: rules.map(str::as_bytes),
            longest: MAX_RULESET,
            complaint: MAX_COMPLAINT.0,
            patience: self.patience,
        };
        match run.run() {
            Ok(said) if said.status.success() => Ok(said),
            Ok(said) => Err(complaint(&said)),
            Err(Failure::Absent) => Err(format!("no pfctl(8) at {}", self.program.display())),
            Err(Failure::TooLong) => Err(format!("pfctl says more than {MAX_RULESET} bytes")),
            Err(Failure::TooLate) => Err("pfctl takes too long and was stopped".to_owned()),
            Err(Failure::System(error)) => Err(format!("pfctl cannot be run: {error}")),
        }
    }

    /// The same for what changes rules: one at a time, and again while pf is busy.
    fn change(&self, arguments: &[&str], rules: Option<&str>) -> Result<Said, String> {
        let held = self.lock.as_ref().map(Lock::hold).transpose();
        let _held = held.map_err(|error| format!("other sessions keep pfctl busy: {error}"))?;
        let mut waits = BUSY.iter();
        loop {
            match (self.run(arguments, rules), waits.next()) {
                (Err(why), Some(wait)) if is_busy(&why) => {
                    thread::sleep(Duration::from_millis(*wait));
                }
                (result, _) => return result,
            }
        }
    }

    /// Puts these rules in place of all that the anchor holds, all at once or not at all.
    fn load(&self, rules: &str) -> Result<(), String> {
        self.load_into(&self.anchor, rules)
    }

    fn load_into(&self, anchor: &str, rules: &str) -> Result<(), String> {
        let arguments = ["-q", "-a", anchor, "-f", "-"];
        self.change(&arguments, Some(rules)).map(drop)
    }

    /// Empties the anchor, which ends it. States are left alone: connections that were made go on.
    fn flush(&mut self) -> Result<(), String> {
        self.empty(&self.anchor)?;
        self.filled = false;
        Ok(())
    }

    fn empty(&self, anchor: &str) -> Result<(), String> {
        let what = match self.grammar {
            Grammar::Translation => "all",
            Grammar::Match => "rules", // which are all that it has
        };
        let flushed = self.change(&["-q", "-a", anchor, "-F", what], None);
        // One that is gone already cannot be emptied everywhere, but always be filled with nothing.
        flushed.map(drop).or_else(|_| self.load_into(anchor, ""))
    }
}

impl Filter for Pf {
    fn grant(&mut self, grant: &Grant) -> io::Result<()> {
        let rules = render(grant, &self.options, self.grammar);
        self.filled = true;
        self.load(&rules).map_err(|why| {
            // Those of before must not stay; and pfctl may have got there before it was stopped.
            let _ = self.flush(); // tried again at the next revoke
            io::Error::other(why)
        })
    }

    fn revoke(&mut self) -> io::Result<()> {
        if self.filled {
            self.flush().map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Drop for Pf {
    fn drop(&mut self) {
        let _ = self.revoke(); // nobody is left to tell
    }
}

/// pfctl(8)'s words for EBUSY: another program is loading rules.
fn is_busy(why: &str) -> bool {
    why.contains("busy") && why.starts_with("pfctl: ")
}

/// `Status: Enabled for 1 days …`
fn is_enabled(info: &str) -> bool {
    let mut status = info
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Status:"));
    status.any(|status| status.trim_start().starts_with("Enabled"))
}

/// The first line of a complaint that is one.
fn complaint(said: &Said) -> String {
    let lines = said.complaint.split(|byte| *byte == b'\n');
    let is_notice = |line: &[u8]| NOTICES.iter().any(|text| line.starts_with(text.as_bytes()));
    let mut lines = lines.filter(|line| !line.trim_ascii().is_empty() && !is_notice(line));
    match lines.next() {
        Some(line) => {
            let line = line.strip_prefix(b"pfctl: ").unwrap_or(line);
            format!(
                "pfctl: {}",
                escaped(&line[..line.len().min(MAX_COMPLAINT.1)])
            )
        }
        None => format!("pfctl failed ({})", said.status),
    }
}
