//! The scripts that prepare a test or a benchmark wait for the package manager of a machine that does other things as well.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

const TREE: &str = env!("CARGO_MANIFEST_DIR");
const APT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup/apt");

/// Folders of a package manager that knows no package and asks no mirror.
struct Manager(PathBuf);

impl Manager {
    /// `None` where there is no apt-get(8).
    fn new(name: &str) -> Option<Manager> {
        if Command::new("apt-get").arg("--version").output().is_err() {
            let _ = writeln!(io::stderr(), "skipped: needs apt-get");
            return None;
        }
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("apt-{name}"));
        let _ = fs::remove_dir_all(&root);
        for folder in ["lists/partial", "archives/partial", "dpkg"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("dpkg/status"), "").unwrap();
        Some(Manager(root))
    }

    /// `tests/setup/apt` with these words; both of its outputs are its standard output.
    fn apt(&self, words: &[&str]) -> Command {
        let root = self.0.display();
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" \"$@\" 2>&1", APT])
            .args(["-o", &format!("Dir::State::lists={root}/lists")])
            .args(["-o", &format!("Dir::State::status={root}/dpkg/status")])
            .args(["-o", &format!("Dir::Cache={root}")])
            .args(["-o", "Dir::Etc::SourceList=/dev/null"])
            .args(["-o", "Dir::Etc::SourceParts=/dev/null"])
            .args(words)
            .stdout(Stdio::piped());
        command
    }

    /// Another program's lock. Dropping the file gives it back.
    fn locked(&self, lock: &str) -> File {
        let file = File::create(self.0.join(lock)).unwrap();
        let whole = libc::flock {
            l_type: libc::F_WRLCK.try_into().unwrap(),
            l_whence: libc::SEEK_SET.try_into().unwrap(),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_SETLK(&whole)).unwrap();
        file
    }
}

/// It says that it waits while another program holds the lock, and then does its work.
#[track_caller]
fn waits_for(lock: &str, words: &[&str], says: &str) {
    let Some(manager) = Manager::new(&lock.replace('/', "-")) else {
        return;
    };
    let held = manager.locked(lock);
    let mut apt = manager.apt(words).spawn().unwrap();
    let mut said = BufReader::new(apt.stdout.take().unwrap()).lines();
    let waits = said.by_ref().any(|line| line.unwrap().contains(says));
    assert!(waits, "it does not wait for {lock}");
    assert!(apt.try_wait().unwrap().is_none(), "it has ended");
    drop(held);
    for line in said {
        line.unwrap();
    }
    assert!(apt.wait().unwrap().success());
}

#[test]
fn apt_waits_for_another_program_that_installs() {
    let words = ["-qy", "install"];
    waits_for("dpkg/lock-frontend", &words, "Waiting for cache lock");
}

#[test]
fn apt_waits_for_another_program_that_updates() {
    waits_for("lists/lock", &["-q", "update"], "waiting up to");
}

#[test]
fn apt_waits_for_another_program_that_downloads() {
    waits_for("archives/lock", &["-qy", "install"], "waiting up to");
}

#[test]
fn no_script_calls_apt_get_but_the_one_that_waits() {
    let calls = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let called = |pair: &[&str]| pair[0].ends_with("apt-get") && pair[1].starts_with('-');
        !line.trim_start().starts_with('#') && words.windows(2).any(called)
    };
    assert!(calls("    x || apt-get -q update") && !calls("command -v apt-get >/dev/null"));
    let mut scripts = vec![
        ".ci/run".to_owned(),
        "bench/setup".to_owned(),
        "bench/run".to_owned(),
    ];
    for folder in ["tests", "tests/setup", "tests/soak"] {
        for entry in fs::read_dir(Path::new(TREE).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.extension().is_none() {
                scripts.push(path.strip_prefix(TREE).unwrap().display().to_string());
            }
        }
    }
    assert!(scripts.len() > 6, "{scripts:?}");
    for script in scripts.iter().filter(|name| *name != "tests/setup/apt") {
        let text = fs::read_to_string(Path::new(TREE).join(script)).unwrap();
        let found: Vec<_> = text.lines().filter(|line| calls(line)).collect();
        assert!(found.is_empty(), "{script}: {found:?}");
    }
}
