//! pfctl(8) as the broker runs it: what it is told, what it is asked, and what becomes of its complaints. A shell script
//! stands in, which keeps anchors as files.
//!
//! It looks at itself by Linux's /proc.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use ftp_proxy::broker::filter::Filter as _;
use ftp_proxy::broker::pf::Pf;
use ftp_proxy::options::RuleOptions;
use ftp_proxy::program::Run;
use ftp_proxy::rules::pf::{Grammar, render};
use ftp_proxy::rules::{Grant, Kind, Source};

/// Its state lies beside the name it is called by. `broken`: every call fails with this text; `refuse`: loading does.
const PFCTL: &str = r#"#!/bin/sh
here="${0%/*}"
echo "$*" >>"$here/calls"
{ env; ls -l /proc/$$/fd; } >"$here/seen"
if [ -e "$here/hang" ]; then echo $$ >"$here/pid"; exec sleep 600; fi
if [ -e "$here/broken" ]; then cat "$here/broken" >&2; exit 3; fi
while [ $# -gt 0 ]; do
    case $1 in
    -q) ;;
    -a) anchor=$2; shift ;;
    -f) load=$2; shift ;;
    -F) flush=$2; shift ;;
    -s) show=$2; shift ;;
    *) exit 9 ;;
    esac
    shift
done
if [ "$show" = info ]; then cat "$here/info"; exit; fi
if [ -n "$load$flush" ] && [ -e "$here/busy" ]; then
    left=$(cat "$here/busy")
    if [ "$left" -gt 0 ]; then
        echo $((left - 1)) >"$here/busy"
        echo 'pfctl: DIOCADDADDR: Device busy' >&2
        exit 1
    fi
fi
if [ -n "$load$flush" ] && [ -e "$here/alone" ]; then
    if ! mkdir "$here/running"; then
        : >"$here/collided"
        echo 'pfctl: DIOCADDRULE: Device busy' >&2
        exit 1
    fi
    sleep 0.05
    rmdir "$here/running"
fi
ruleset="$here/ruleset$(echo "/$anchor" | tr / _)"
if [ "$load" = - ]; then
    if [ -e "$here/refuse" ]; then cat "$here/refuse" >&2; exit 1; fi
    cat >"$ruleset.rules"
    [ -s "$ruleset.rules" ] || rm "$ruleset.rules"
elif [ -n "$flush" ]; then
    if [ ! -e "$ruleset.rules" ]; then echo "pfctl: No such anchor $anchor" >&2; exit 1; fi
    rm "$ruleset.rules"
elif [ -n "$show" ]; then
    if [ ! -e "$ruleset.$show" ]; then echo "pfctl: Anchor does not exist." >&2; exit 1; fi
    cat "$ruleset.$show"
else
    exit 9
fi
"#;

/// Where it is. It is written before any test runs it: to run a file that is open for writing is an error, and a child
/// of another thread may hold it open for a moment.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pf-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let mut options = fs::File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o755);
    let mut file = file.open(directory.join("pfctl")).unwrap();
    file.write_all(PFCTL.as_bytes()).unwrap();
    directory
});

/// A packet filter of one test's own.
struct Fake(PathBuf);

impl Fake {
    /// It is enabled, and its main ruleset holds these anchors.
    fn new(name: &str, rules: &str, nat: &str) -> Self {
        let here = DIRECTORY.join(name);
        fs::create_dir_all(&here).unwrap();
        symlink("../pfctl", here.join("pfctl")).unwrap();
        let fake = Fake(here);
        fake.put(
            "info",
            "Status: Enabled for 1 days 02:03:04           Debug: Urgent\n\nState Table\n",
        );
        fake.put("ruleset_.rules", rules);
        fake.put("ruleset_.nat", nat);
        fake
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    fn get(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.join(file)).ok()
    }

    /// What pfctl was called with, call by call.
    fn calls(&self) -> Vec<String> {
        let calls = self.get("calls").unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// The filter of the session 77.
    fn pf(&self, anchor: &str, grammar: Grammar) -> Pf {
        let options = RuleOptions {
            anchor: anchor.to_owned(),
            ..RuleOptions::default()
        };
        self.pf_of(77, options, grammar)
    }

    fn pf_of(&self, session: u32, options: RuleOptions, grammar: Grammar) -> Pf {
        let mut pf = Pf::new(options, session, grammar);
        assert_eq!(pf.program, Path::new("/sbin/pfctl"));
        pf.program = self.0.join("pfctl");
        pf.patience = Duration::from_secs(60);
        pf.lock_at(&self.0.join("lock")).unwrap();
        pf
    }

    fn session(&self) -> Pf {
        self.pf("ftp-proxy", Grammar::Translation)
    }

    /// The rules of the session 77.
    fn rules(&self) -> Option<String> {
        self.get("ruleset_ftp-proxy_77.rules")
    }

    fn check(&self, anchor: &str, grammar: Grammar) -> Result<(), String> {
        self.pf(anchor, grammar).check()
    }
}

/// A filter that has nothing to say about anchors.
fn empty(name: &str) -> Fake {
    Fake::new(name, "", "")
}

fn grant(port: u16) -> Grant {
    Grant {
        kind: Kind::Through,
        from: [192, 0, 2, 10].into(),
        at: ([192, 0, 2, 21], 50000).into(),
        to: ([192, 0, 2, 21], port).into(),
        source: Some(Source {
            address: [192, 0, 2, 2].into(),
            port: None,
        }),
    }
}

fn text(port: u16, grammar: Grammar) -> Option<String> {
    Some(render(&grant(port), &RuleOptions::default(), grammar))
}

const BOTH: [(Grammar, &str, &str); 2] = [
    (Grammar::Translation, "translation", "all"),
    (Grammar::Match, "match", "rules"),
];

#[test]
fn a_grant_is_all_that_the_session_s_own_anchor_holds() {
    for (grammar, name, _) in BOTH {
        let fake = empty(&format!("grant-{name}"));
        let mut pf = fake.pf("ftp-proxy", grammar);
        pf.grant(&grant(40000)).unwrap();
        assert_eq!(fake.rules(), text(40000, grammar));
        pf.grant(&grant(40001)).unwrap();
        assert_eq!(fake.rules(), text(40001, grammar));
        assert_eq!(fake.calls(), ["-q -a ftp-proxy/77 -f -"; 2]);
    }
}

#[test]
fn a_revoked_grant_leaves_no_anchor_and_no_reason_to_run_pfctl_again() {
    for (grammar, name, all) in BOTH {
        let fake = empty(&format!("revoke-{name}"));
        let mut pf = fake.pf("ftp-proxy", grammar);
        pf.revoke().unwrap();
        pf.grant(&grant(40000)).unwrap();
        pf.revoke().unwrap();
        assert_eq!(fake.rules(), None);
        pf.revoke().unwrap();
        drop(pf);
        let flush = format!("-q -a ftp-proxy/77 -F {all}");
        assert_eq!(fake.calls(), ["-q -a ftp-proxy/77 -f -", flush.as_str()]);
    }
}

#[test]
fn a_session_that_ends_leaves_no_anchor() {
    let fake = empty("end");
    let mut pf = fake.session();
    pf.grant(&grant(40000)).unwrap();
    drop(pf);
    assert_eq!(fake.rules(), None);
}

#[test]
fn what_could_not_be_revoked_is_tried_again() {
    let fake = empty("again");
    let mut pf = fake.session();
    pf.grant(&grant(40000)).unwrap();
    fake.put("broken", "pfctl: DIOCXBEGIN: Device busy\n");
    let why = pf.revoke().unwrap_err().to_string();
    assert_eq!(why, "pfctl: DIOCXBEGIN: Device busy");
    fs::remove_file(fake.0.join("broken")).unwrap();
    pf.revoke().unwrap();
    assert_eq!(fake.rules(), None);
}

#[test]
fn pfctl_is_run_with_a_clean_environment_and_no_descriptor_of_ours() {
    let fake = empty("seen");
    fake.session().grant(&grant(40000)).unwrap();
    let seen = fake.get("seen").unwrap();
    let mut lines = seen.lines();
    // The shell itself adds PWD, OLDPWD, SHLVL and _.
    let shell = ["PWD=", "OLDPWD=", "SHLVL=", "_="];
    let mut ours: Vec<_> = lines
        .by_ref()
        .take_while(|line| !line.starts_with("total"))
        .filter(|line| !shell.iter().any(|name| line.starts_with(name)))
        .collect();
    ours.sort_unstable();
    assert_eq!(ours, ["LC_ALL=C", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"]);
    // This call was the last, which has nothing to read.
    let descriptors = lines.collect::<Vec<_>>().join("\n");
    assert!(descriptors.contains(" 0 -> /dev/null"), "{descriptors}");
    assert!(descriptors.contains(" 2 -> pipe:"), "{descriptors}");
    assert!(!descriptors.contains("socket:"), "{descriptors}");
}

#[test]
fn a_refused_grant_tells_the_complaint_and_the_rules_of_before_are_gone() {
    let fake = empty("refused");
    let mut pf = fake.session();
    pf.grant(&grant(40000)).unwrap();
    let notices = "No ALTQ support in kernel\nALTQ related functions disabled\n\n";
    fake.put(
        "refuse",
        &format!("{notices}stdin:1: syntax error\u{1b}[2J\npfctl: Syntax error\n"),
    );
    let why = pf.grant(&grant(40001)).unwrap_err().to_string();
    assert_eq!(why, "pfctl: stdin:1: syntax error\\033[2J");
    assert_eq!(fake.rules(), None);
}

#[test]
fn a_complaint_is_one_line_of_bounded_length() {
    let fake = empty("long");
    fake.put("broken", &"a".repeat(1 << 20));
    let why = fake.check("ftp-proxy", Grammar::Match).unwrap_err();
    assert_eq!(why, format!("pfctl: {}", "a".repeat(200)));
    fake.put("broken", "");
    let why = fake.check("ftp-proxy", Grammar::Match).unwrap_err();
    assert_eq!(why, "pfctl failed (exit status: 3)");
}

#[test]
fn a_pfctl_that_hangs_is_stopped_in_time_and_leaves_no_process() {
    let fake = empty("hang");
    fake.put("hang", "");
    let mut pf = fake.session();
    pf.patience = Duration::from_millis(300);
    let why = pf.grant(&grant(40000)).unwrap_err().to_string();
    assert_eq!(why, "pfctl takes too long and was stopped");
    let pid = fake.get("pid").unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists());
    // It may have got as far as to load them.
    fs::remove_file(fake.0.join("hang")).unwrap();
    fake.put("ruleset_ftp-proxy_77.rules", "pass");
    drop(pf);
    assert_eq!(fake.rules(), None);
}

#[test]
fn no_pfctl_at_all_says_where_it_was_looked_for() {
    let fake = empty("absent");
    fs::remove_file(fake.0.join("pfctl")).unwrap();
    let why = fake.check("ftp-proxy", Grammar::Match).unwrap_err();
    assert_eq!(why, format!("no pfctl(8) at {}/pfctl", fake.0.display()));
}

#[test]
fn anchors_of_the_main_ruleset_are_all_that_is_needed() {
    let rules = "block drop all\nanchor \"ftp-proxy/*\" all\n";
    let nat = "nat-anchor \"ftp-proxy/*\" all\nrdr-anchor \"ftp-proxy/*\" all\n";
    let fake = Fake::new("main", rules, nat);
    for (grammar, ..) in BOTH {
        assert_eq!(fake.check("ftp-proxy", grammar), Ok(()));
    }
    let load = "-q -a ftp-proxy/77 -f -";
    let sweep = "-a ftp-proxy -s Anchors";
    let wanted = [
        "-s info", "-s rules", "-s nat", load, sweep, "-s info", "-s rules", load, sweep,
    ];
    assert_eq!(fake.calls(), wanted);
}

#[test]
fn what_a_killed_session_left_in_the_anchor_is_gone_after_the_check() {
    let fake = Fake::new("left", "anchor \"ftp-proxy/*\" all\n", "");
    fake.put("ruleset_ftp-proxy_77.rules", "pass");
    assert_eq!(fake.check("ftp-proxy", Grammar::Match), Ok(()));
    assert_eq!(fake.rules(), None);
}

#[test]
fn rules_that_may_not_be_changed_are_noticed_before_they_are_needed() {
    let fake = Fake::new("level", "anchor \"ftp-proxy/*\" all\n", "");
    fake.put("refuse", "pfctl: DIOCXBEGIN: Operation not permitted\n");
    let why = fake.check("ftp-proxy", Grammar::Match).unwrap_err();
    assert_eq!(why, "pfctl: DIOCXBEGIN: Operation not permitted");
}

#[test]
fn an_anchor_that_is_gone_already_is_as_good_as_revoked() {
    let fake = empty("gone");
    let mut pf = fake.session();
    pf.grant(&grant(40000)).unwrap();
    fs::remove_file(fake.0.join("ruleset_ftp-proxy_77.rules")).unwrap();
    pf.revoke().unwrap();
    let (flush, load) = ("-q -a ftp-proxy/77 -F all", "-q -a ftp-proxy/77 -f -");
    assert_eq!(fake.calls(), [load, flush, load]);
    drop(pf);
    assert_eq!(fake.calls().len(), 3);
}

#[test]
fn a_missing_anchor_is_told_with_the_lines_to_add() {
    let fake = Fake::new("missing", "pass all\n", "nat-anchor \"ftp-proxy/*\" all\n");
    let load = "then `pfctl -f /etc/pf.conf`";
    let lacks = "pf.conf does not evaluate the rules of sessions: add";
    assert_eq!(
        fake.check("ftp-proxy", Grammar::Translation).unwrap_err(),
        format!("{lacks} `rdr-anchor \"ftp-proxy/*\"` and `anchor \"ftp-proxy/*\"`, {load}")
    );
    assert_eq!(
        fake.check("ftp-proxy", Grammar::Match).unwrap_err(),
        format!("{lacks} `anchor \"ftp-proxy/*\"`, {load}")
    );
    // One that nothing names does not count, whatever it names itself.
    fake.put("ruleset_ftp-proxy.rules", "anchor \"*\" all\n");
    assert!(fake.check("ftp-proxy", Grammar::Match).is_err());
}

#[test]
fn an_anchor_in_an_anchor_is_found_on_the_way_to_it() {
    let nat = |name: &str| format!("nat-anchor \"{name}\" all\nrdr-anchor \"{name}\" all\n");
    let rules = |name: &str| format!("anchor \"{name}\" all\n");
    let fake = Fake::new("nested", &rules("com.apple/*"), &nat("com.apple/*"));
    let name = "com.apple/100.InternetSharing/ftp-proxy";
    let why = fake.check(name, Grammar::Translation).unwrap_err();
    for kind in ["nat-anchor", "rdr-anchor", "anchor"] {
        assert!(why.contains(&format!("`{kind} \"{name}/*\"`")), "{why}");
    }
    let sharing = "ruleset_com.apple_100.InternetSharing";
    fake.put(&format!("{sharing}.rules"), &rules("ftp-proxy"));
    fake.put(&format!("{sharing}.nat"), &nat("ftp-proxy"));
    assert!(fake.check(name, Grammar::Translation).is_err());
    fake.put(&format!("{sharing}_ftp-proxy.rules"), &rules("*"));
    fake.put(&format!("{sharing}_ftp-proxy.nat"), &nat("*"));
    assert_eq!(fake.check(name, Grammar::Translation), Ok(()));
}

#[test]
fn a_filter_that_is_off_or_out_of_reach_is_said_to_be() {
    let fake = empty("off");
    fake.put(
        "info",
        "Status: Disabled for 0 days 00:00:01       Debug: Urgent\n",
    );
    let why = fake.check("ftp-proxy", Grammar::Match).unwrap_err();
    assert_eq!(
        why,
        "pf is disabled: enable it with `pfctl -e`; at securelevel(7) 3 it says so although it is enabled, and takes no rules"
    );
    fake.put("broken", "pfctl: /dev/pf: Permission denied\n");
    let why = fake.check("ftp-proxy", Grammar::Match).unwrap_err();
    assert_eq!(why, "pfctl: /dev/pf: Permission denied");
}

/// What became of a shell with this to do and this on standard input.
fn shell(script: &str, input: &[u8]) -> ftp_proxy::program::Said {
    let run = Run {
        program: Path::new("/bin/sh"),
        arguments: &["-c", script],
        directory: None,
        input: Some(input),
        longest: 1 << 21,
        complaint: 100,
        patience: Duration::from_secs(60),
    };
    run.run().unwrap()
}

#[test]
fn a_program_is_told_and_heard_at_the_same_time() {
    let long = vec![b'x'; 1 << 20];
    let said = shell("exec cat", &long);
    assert!(said.status.success());
    assert!(said.output == long);
    // More than a pipe holds, to whom nobody listens before the end.
    let said = shell("head -c 1000000 /dev/zero >&2; cat", b"heard");
    assert_eq!(said.output, b"heard");
    assert_eq!(said.complaint, vec![0; 100]);
}

#[test]
fn a_program_need_not_listen() {
    let said = shell("exit 4", &vec![b'x'; 1 << 20]);
    assert_eq!(said.status.code(), Some(4));
}

#[test]
fn a_busy_pf_is_asked_again() {
    for times in ["1", "5"] {
        let fake = empty(&format!("busy-{times}"));
        fake.put("busy", times);
        let mut pf = fake.session();
        pf.grant(&grant(40001)).unwrap();
        assert_eq!(fake.rules(), text(40001, Grammar::Translation));
        fake.put("busy", times);
        pf.revoke().unwrap();
        assert_eq!(fake.rules(), None);
    }
}

#[test]
fn a_pf_that_stays_busy_refuses_the_grant() {
    let fake = empty("busy-always");
    fake.put("busy", "1000");
    let why = fake.session().grant(&grant(40001)).unwrap_err();
    assert_eq!(why.to_string(), "pfctl: DIOCADDADDR: Device busy");
}

#[test]
fn sessions_that_grant_at_once_do_not_collide() {
    let fake = empty("alone");
    fake.put("alone", "");
    thread::scope(|scope| {
        for session in 100..112 {
            let fake = &fake;
            scope.spawn(move || {
                let options = RuleOptions::default();
                let mut pf = fake.pf_of(session, options, Grammar::Translation);
                pf.grant(&grant(40001)).unwrap();
                pf.revoke().unwrap();
            });
        }
    });
    assert_eq!(fake.get("collided"), None);
}

#[test]
fn anchors_of_dead_sessions_are_emptied_by_a_check() {
    let anchors = "nat-anchor \"ftp-proxy/*\" all\nrdr-anchor \"ftp-proxy/*\" all\n";
    let fake = Fake::new("swept", "anchor \"ftp-proxy/*\" all\n", anchors);
    let alive = process::id();
    let dead = i32::MAX;
    fake.put(
        "ruleset_ftp-proxy.Anchors",
        &format!("  ftp-proxy/{dead}\n  ftp-proxy/{alive}\n  ftp-proxy/0\n  ftp-proxy/named\n"),
    );
    let file = |anchor: &str| format!("ruleset_ftp-proxy_{anchor}.rules");
    let all = [
        dead.to_string(),
        alive.to_string(),
        "0".into(),
        "named".into(),
    ];
    for anchor in &all {
        fake.put(&file(anchor), "pass\n");
    }
    fake.check("ftp-proxy", Grammar::Translation).unwrap();
    let left = all
        .iter()
        .filter(|anchor| fake.get(&file(anchor)).is_some());
    assert!(left.eq(&all[1..]));
}
