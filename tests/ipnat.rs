//! ipnat(8) as a program: run as it must be, read within bounds, and never the end of the proxy. Shell scripts stand in.
//!
//! They look at themselves by Linux's /proc.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::LazyLock;
use std::time::Duration;

use ftp_proxy::nat::ipnat::Ipnat;
use ftp_proxy::nat::{NatLookup as _, Redirected};

const LIST: &str = "cat <<'END'
List of active MAP/Redirect filters:
rdr em0 0.0.0.0/0 port 21 -> 127.0.0.1 port 2121 tcp

List of active sessions:
MAP 10.1.0.9        50000 <- -> 192.0.2.1       50000 [10.2.0.9 21]
RDR 127.0.0.1       2121  <- -> 10.2.0.2        21    [10.1.0.2 40021] tcp
END";

/// Each stand-in: its name and what it does.
const SCRIPTS: &[(&str, &str)] = &[
    ("honest", LIST),
    // It leaves what it was run with beside itself.
    (
        "curious",
        "{ echo \"$# $*\"; pwd; env; ls -l /proc/$$/fd; } >\"$0.seen\"; cat >>\"$0.seen\"; echo complaint >&2",
    ),
    (
        "failing",
        "echo 'RDR 127.0.0.1 2121 <- -> 10.2.0.2 21 [10.1.0.2 40021] tcp'; exit 1",
    ),
    ("endless", "while :; do echo 0123456789; done"),
    ("boundless", "exec cat /dev/zero"),
    ("silent", "echo $$ >\"$0.pid\"; exec sleep 600"),
    (
        "lingering",
        "echo $$ >\"$0.pid\"; exec >/dev/null; exec sleep 600",
    ),
];

/// Where they are. All are written before any is run: to run a file that is open for writing is an error, and a child
/// of another thread may hold it open for a moment.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ipnat-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    for (name, text) in SCRIPTS {
        let path = directory.join(name);
        let mut options = fs::File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(path)
            .unwrap();
        writeln!(file, "#!/bin/sh\n{text}").unwrap();
    }
    directory
});

/// Where the connection was going by the word of the first of these programs that is there.
fn ask(names: &[&str], patience: Duration) -> Result<SocketAddr, String> {
    let engine = Ipnat {
        programs: names.iter().map(|name| DIRECTORY.join(name)).collect(),
        patience,
    };
    let ends = Redirected {
        client: "10.1.0.2:40021".parse().unwrap(),
        proxy: "127.0.0.1:2121".parse().unwrap(),
    };
    assert!(engine.needs_root());
    engine
        .original_dst(io::stdin().as_fd(), &ends)
        .map_err(|why| why.to_string())
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// Whether the process that left its id beside `name` is gone.
fn gone(name: &str) -> bool {
    let pid = fs::read_to_string(DIRECTORY.join(name).with_extension("pid")).unwrap();
    !Path::new("/proc").join(pid.trim()).exists()
}

#[test]
fn the_destination_is_read_from_the_first_ipnat_that_is_there() {
    let server = Ok("10.2.0.2:21".parse().unwrap());
    assert_eq!(ask(&["honest"], LONG), server);
    assert_eq!(ask(&["absent", "honest", "failing"], LONG), server);
}

#[test]
fn it_is_run_with_one_option_in_the_root_directory_with_a_clean_environment_and_no_descriptor_of_ours()
 {
    let why = ask(&["curious"], LONG).unwrap_err();
    assert!(
        why.starts_with("not redirected (no rdr rule matched?)"),
        "{why}"
    );
    let seen = fs::read_to_string(DIRECTORY.join("curious.seen")).unwrap();
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some("1 -l"));
    assert_eq!(lines.next(), Some("/"));
    // The shell itself adds PWD, OLDPWD, SHLVL and _.
    let ours: Vec<_> = lines
        .by_ref()
        .take_while(|line| !line.starts_with("total"))
        .filter(|line| !["PWD", "OLDPWD", "SHLVL", "_"].contains(&line.split('=').next().unwrap()))
        .collect();
    let mut sorted = ours.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["LC_ALL=C", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"]);
    // Nothing is read from standard input, standard error is nobody's, and there is no socket.
    let descriptors = lines.collect::<Vec<_>>().join("\n");
    assert!(descriptors.contains("0 -> /dev/null"), "{descriptors}");
    assert!(descriptors.contains("2 -> /dev/null"), "{descriptors}");
    assert!(!descriptors.contains("socket:"), "{descriptors}");
}

#[test]
fn what_a_failing_ipnat_says_does_not_count() {
    let why = ask(&["failing"], LONG).unwrap_err();
    assert!(why.contains("ipnat -l failed (exit status: 1)"), "{why}");
}

#[test]
fn no_ipnat_at_all_says_where_it_was_looked_for() {
    let why = ask(&["absent", "missing"], LONG).unwrap_err();
    assert!(why.starts_with("no ipnat(8) at /"), "{why}");
    assert!(why.contains("/absent or /"), "{why}");
}

#[test]
fn a_list_without_end_is_given_up_by_its_length_with_or_without_lines() {
    for name in ["endless", "boundless"] {
        let why = ask(&[name], LONG).unwrap_err();
        assert!(why.contains("more than 4194304 bytes"), "{name}: {why}");
    }
}

#[test]
fn an_ipnat_that_hangs_is_stopped_in_time_and_leaves_no_process() {
    for name in ["silent", "lingering"] {
        let why = ask(&[name], SHORT).unwrap_err();
        assert!(why.contains("takes too long"), "{name}: {why}");
        assert!(gone(name), "{name}");
    }
}
