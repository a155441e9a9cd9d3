//! A reader of rules as strict as pfctl(8), for as much of its grammar as the program uses.

use std::net::{IpAddr, SocketAddr};

use ftp_proxy::options::LogRules;
use ftp_proxy::rules::pf::Grammar;

use super::words::{Words, Wrong};

/// A rule as pf(4) takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// "rdr", "nat", "pass in", "match out" and so on.
    pub does: String,
    pub from: IpAddr,
    pub to: SocketAddr,
    pub quick: bool,
    /// It keeps one state.
    pub once: bool,
    pub log: LogRules,
    pub queue: Option<String>,
    pub tag: Option<String>,
    pub change: Option<(IpAddr, Option<u16>)>,
}

fn address(words: &mut Words, ipv6: bool) -> Result<IpAddr, Wrong> {
    let word = words.next()?;
    let ip: IpAddr = word.parse().map_err(|_| format!("{word} is no address"))?;
    if ip.is_ipv6() == ipv6 {
        Ok(ip)
    } else {
        Err(format!("{ip} is not of the rule's family"))
    }
}

fn hosts(words: &mut Words) -> Result<(IpAddr, SocketAddr, bool), Wrong> {
    let ipv6 = words.one_of(&["inet", "inet6"])? == "inet6";
    words.must("proto tcp from")?;
    let from = address(words, ipv6)?;
    words.must("to")?;
    let to = address(words, ipv6)?;
    words.must("port")?;
    Ok((from, (to, words.port()?).into(), ipv6))
}

/// An address, and a port where one must or may be.
fn change(words: &mut Words, ipv6: bool, must: bool) -> Result<(IpAddr, Option<u16>), Wrong> {
    let ip = address(words, ipv6)?;
    if must || words.peek() == Some("port") {
        words.must("port")?;
        return Ok((ip, Some(words.port()?)));
    }
    Ok((ip, None))
}

fn quoted(words: &mut Words) -> Result<String, Wrong> {
    let word = words.next()?;
    let inner = word.strip_prefix('"').and_then(|w| w.strip_suffix('"'));
    inner
        .map(str::to_owned)
        .ok_or_else(|| format!("{word} is not quoted"))
}

fn translation(words: &mut Words) -> Result<Rule, Wrong> {
    let does = words.one_of(&["rdr", "nat"])?.to_owned();
    let (from, to, ipv6) = hosts(words)?;
    words.must("->")?;
    let change = Some(change(words, ipv6, does == "rdr")?);
    let (quick, once, log, queue, tag) = (false, false, LogRules::No, None, None);
    Ok(Rule {
        does,
        from,
        to,
        quick,
        once,
        log,
        queue,
        tag,
        change,
    })
}

fn log(words: &mut Words) -> LogRules {
    if !words.take("log") {
        LogRules::No
    } else if words.take("(all)") {
        LogRules::All
    } else {
        LogRules::First
    }
}

fn filter(words: &mut Words, grammar: Grammar) -> Result<Rule, Wrong> {
    let actions: &[_] = if grammar == Grammar::Match {
        &["pass", "match"]
    } else {
        &["pass"]
    };
    let action = words.one_of(actions)?;
    let way = words.one_of(&["in", "out"])?;
    let log = log(words);
    let quick = words.take("quick");
    let (from, to, ipv6) = hosts(words)?;
    words.must("flags S/SA")?;
    // pfctl of OpenBSD: only a rule that passes may keep state.
    let once = action == "pass";
    if once {
        words.must("keep state (max 1)")?;
    }
    let set = grammar == Grammar::Match && words.take("set");
    let queue = if set || words.peek() == Some("queue") {
        words.must("queue")?;
        Some(quoted(words)?)
    } else {
        None
    };
    let tag = if words.take("tag") {
        Some(quoted(words)?)
    } else {
        None
    };
    let change = match (grammar, way) {
        (Grammar::Translation, _) => None,
        (Grammar::Match, "in") => {
            words.must("rdr-to")?;
            Some(change(words, ipv6, true)?)
        }
        (Grammar::Match, _) => {
            words.must("nat-to")?;
            Some(change(words, ipv6, false)?)
        }
    };
    let does = format!("{action} {way}");
    Ok(Rule {
        does,
        from,
        to,
        quick,
        once,
        log,
        queue,
        tag,
        change,
    })
}

/// All rules of a text.
pub fn read(text: &str, grammar: Grammar) -> Result<Vec<Rule>, Wrong> {
    let mut rules: Vec<Rule> = Vec::new();
    for line in text.lines() {
        let mut words = Words::of(line);
        let translates = matches!(words.peek(), Some("rdr" | "nat"));
        let rule = if translates && grammar == Grammar::Translation {
            if rules.iter().any(|rule| rule.does.contains(' ')) {
                return Err(format!("{line}: translation comes first"));
            }
            translation(&mut words)
        } else {
            filter(&mut words, grammar)
        };
        rules.push(
            rule.and_then(|rule| words.end().map(|()| rule))
                .map_err(|why| format!("{line}: {why}"))?,
        );
    }
    Ok(rules)
}
