//! pf(4): a grant as the rules of a session's own anchor (pf.conf(5)).
//!
//! They say all that can be said of the one connection that they are for, and let it through once (`max 1`). They are
//! `quick`, so that no rule behind the anchor has a say in it; with a tag they are not, because then one is to have it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Grant, Kind, Source};
use crate::options::{LogRules, RuleOptions};

/// Where a system writes that addresses are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// In rules of their own, `nat` and `rdr`, before those of the filter: FreeBSD, NetBSD, DragonFly, macOS.
    Translation,
    /// In the rules of the filter, by `nat-to` and `rdr-to`: OpenBSD since 4.7.
    Match,
}

/// The whole text of the anchor.
#[must_use]
pub fn render(grant: &Grant, options: &RuleOptions, grammar: Grammar) -> String {
    let dialled = Hosts(grant.from, grant.at);
    let brought = Hosts(grant.from, grant.to);
    let brings = (grant.kind != Kind::Outward).then_some(Place(grant.to));
    let source = grant.source;
    let filter = |way, hosts, changes: &str| filter(way, &hosts, options, grammar) + changes;
    let mut rules = Vec::new();
    match grammar {
        // The filter sees what translation has left: where it is brought, and on the way out as whom.
        Grammar::Translation => {
            rules.extend(brings.map(|to| format!("rdr {dialled} -> {to}")));
            rules.extend(source.map(|source| format!("nat {brought} -> {}", seen_as(source))));
            rules.extend(brings.map(|_| filter("in", brought, "")));
            let seen = |source: Source| Hosts(source.address, grant.to);
            rules.extend(source.map(|source| filter("out", seen(source), "")));
        }
        // The filter sees it as it comes.
        Grammar::Match => {
            let rdr_to = |to| format!(" rdr-to {to}");
            rules.extend(brings.map(|to| filter("in", dialled, &rdr_to(to))));
            let nat_to = |source| format!(" nat-to {}", seen_as(source));
            rules.extend(source.map(|source| filter("out", brought, &nat_to(source))));
        }
    }
    rules.iter().flat_map(|rule| [rule, "\n"]).collect()
}

/// A rule of the filter. Where it is also the one that changes addresses, another one behind it would pass the
/// connection unchanged, so that a rule with a tag is a `match` there: its changes stay. It keeps no state of its own.
fn filter(way: &str, hosts: &Hosts, options: &RuleOptions, grammar: Grammar) -> String {
    let tagged = options.tag.is_some();
    let matches = tagged && grammar == Grammar::Match;
    let log = match options.log {
        LogRules::No => "",
        LogRules::First => " log",
        LogRules::All => " log (all)",
    };
    let mut rule = if matches { "match " } else { "pass " }.to_owned() + way + log;
    rule += if tagged { "" } else { " quick" };
    rule += &format!(" {hosts} flags S/SA");
    rule += if matches { "" } else { " keep state (max 1)" };
    // In quotes nothing is a keyword, a number or a macro.
    if let Some(queue) = &options.queue {
        let set = if grammar == Grammar::Match {
            "set "
        } else {
            ""
        };
        rule += &format!(" {set}queue \"{queue}\"");
    }
    if let Some(tag) = &options.tag {
        rule += &format!(" tag \"{tag}\"");
    }
    rule
}

/// Who dials, and what.
#[derive(Clone, Copy)]
struct Hosts(IpAddr, SocketAddr);

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hosts(from, to) = self;
        let family = if to.is_ipv4() { "inet" } else { "inet6" };
        write!(f, "{family} proto tcp from {from} to {}", Place(*to))
    }
}

/// An address and a port, for a rule.
#[derive(Clone, Copy)]
struct Place(SocketAddr);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.0.ip(), self.0.port())
    }
}

/// As whom it arrives, for a rule.
fn seen_as(source: Source) -> String {
    match source.port {
        Some(port) => Place(SocketAddr::new(source.address, port)).to_string(),
        None => source.address.to_string(),
    }
}
