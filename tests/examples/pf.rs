//! pf.conf.example: the rules are in the grammar of the system they are for, and lead to where inetd listens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ftp_proxy::options::{Destination, RuleOptions, USER};
use ftp_proxy::rules::anchor::{Listing, missing};
use ftp_proxy::rules::pf;

use super::inetd::services;
use super::words::{Words, Wrong, admits_data};
use super::{Line, PORT, lines, shipped};

/// The heading under which OpenBSD's rules stand; those above are for the other systems.
const OPENBSD: &str = "# OpenBSD: ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grammar {
    /// FreeBSD, NetBSD, macOS: translation rules stand apart, before the filter rules.
    Older,
    /// OpenBSD: translation is an option of a filter rule.
    OpenBsd,
}

#[derive(Debug, Default)]
struct Rule {
    action: String,
    /// Which way it carries packets off, and to where.
    target: Option<(String, IpAddr, u16)>,
    /// The client's destination port, or the lowest but one of ours.
    port: Option<(bool, u16)>,
    user: Option<String>,
}

/// Macros by name, as far as they are defined.
type Macros = BTreeMap<String, String>;

fn known(word: &str, macros: &Macros) -> Result<String, Wrong> {
    match word.strip_prefix('$') {
        Some(name) => macros
            .get(name)
            .cloned()
            .ok_or_else(|| format!("${name} is not defined")),
        None => Ok(word.to_owned()),
    }
}

/// `name = "value"`.
fn define(line: &str, macros: &mut Macros) -> Option<()> {
    let (name, value) = line.split_once(" = ")?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    let letters = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
    };
    (letters(name) && letters(value)).then(|| macros.insert(name.to_owned(), value.to_owned()))?;
    Some(())
}

/// An interface is named by a macro: it is what the administrator must set.
fn interface(words: &mut Words, macros: &Macros) -> Result<(), Wrong> {
    let word = words.next()?;
    if !word.starts_with('$') {
        return Err(format!("{word}: an interface belongs into a macro"));
    }
    known(word, macros).map(|_| ())
}

fn family(words: &mut Words) -> Option<bool> {
    match words.peek() {
        _ if words.take("inet") => Some(false),
        _ if words.take("inet6") => Some(true),
        _ => None,
    }
}

/// "any", or the addresses of an interface.
fn addresses(words: &mut Words, macros: &Macros) -> Result<(), Wrong> {
    if words.take("any") {
        return Ok(());
    }
    interface(words, macros)
}

/// An address of this machine and a port.
fn destination(
    words: &mut Words,
    macros: &Macros,
    ipv6: Option<bool>,
) -> Result<(IpAddr, u16), Wrong> {
    let word = known(words.next()?, macros)?;
    let ip: IpAddr = word.parse().map_err(|_| format!("{word} is no address"))?;
    if ipv6 != Some(ip.is_ipv6()) {
        return Err(format!("{ip} is not of the rule's family"));
    }
    words.must("port")?;
    Ok((ip, words.port()?))
}

fn redirection(words: &mut Words, macros: &Macros) -> Result<Rule, Wrong> {
    words.must("rdr pass on")?;
    interface(words, macros)?;
    let ipv6 = family(words);
    words.must("proto tcp from any to any port")?;
    let port = words.port()?;
    words.must("->")?;
    let (ip, to) = destination(words, macros, ipv6)?;
    Ok(Rule {
        action: "rdr".to_owned(),
        target: Some(("->".to_owned(), ip, to)),
        port: Some((false, port)),
        user: None,
    })
}

/// A place for rules that are loaded later, by its name in quotes.
fn anchor(words: &mut Words, grammar: Grammar) -> Result<Rule, Wrong> {
    let kinds: &[_] = match grammar {
        Grammar::Older => &["nat-anchor", "rdr-anchor", "anchor"],
        Grammar::OpenBsd => &["anchor"],
    };
    let action = words.one_of(kinds)?.to_owned();
    let name = words.next()?;
    if name.len() < 3 || !name.starts_with('"') || !name.ends_with('"') {
        return Err(format!("{name} is no name of an anchor"));
    }
    Ok(Rule {
        action,
        ..Rule::default()
    })
}

fn filter(words: &mut Words, macros: &Macros, grammar: Grammar) -> Result<Rule, Wrong> {
    let mut rule = Rule {
        action: words.one_of(&["pass", "block"])?.to_owned(),
        ..Rule::default()
    };
    words.one_of(&["in", "out"])?;
    if words.take("on") {
        interface(words, macros)?;
    }
    let ipv6 = family(words);
    words.must("proto tcp")?;
    if words.take("all") {
        return Ok(rule);
    }
    if words.take("from") {
        addresses(words, macros)?;
        // Port 20 is root's, whatever user the sessions have.
        if words.take("port") {
            words.must("20 to any user root keep state")?;
            return Ok(rule);
        }
    }
    words.must("to")?;
    if words.peek() != Some("port") {
        addresses(words, macros)?;
    }
    if words.take("port") {
        rule.port = Some((words.take(">"), words.port()?));
    }
    if words.take("user") {
        rule.user = Some(words.next()?.to_owned());
    }
    match grammar {
        Grammar::OpenBsd if words.peek().is_some() => {
            let way = words.one_of(&["divert-to", "rdr-to"])?;
            let (ip, port) = destination(words, macros, ipv6)?;
            rule.target = Some((way.to_owned(), ip, port));
        }
        Grammar::OpenBsd => {} // state is kept unless a rule says otherwise
        Grammar::Older if rule.action == "pass" => words.must("keep state")?,
        Grammar::Older => {}
    }
    Ok(rule)
}

fn read(line: &str, macros: &Macros, grammar: Grammar) -> Result<Rule, Wrong> {
    let mut words = Words::of(line);
    let rule = match words.peek() {
        Some(word) if word.ends_with("anchor") => anchor(&mut words, grammar)?,
        Some("rdr") if grammar == Grammar::Older => redirection(&mut words, macros)?,
        _ => filter(&mut words, macros, grammar)?,
    };
    words.end()?;
    Ok(rule)
}

/// The lines for the older systems and those for OpenBSD.
fn parts(text: &str) -> [(Vec<Line>, Grammar); 2] {
    let (older, openbsd) = text.split_once(OPENBSD).expect("a part for OpenBSD");
    // What is left of the heading is prose.
    let (_, openbsd) = openbsd.split_once('\n').expect("rules");
    [
        (lines(older), Grammar::Older),
        (lines(openbsd), Grammar::OpenBsd),
    ]
}

/// The rules, each with its grammar and whether it is live; macros are taken in on the way.
fn rules() -> Vec<(Rule, Grammar, bool)> {
    let mut macros = Macros::new();
    let mut rules = Vec::new();
    for (part, grammar) in parts(&shipped("pf.conf.example")) {
        for Line { text, live } in part {
            if define(&text, &mut macros).is_none() {
                let rule = read(&text, &macros, grammar);
                let rule = rule.unwrap_or_else(|why| panic!("{text}: {why}"));
                rules.push((rule, grammar, live));
            }
        }
    }
    rules
}

#[test]
fn a_rule_that_pfctl_would_refuse_is_noticed() {
    let mut macros = Macros::new();
    assert!(define("int_if = \"em1\"", &mut macros).is_some());
    assert!(define("int_if = em1", &mut macros).is_none());
    let rdr = "rdr pass on $int_if inet proto tcp from any to any port 21 -> 127.0.0.1 port 8021";
    let divert = "pass in on $int_if inet proto tcp to port ftp divert-to 127.0.0.1 port 8021";
    let user = "pass in on $int_if inet proto tcp from any to $int_if user proxy keep state";
    assert!(read(rdr, &macros, Grammar::Older).is_ok());
    assert!(read(divert, &macros, Grammar::OpenBsd).is_ok());
    assert!(read(user, &macros, Grammar::Older).is_ok());
    let nat_anchor = "nat-anchor \"ftp-proxy/*\"";
    assert!(read(nat_anchor, &macros, Grammar::Older).is_ok());
    assert!(read("anchor \"ftp-proxy/*\"", &macros, Grammar::OpenBsd).is_ok());
    for (line, grammar) in [
        (rdr, Grammar::OpenBsd),
        (divert, Grammar::Older),
        (user, Grammar::OpenBsd),
        (&rdr.replace("$int_if", "$lan"), Grammar::Older),
        (&rdr.replace("$int_if", "em1"), Grammar::Older),
        (&rdr.replace("inet", "inet6"), Grammar::Older),
        (&rdr.replace(" inet", ""), Grammar::Older),
        (&rdr.replace("127.0.0.1", "localhost"), Grammar::Older),
        (&rdr.replace("8021", "80210"), Grammar::Older),
        (&rdr.replace("->", "rdr-to"), Grammar::Older),
        (&rdr.replace(" proto tcp", ""), Grammar::Older),
        (&format!("{rdr} tcp"), Grammar::Older),
        (&divert.replace("divert-to", "diverted"), Grammar::OpenBsd),
        (&user.replace(" state", ""), Grammar::Older),
        (nat_anchor, Grammar::OpenBsd),
        (&nat_anchor.replace('"', ""), Grammar::Older),
        (&format!("{nat_anchor} all tcp"), Grammar::Older),
        ("anchor", Grammar::OpenBsd),
    ] {
        assert!(read(line, &macros, grammar).is_err(), "{grammar:?} {line}");
    }
}

#[test]
fn as_it_stands_it_redirects_and_blocks_nothing() {
    let live = rules().into_iter().filter(|(_, _, live)| *live);
    let actions: Vec<_> = live.map(|(rule, ..)| rule.action).collect();
    assert_eq!(actions, ["nat-anchor", "rdr-anchor", "rdr", "anchor"]);
}

/// The lines that the proxy would miss if the rulesets on the way to the anchor `name` were these.
fn lacking(rulesets: &[&str], name: &str, grammar: pf::Grammar) -> Vec<String> {
    let listing = |text: &&str| Listing {
        rules: (*text).to_owned(),
        nat: (*text).to_owned(),
    };
    let listings: Vec<_> = rulesets.iter().map(listing).collect();
    missing(&listings, name, grammar)
}

#[test]
fn the_proxy_finds_its_anchors_there() {
    let text = shipped("pf.conf.example");
    let [older, openbsd] = parts(&text).map(|(lines, _)| {
        let lines = lines.into_iter().map(|line| line.text + "\n");
        lines.collect::<String>()
    });
    let name = RuleOptions::default().anchor;
    let none: [String; 0] = [];
    assert_eq!(lacking(&[&older], &name, pf::Grammar::Translation), none);
    assert_eq!(lacking(&[&openbsd], &name, pf::Grammar::Match), none);

    // macOS: changed, loaded and told to the proxy as the file says.
    let name = "com.apple/ftp-proxy";
    assert!(text.contains(&format!("pfctl -a {name} -f")));
    assert!(text.contains(&format!("`--anchor {name}`")));
    assert!(text.contains("Write \"*\" for \"ftp-proxy/*\""));
    let apple =
        ["nat-anchor", "rdr-anchor", "anchor"].map(|kind| format!("{kind} \"com.apple/*\" all\n"));
    let apple = apple.concat();
    let changed = older.replace("\"ftp-proxy/*\"", "\"*\"");
    for (ruleset, lines) in [(older, 3), (changed, 0)] {
        let rulesets = [apple.as_str(), "", &ruleset];
        let missed = lacking(&rulesets, name, pf::Grammar::Translation);
        assert_eq!(missed.len(), lines, "{missed:?}");
    }
}

#[test]
fn ftp_goes_to_where_inetd_listens() {
    let services = services();
    let mut ways = BTreeSet::new();
    for (rule, _, _) in rules() {
        let Some((way, ip, port)) = rule.target else {
            continue;
        };
        assert_eq!((rule.port, port), (Some((false, 21)), PORT));
        let asks = if way == "divert-to" {
            Destination::Diverted
        } else {
            Destination::Pf
        };
        let listens = services.iter().any(|service| {
            service.options.destination == asks
                && match service.address {
                    Some(address) => address == ip,
                    None => ip.is_ipv6() == (service.protocol == "tcp6"),
                }
        });
        assert!(listens, "nobody with {asks:?} on {ip}");
        ways.insert((way, ip.is_ipv6()));
    }
    let way = |way: &str, ipv6| (way.to_owned(), ipv6);
    let wanted = [
        way("->", false),
        way("->", true),
        way("divert-to", false),
        way("divert-to", true),
        way("rdr-to", false),
    ];
    assert_eq!(ways, BTreeSet::from(wanted));
}

#[test]
fn translation_comes_first_and_grants_come_between_what_blocks_and_what_passes() {
    let order = |rule: &Rule| match rule.action.as_str() {
        "nat-anchor" | "rdr-anchor" => 0,
        "rdr" => 1,
        "block" => 2,
        "anchor" => 3,
        _ => 4,
    };
    for grammar in [Grammar::Older, Grammar::OpenBsd] {
        let rules = rules();
        let mut places = rules.iter().filter(|(_, its, _)| *its == grammar);
        assert!(places.by_ref().is_sorted_by_key(|(rule, _, _)| order(rule)));
    }
}

#[test]
fn data_connections_pass_by_the_default_ports() {
    let above: Vec<_> = rules()
        .into_iter()
        .filter_map(|(rule, _, _)| rule.port)
        .filter(|(above, _)| *above)
        .collect();
    assert_eq!(above.len(), 2, "in from servers and from clients");
    assert!(above.iter().all(|(_, port)| admits_data(*port)));
}

#[test]
fn data_connections_pass_by_the_user_that_the_sessions_run_as() {
    let services = services();
    for (asks, grammar) in [
        (Destination::Pf, Grammar::Older),
        (Destination::Diverted, Grammar::OpenBsd),
    ] {
        let users: BTreeSet<_> = rules()
            .into_iter()
            .filter(|(_, its, _)| *its == grammar)
            .filter_map(|(rule, _, _)| rule.user)
            .collect();
        assert_eq!(users.len(), 1, "{users:?}");
        let user = users.first().unwrap();
        assert_eq!(user == USER, grammar == Grammar::Older);
        let runs =
            |s: &super::inetd::Service| s.options.destination == asks && s.session_user() == user;
        assert!(services.iter().any(runs), "no session runs as {user}");
    }
}
