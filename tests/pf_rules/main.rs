//! The rules for pf(4), held against a grammar of our own and against what they must do, and written out in
//! `tests/snapshots/pf` for people to read.
//!
//! Nothing here needs pf(4) but the last test.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod cases;
mod reader;
mod way;
#[path = "../examples/words.rs"]
mod words;

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ftp_proxy::program::Run;
use ftp_proxy::rules::pf::{Grammar, render};
use ftp_proxy::rules::{Grant, Kind};

use cases::{Case, cases};
use reader::{Rule, read};
use way::{Packet, carried};

const GRAMMARS: [(Grammar, &str); 2] = [
    (Grammar::Translation, "translation"),
    (Grammar::Match, "match"),
];

/// The grammar of this system.
const HERE: Grammar = if cfg!(target_os = "openbsd") {
    Grammar::Match
} else {
    Grammar::Translation
};

fn rules(case: &Case, grammar: Grammar) -> Vec<Rule> {
    let text = render(&case.grant, &case.options, grammar);
    read(&text, grammar).unwrap_or_else(|why| panic!("{}: {why}", case.title))
}

/// What becomes of `packet` under the rules of a case.
fn fate(case: &Case, grammar: Grammar, packet: Packet) -> Option<Packet> {
    let (enters, leaves) = match case.grant.kind {
        Kind::Through => (true, true),
        Kind::Inward => (true, false),
        Kind::Outward => (false, true),
    };
    carried(&rules(case, grammar), grammar, packet, enters, leaves)
}

/// The packet that the grant is for.
fn expected(grant: &Grant) -> Packet {
    Packet {
        from: (grant.from, None),
        to: grant.at,
    }
}

#[test]
fn a_granted_connection_arrives_where_and_as_the_grant_says() {
    for (grammar, _) in GRAMMARS {
        for case in cases() {
            let grant = case.grant;
            let source = grant
                .source
                .map_or((grant.from, None), |source| (source.address, source.port));
            let arrives = Packet {
                from: source,
                to: grant.to,
            };
            let fate = fate(&case, grammar, expected(&grant));
            assert_eq!(fate, Some(arrives), "{grammar:?} {}", case.title);
        }
    }
}

#[test]
fn no_other_connection_passes() {
    for (grammar, _) in GRAMMARS {
        for case in cases() {
            let own = expected(&case.grant);
            let stranger = if own.to.is_ipv4() {
                "203.0.113.9"
            } else {
                "2001:db8:bad::9"
            };
            let stranger: IpAddr = stranger.parse().unwrap();
            let others = [
                Packet {
                    from: (stranger, None),
                    ..own
                },
                Packet {
                    to: (stranger, own.to.port()).into(),
                    ..own
                },
                Packet {
                    to: (own.to.ip(), own.to.port() + 1).into(),
                    ..own
                },
                Packet {
                    from: (own.to.ip(), None),
                    to: (own.from.0, own.to.port()).into(),
                },
            ];
            for other in others {
                assert_eq!(
                    fate(&case, grammar, other),
                    None,
                    "{grammar:?} {}",
                    case.title
                );
            }
        }
    }
}

#[test]
fn each_rule_lets_one_connection_through_and_no_rule_behind_it_has_a_say() {
    for (grammar, _) in GRAMMARS {
        for case in cases().iter().filter(|case| case.options.tag.is_none()) {
            let rules = rules(case, grammar);
            let filters = rules.iter().filter(|rule| rule.does.contains(' '));
            assert!(filters.clone().count() > 0, "{}", case.title);
            assert!(
                filters.clone().all(|rule| rule.once && rule.quick),
                "{}",
                case.title
            );
        }
    }
}

#[test]
fn with_a_tag_a_rule_behind_it_decides_and_the_addresses_stay_changed() {
    for (grammar, _) in GRAMMARS {
        for case in cases().iter().filter(|case| case.options.tag.is_some()) {
            for rule in rules(case, grammar) {
                assert!(!rule.quick, "{}", case.title);
                // A `pass` that translates would be overruled as a whole.
                assert!(
                    rule.change.is_none() || !rule.does.starts_with("pass"),
                    "{}",
                    case.title
                );
            }
        }
    }
}

#[test]
fn a_tag_a_queue_and_the_log_are_on_every_rule_of_the_filter() {
    for (grammar, _) in GRAMMARS {
        for case in cases() {
            for rule in rules(&case, grammar)
                .iter()
                .filter(|rule| rule.does.contains(' '))
            {
                let asked = (&case.options.tag, &case.options.queue, case.options.log);
                assert_eq!((&rule.tag, &rule.queue, rule.log), asked, "{}", case.title);
            }
        }
    }
}

#[test]
fn a_rule_that_pfctl_would_refuse_is_noticed() {
    let rdr = "rdr inet proto tcp from 192.0.2.1 to 192.0.2.2 port 21 -> 192.0.2.3 port 22";
    let pass = "pass in quick inet proto tcp from 192.0.2.1 to 192.0.2.2 port 21 flags S/SA keep state (max 1)";
    let to = format!("{pass} rdr-to 192.0.2.3 port 22");
    let matches = to
        .replace("pass in quick", "match in")
        .replace(" keep state (max 1)", "");
    let good = |text: &str, grammar| read(text, grammar).is_ok();
    assert!(good(&format!("{rdr}\n{pass}\n"), Grammar::Translation));
    assert!(good(&to, Grammar::Match) && good(&matches, Grammar::Match));
    for (text, grammar) in [
        (format!("{pass}\n{rdr}"), Grammar::Translation),
        (rdr.to_owned(), Grammar::Match),
        (to.clone(), Grammar::Translation),
        (matches.clone(), Grammar::Translation),
        (pass.to_owned(), Grammar::Match),
        (
            matches.replace(" rdr-to", " keep state (max 1) rdr-to"),
            Grammar::Match,
        ),
        (to.replace("rdr-to", "nat-to"), Grammar::Match),
        (rdr.replace(" port 22", ""), Grammar::Translation),
        (rdr.replace("inet", "inet6"), Grammar::Translation),
        (
            rdr.replace("192.0.2.3", "2001:db8::1"),
            Grammar::Translation,
        ),
        (pass.replace("port 21", "port 210000"), Grammar::Translation),
        (pass.replace("flags S/SA ", ""), Grammar::Translation),
        (pass.replace("pass in", "pass"), Grammar::Translation),
        (pass.replace("quick", "quick log"), Grammar::Translation),
        (format!("{pass} tag ftp"), Grammar::Translation),
        (format!("{pass} set queue \"q\""), Grammar::Translation),
    ] {
        assert!(!good(&text, grammar), "{grammar:?} {text}");
    }
}

#[test]
fn the_text_is_what_the_snapshots_show() {
    for (grammar, name) in GRAMMARS {
        let mut text = String::new();
        for case in cases() {
            let rules = render(&case.grant, &case.options, grammar);
            writeln!(text, "# {}\n{rules}", case.title).unwrap();
        }
        let text = text.trim_end().to_owned() + "\n";
        let shown =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/pf/{name}.txt"));
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pf-{name}.txt"));
        fs::write(&fresh, &text).unwrap();
        let known = fs::read_to_string(&shown).unwrap_or_default();
        let (shown, fresh) = (shown.display(), fresh.display());
        assert!(
            known == text,
            "{shown} is not {fresh}: compare them, and copy it if it is right"
        );
    }
}

#[test]
#[cfg_attr(
    not(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd"
    )),
    ignore = "this system has no pfctl(8)"
)]
fn the_pfctl_of_this_system_takes_them() {
    for case in cases() {
        let rules = render(&case.grant, &case.options, HERE);
        let run = Run {
            program: Path::new("/sbin/pfctl"),
            arguments: &["-n", "-f", "-"],
            directory: None,
            input: Some(rules.as_bytes()),
            longest: 1 << 16,
            complaint: 1 << 12,
            patience: Duration::from_secs(20),
        };
        let said = run.run().unwrap();
        let complaint = String::from_utf8_lossy(&said.complaint);
        assert!(
            said.status.success(),
            "{}: {complaint}\n{rules}",
            case.title
        );
    }
}
