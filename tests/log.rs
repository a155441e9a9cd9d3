//! The log under a syslogd that is slow, absent or restarted, and what can never stand in it.
//!
//! The probes are this very program again, under a syslog of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "common/syslog.rs"]
mod syslog;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use ftp_proxy::log::{Log, To, install_panic_hook};
use syslog::FakeSyslog;

/// Set for a probe, to what it shall do.
const PROBE: &str = "FTP_PROXY_TEST_PROBE";

/// A process that logs a line for each line that it is told, and then says so.
struct Probe {
    process: Child,
    told: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
}

impl Probe {
    fn start(syslog: &FakeSyslog, what: &str) -> Probe {
        Probe::start_with(syslog, what, Stdio::inherit())
    }

    fn start_with(syslog: &FakeSyslog, what: &str, stderr: Stdio) -> Probe {
        let this = std::env::current_exe().unwrap();
        let mut command = syslog.command(this.to_str().unwrap());
        command
            .args(["--exact", "probe", "--nocapture"])
            .env(PROBE, what);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let told = process.stdin.take();
        let says = BufReader::new(process.stdout.take().unwrap());
        Probe {
            process,
            told,
            says,
        }
    }

    /// Has it log `text`, and waits until it has.
    fn log(&mut self, text: &str) {
        writeln!(self.told.as_ref().unwrap(), "{text}").unwrap();
        let mut said = String::new();
        while !said.ends_with("logged\n") {
            assert_ne!(
                self.says.read_line(&mut said).unwrap(),
                0,
                "the probe is gone"
            );
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a claim but the other half of the tests here; without its variable it does nothing.
#[test]
fn probe() {
    let probe = std::env::var(PROBE).unwrap_or_default();
    let (what, to) = match probe.strip_suffix(" to stderr") {
        Some(what) => (what, To::Stderr),
        None => (probe.as_str(), To::Syslog),
    };
    match what {
        "log" => {
            let log = Log::open(0, false, to);
            for line in std::io::stdin().lines() {
                log.info(format_args!("{}", line.unwrap().replace('|', "\n")));
                writeln!(std::io::stdout(), "logged").unwrap();
            }
        }
        "panic" => {
            install_panic_hook(to);
            let line = std::io::read_to_string(std::io::stdin()).unwrap();
            std::thread::spawn(|| panic!("a constant"))
                .join()
                .unwrap_err();
            panic!("cannot take {line}");
        }
        _ => {}
    }
}

#[test]
fn a_line_has_facility_daemon_its_severity_the_pid_and_no_time() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut probe = Probe::start(&syslog, "log");
    probe.log("hello");
    let line = syslog.next(Duration::from_secs(20)).unwrap();
    assert_eq!(
        line,
        format!("<30>ftp-proxy[{}]: hello", probe.process.id())
    );
}

#[test]
fn nothing_that_is_logged_makes_a_second_line_or_a_long_one() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut probe = Probe::start(&syslog, "log");
    probe.log("client: USER x|<0>kernel: forged");
    assert!(
        syslog
            .expect("client:")
            .ends_with(": client: USER x\\n<0>kernel: forged")
    );
    probe.log(&"\u{e9}".repeat(3000));
    let line = syslog.expect("\u{e9}");
    let (_, text) = line.split_once(": ").unwrap();
    assert_eq!(text.len(), 1000);
}

#[test]
fn a_syslogd_that_does_not_read_costs_lines_and_no_time() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut probe = Probe::start(&syslog, "log");
    // More than a socket holds under any usual limit (net.unix.max_dgram_qlen is 10, with systemd 512).
    for number in 0..5000 {
        probe.log(&format!("line {number}"));
    }
    while syslog.next(Duration::from_millis(100)).is_some() {}
    probe.log("there again");
    syslog.expect("there again");
}

#[test]
fn a_syslogd_on_a_stream_that_does_not_read_costs_lines_and_no_time() {
    let Some(mut syslog) = FakeSyslog::start() else {
        return;
    };
    if std::fs::exists("/dev/log").unwrap() {
        return syslog::skip("a machine where /dev/log is no socket of its own");
    }
    let listener = syslog.becomes_a_stream(1);
    let mut probe = Probe::start(&syslog, "log");
    let (mut stream, _) = listener.accept().unwrap();
    // More than a socket's buffers hold under any usual limit (net.core.wmem_default is 208 KiB).
    for number in 0..5000 {
        probe.log(&format!("line {number} {}", "x".repeat(500)));
    }
    drop(probe);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let texts = String::from_utf8(all).unwrap();
    let lines: Vec<&str> = texts.split_terminator('\0').collect();
    assert!((10..5000).contains(&lines.len()), "{} lines", lines.len());
    let whole =
        |line: &&str| line.starts_with("<30>ftp-proxy[") && line.ends_with(&"x".repeat(500));
    // The last may be cut by the end of its writer.
    let (_, rest) = lines.split_last().unwrap();
    assert!(rest.iter().all(whole), "{rest:?}");
}

#[test]
fn a_syslogd_on_a_stream_that_accepts_nobody_costs_lines_and_no_time() {
    let Some(mut syslog) = FakeSyslog::start() else {
        return;
    };
    if std::fs::exists("/dev/log").unwrap() {
        return syslog::skip("a machine where /dev/log is no socket of its own");
    }
    let _listener = syslog.becomes_a_stream(0);
    let _waiting = syslog::fill(&syslog.socket());
    let mut probe = Probe::start(&syslog, "log");
    for _ in 0..100 {
        probe.log("lost");
    }
}

#[test]
fn a_syslogd_that_was_restarted_gets_the_next_line() {
    let Some(mut syslog) = FakeSyslog::start() else {
        return;
    };
    if std::fs::exists("/dev/log").unwrap() {
        return syslog::skip("a machine where /dev/log is no socket of its own");
    }
    let mut probe = Probe::start(&syslog, "log");
    probe.log("before");
    syslog.expect("before");
    syslog.stop();
    syslog.restart();
    probe.log("after");
    syslog.expect("after");
}

#[test]
fn a_syslogd_that_comes_late_is_found() {
    let Some(mut syslog) = FakeSyslog::start() else {
        return;
    };
    if std::fs::exists("/dev/log").unwrap() {
        return syslog::skip("a machine where /dev/log is no socket of its own");
    }
    syslog.stop();
    let mut probe = Probe::start(&syslog, "log");
    probe.log("lost");
    syslog.restart();
    for _ in 0..20 {
        probe.log("found");
    }
    syslog.expect("found");
}

#[test]
fn a_panic_is_in_syslog_without_what_a_peer_may_have_said() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut probe = Probe::start(&syslog, "panic");
    probe
        .told
        .take()
        .unwrap()
        .write_all(b"PASS secret")
        .unwrap();
    let line = syslog.expect("panicked at tests/log.rs");
    assert!(
        line.starts_with("<27>") && line.ends_with(": a constant"),
        "{line}"
    );
    let line = syslog.expect("panicked at tests/log.rs");
    assert!(line.ends_with(": (message withheld)"), "{line}");
}

#[test]
fn a_pipe_that_nobody_empties_costs_lines_and_no_time() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut probe = Probe::start_with(&syslog, "log to stderr", Stdio::piped());
    let mut pipe = BufReader::new(probe.process.stderr.take().unwrap());
    // Far more than a pipe holds.
    for number in 0..5000 {
        probe.log(&format!("line {number} {}", "x".repeat(100)));
    }
    // Whole lines, from the first one on, and nothing in between.
    let mut read = |wanted: &str| {
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        let mark = format!("ftp-proxy[{}]: {wanted}", probe.process.id());
        line.strip_prefix(&mark).map(str::to_owned)
    };
    let whole = format!(" {}\n", "x".repeat(100));
    let first: Vec<_> = (0..100).map(|n| read(&format!("line {n}"))).collect();
    assert!(first.iter().all(|line| line.as_ref() == Some(&whole)));
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut pipe, &mut rest).unwrap();
        rest
    });
    // There is room again at some time, and then lines come again.
    for _ in 0..100 {
        probe.log("there again");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(probe);
    let rest = rest.join().unwrap();
    assert!(rest.contains(": there again\n") && !rest.contains("line 4999 "));
    assert!(rest.lines().all(|line| line.starts_with("ftp-proxy[")));
    assert_eq!(syslog.next(Duration::from_millis(100)), None);
}

#[test]
fn a_panic_is_on_standard_error_where_the_log_is() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    let mut probe = Probe::start_with(&syslog, "panic to stderr", Stdio::piped());
    let stderr = probe.process.stderr.take().unwrap();
    drop(probe.told.take());
    let said = std::io::read_to_string(stderr).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert!(
        lines[0].contains("panicked at tests/log.rs") && lines[0].ends_with(": a constant"),
        "{said}"
    );
    assert!(lines[1].ends_with(": (message withheld)"), "{said}");
    assert_eq!(syslog.next(Duration::from_millis(100)), None);
}
