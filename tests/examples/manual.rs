//! ftp-proxy.8 shows the examples as they are: a line that stands in one stands in the other.

use std::collections::BTreeSet;

use super::{lines, shipped};

/// The lines that the manual shows as they are, without the prompt of a root shell.
pub fn displayed(manual: &str) -> Vec<String> {
    let mut literal = false;
    let mut found = Vec::new();
    for line in manual.lines() {
        let shown = match line.split_once(' ').unwrap_or((line, "")) {
            (".Bd", kind) => {
                literal = kind.starts_with("-literal");
                None
            }
            (".Ed", _) => {
                literal = false;
                None
            }
            (".Dl", text) => Some(text),
            _ => literal.then_some(line),
        };
        found.extend(shown.map(|text| text.strip_prefix("# ").unwrap_or(text).to_owned()));
    }
    found
}

/// Whether a line is a service of inetd.conf(5).
fn is_service(line: &str) -> bool {
    line.contains(" stream tcp")
}

/// Whether a line is a rule or a macro of pf.conf(5), ipnat.conf(5) or ipf.conf(5).
fn is_rule(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or("");
    let rule = ["rdr", "pass", "block"].contains(&first) || first.ends_with("anchor");
    rule && !is_granted(line) || line.contains(" = \"")
}

/// Whether a line is a rule that the program loads itself, for one data connection. It names a peer.
fn is_granted(line: &str) -> bool {
    line.contains("$client") || line.contains("$server")
}

/// Whether a line, or the first half of one, is a rule of nftables.
fn is_nftables(line: &str) -> bool {
    ["ct ", "iifname ", "ip saddr ", "snat "]
        .iter()
        .any(|word| line.starts_with(word))
}

/// Lines that end in a backslash go on in the next; blanks count as one.
pub fn joined(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n").replace("\\e\n", " ");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

/// Whether a line is a setting of rc.conf(5).
fn is_setting(line: &str) -> bool {
    line.contains("=\"")
}

fn shown(wanted: fn(&str) -> bool) -> BTreeSet<String> {
    let all = displayed(&shipped("ftp-proxy.8"));
    all.into_iter().filter(|line| wanted(line)).collect()
}

fn usable(paths: &[&str]) -> BTreeSet<String> {
    let all = paths.iter().flat_map(|path| lines(&shipped(path)));
    all.map(|line| line.text).collect()
}

#[test]
fn what_mdoc_shows_as_it_is_is_found() {
    let manual = "prose\n.Bd -literal -offset indent\nrdr a\n.Ed\npass b\n.Bd -ragged\nblock c\n.Ed\n.Dl # pfctl -E\n";
    assert_eq!(displayed(manual), ["rdr a", "pfctl -E"]);
}

#[test]
fn the_manual_and_the_readme_publish_a_server_behind_nat_alike() {
    let is_it = |line: &String| line.contains(" --masquerade ");
    let manual = joined(&displayed(&shipped("ftp-proxy.8")));
    let readme = shipped("README.md").replace("\\\n", " ");
    let readme: Vec<String> = readme
        .lines()
        .filter(|line| line.starts_with("    "))
        .map(str::to_owned)
        .collect();
    let [manual, readme] = [manual, joined(&readme)].map(|lines| lines.into_iter().find(is_it));
    assert!(manual.is_some());
    assert_eq!(manual, readme);
}

#[test]
fn the_manual_and_inetd_conf_example_have_the_same_lines() {
    assert_eq!(shown(is_service), usable(&["inetd.conf.example"]));
}

#[test]
fn the_manual_and_the_examples_for_packet_filters_have_the_same_rules() {
    let shown = shown(is_rule);
    assert_eq!(shown, usable(&["pf.conf.example", "ipnat.conf.example"]));
}

#[test]
fn the_rules_of_nftables_that_the_manual_shows_stand_in_nftables_conf_example() {
    let example = shipped("nftables.conf.example");
    let example: BTreeSet<_> = example
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ', '\t']))
        .collect();
    let shown = joined(&displayed(&shipped("ftp-proxy.8")));
    let rules: Vec<_> = shown
        .iter()
        .filter(|line| is_nftables(line))
        .map(|line| line.replace("\\(dqlan0\\(dq", "$client_if"))
        .collect();
    assert_eq!(rules.len(), 5);
    for rule in rules {
        assert!(example.contains(rule.as_str()), "{rule}");
    }
}

#[test]
fn the_manual_and_the_settings_for_freebsd_are_the_same() {
    let live = lines(&shipped("contrib/freebsd/rc.conf.example"));
    let live = live.into_iter().filter(|line| line.live);
    assert_eq!(shown(is_setting), live.map(|line| line.text).collect());
}

#[test]
fn the_manual_and_pf_conf_example_load_the_same_anchors() {
    let loads = |line: &str| line.starts_with("pfctl -a") && line.contains(" -f ");
    let example = shipped("pf.conf.example");
    let commands = example.lines().filter_map(|line| line.strip_prefix("#\t"));
    let commands: BTreeSet<_> = commands
        .filter(|line| loads(line))
        .map(str::to_owned)
        .collect();
    assert!(!commands.is_empty());
    assert_eq!(shown(loads), commands);
}
