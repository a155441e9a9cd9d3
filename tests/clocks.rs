//! A clock that jumps. Deadlines are of the clock that nobody can set; this shows it by setting the other, for the program
//! alone, with faketime(1).

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::address::Ends;
use common::process::{PROGRAM, Proxy};
use common::session::Session;

/// A wall clock that is off by what its file says.
struct Clock {
    file: PathBuf,
    library: PathBuf,
}

impl Clock {
    /// `None`, said aloud, where there is no faketime(1).
    fn start(name: &str) -> Option<Clock> {
        let folders = fs::read_dir("/usr/lib").unwrap().flatten();
        let mut libraries = folders.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let Some(library) = libraries.find(|path| path.exists()) else {
            let _ = writeln!(io::stderr(), "skipped: needs faketime");
            return None;
        };
        let file = std::env::temp_dir().join(format!("clock-{name}-{}", std::process::id()));
        let clock = Clock { file, library };
        clock.is_off_by("+0");
        Some(clock)
    }

    fn is_off_by(&self, time: &str) {
        // In one step, for it is read all the time.
        let next = self.file.with_extension("next");
        fs::write(&next, time).unwrap();
        // Whoever the session becomes reads it too.
        fs::set_permissions(&next, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(&next, &self.file).unwrap();
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    /// What a program that asks for the time is told.
    fn year(&self) -> i32 {
        let said = self.command("date").arg("+%Y").output().unwrap().stdout;
        String::from_utf8(said).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn jump(name: &str, time: &str, years: std::ops::RangeInclusive<i32>) {
    let Some(clock) = Clock::start(name) else {
        return;
    };
    // Its file is read by the library, which no cage would let it.
    let options = ["-t", "8", "--no-cage"];
    let mut session = Session::started(Ends::V4, &options, |client, options| {
        Proxy::inherits_by(clock.command(PROGRAM), client, options)
    });
    let before = clock.year();
    session.exchange("NOOP", "200 ok");
    clock.is_off_by(time);
    let moved = clock.year() - before;
    assert!(
        years.contains(&moved),
        "the clock did not jump: {moved} years"
    );
    for _ in 0..3 {
        session.exchange("NOOP", "200 ok");
    }
    // And it is over when it is due.
    session.client.hears_code("421 ");
    session.client.hears_end();
}

#[test]
fn a_clock_that_jumps_ahead_ends_no_session() {
    jump("ahead", "+3650d", 9..=10);
}

#[test]
fn a_clock_that_jumps_back_prolongs_no_session() {
    jump("back", "-3650d", -10..=-9);
}
