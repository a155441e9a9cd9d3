//! How a test of machines is run: again, inside a world, or not at all, and then with the reason.

use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use super::world;

/// What is told of the log when a claim does not hold: its end, in lines.
const LOG_LINES: usize = 300;

/// What a test is called, and how many of its trials go on at once: they wait for one another more than they compute.
pub struct Stage {
    pub name: &'static str,
    pub threads: usize,
    /// What the trials lack on this machine, if anything.
    pub hindrance: Option<String>,
}

impl Stage {
    /// Runs the trials in a new world, which is furnished first; each of them is ignored where something is lacking.
    pub fn run(
        self,
        furnish: impl FnOnce() -> io::Result<()>,
        trials: impl FnOnce() -> Vec<Trial>,
    ) -> io::Result<ExitCode> {
        let mut arguments = Arguments::from_args();
        let hindrance = world::hindrance().or(self.hindrance);
        if !arguments.list && !world::is_inside() {
            match &hindrance {
                None => return world::enter(),
                Some(why) => {
                    let name = self.name;
                    writeln!(io::stderr(), "{name}: every trial is ignored: {why}")?;
                }
            }
        }
        if world::is_inside() {
            world::keep_log()?;
            furnish()?;
        }
        arguments.test_threads.get_or_insert(self.threads);
        let trials = trials().into_iter().map(|trial| match &hindrance {
            None => trial,
            Some(_) => trial.with_ignored_flag(true),
        });
        Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
    }
}

/// A claim that does not hold is told with what was logged meanwhile, by other trials too.
pub fn told(show: impl FnOnce()) -> Result<(), Failed> {
    told_with(show, Vec::new)
}

/// The same, with what else there is to be told.
pub fn told_with(show: impl FnOnce(), more: impl FnOnce() -> Vec<String>) -> Result<(), Failed> {
    let position = world::log_position();
    panic::catch_unwind(AssertUnwindSafe(show)).map_err(|_| {
        let mut logged = world::logged_since(position);
        logged.extend(more());
        format!("see the panic above; the log:\n{}", end(&logged)).into()
    })
}

/// The end of a log, for whom the whole is too much.
pub fn end(logged: &[String]) -> String {
    logged[logged.len().saturating_sub(LOG_LINES)..].join("\n")
}
