//! The transcripts: one file a case, its name the claim. Each is played to the pure session, to the pure session one
//! byte at a time, and to the real program between two sockets; README beside them tells how they are written.

#![allow(
    clippy::expect_used,
    reason = "a transcript that cannot be read is no case"
)]

#[path = "../common/mod.rs"]
mod common;

mod binary;
mod script;
mod session;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use script::Script;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = folder
        .read_dir()
        .expect("the folder of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| trials_of(path)).collect()
}

fn trials_of(path: &Path) -> [Trial; 3] {
    let name = path.file_stem().expect("a name").to_string_lossy();
    let script = Script::read(&std::fs::read_to_string(path).expect("a transcript"));
    let only_pure = script.only_session;
    let trial = |driver: &str, play: fn(&Script) -> Result<(), String>| {
        let script = script.clone();
        Trial::test(format!("{driver}::{name}"), move || {
            play(&script).map_err(Failed::from)
        })
    };
    [
        trial("session", session::play),
        trial("session_byte_by_byte", session::play_byte_by_byte),
        trial("binary", binary::play).with_ignored_flag(only_pure),
    ]
}
