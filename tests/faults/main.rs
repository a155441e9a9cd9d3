//! Every fault at every step of a session, against the real program as inetd starts it. What must hold whatever happens:
//! the program ends, and by itself; it leaves no process; a client that is still there hears why, in a reply; no file that
//! was cut short looks whole to whoever received it, nor does the client hear of success; and what was called complete is.

#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

#[path = "../common/mod.rs"]
mod common;

mod aftermath;
mod play;
mod program;
mod table;

use std::panic::catch_unwind;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use table::Case;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The parties wait for one another more than they compute.
    arguments.test_threads.get_or_insert(8);
    let trials = table::cases().into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(case: Case) -> Trial {
    Trial::test(case.to_string(), move || {
        catch_unwind(|| aftermath::of(case)).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Failed::from(text.unwrap_or_else(|| "a surprise, see above".to_owned()))
        })
    })
}
