//! ipnat.conf.example: the rule of ipnat.conf(5) and those of ipf.conf(5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ftp_proxy::options::Destination;

use super::inetd::services;
use super::words::{Words, Wrong, admits_data};
use super::{PORT, lines, shipped};

#[derive(Debug, PartialEq, Eq)]
enum Rule {
    /// ipnat.conf(5): interface, destination port, and where to.
    Redirect(String, u16, IpAddr, u16),
    Block(String),
    /// ipf.conf(5): "in" or "out", interface, and the port it asks for, if any.
    Pass(String, String, Port),
}

#[derive(Debug, PartialEq, Eq)]
enum Port {
    Any,
    Above(u16),
    Is(Ipv4Addr, u16),
}

fn interface(words: &mut Words) -> Result<String, Wrong> {
    let name = words.next()?;
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if kind == name || kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(format!("{name} is no interface"));
    }
    Ok(name.to_owned())
}

fn address(word: &str) -> Result<Ipv4Addr, Wrong> {
    word.parse().map_err(|_| format!("{word} is no address"))
}

fn redirection(words: &mut Words) -> Result<Rule, Wrong> {
    words.must("rdr")?;
    let on = interface(words)?;
    // Without the word, an IPv6 network is a syntax error to ipnat(8).
    let everywhere = if words.take("inet6") {
        words.one_of(&["::0/0"])?
    } else {
        words.one_of(&["0/0"])?
    };
    words.must("port")?;
    let port = words.port()?;
    words.must("->")?;
    let to: IpAddr = match (words.next()?, everywhere) {
        (to, "0/0") => address(to)?.into(),
        (to, _) => to
            .parse::<Ipv6Addr>()
            .map_err(|_| format!("{to} is no IPv6 address"))?
            .into(),
    };
    words.must("port")?;
    let rule = Rule::Redirect(on, port, to, words.port()?);
    words.must("tcp")?;
    Ok(rule)
}

fn block(words: &mut Words) -> Result<Rule, Wrong> {
    words.must("block in on")?;
    let on = interface(words)?;
    words.must("proto tcp all")?;
    Ok(Rule::Block(on))
}

fn pass(words: &mut Words) -> Result<Rule, Wrong> {
    words.must("pass")?;
    let way = words.one_of(&["in", "out"])?.to_owned();
    words.must("quick on")?;
    let on = interface(words)?;
    words.must("proto tcp from any to")?;
    let to = words.next()?;
    let port = if words.take("port") {
        match (words.one_of(&[">", "="])?, to) {
            (">", "any") => Port::Above(words.port()?),
            ("=", host) => {
                let host = host.strip_suffix("/32").ok_or("which hosts?")?;
                Port::Is(address(host)?, words.port()?)
            }
            _ => return Err(format!("a range of ports, but not to any: {to}")),
        }
    } else if to == "any" {
        Port::Any
    } else {
        return Err(format!("{to}: any port of it?"));
    };
    words.must("flags S keep state")?; // new connections only; the state has the rest
    Ok(Rule::Pass(way, on, port))
}

fn read(line: &str) -> Result<Rule, Wrong> {
    let mut words = Words::of(line);
    let rule = match words.peek() {
        Some("rdr") => redirection(&mut words),
        Some("block") => block(&mut words),
        _ => pass(&mut words),
    }?;
    words.end()?;
    Ok(rule)
}

/// The rules and whether they are live.
fn rules() -> Vec<(Rule, bool)> {
    lines(&shipped("ipnat.conf.example"))
        .iter()
        .map(|line| match read(&line.text) {
            Ok(rule) => (rule, line.live),
            Err(why) => panic!("{}: {why}", line.text),
        })
        .collect()
}

#[test]
fn a_rule_of_another_form_is_noticed() {
    let rdr = "rdr em1 0/0 port 21 -> 127.0.0.1 port 8021 tcp";
    let pass = "pass in quick on em0 proto tcp from any to any port > 49151 flags S keep state";
    assert!(read(rdr).is_ok() && read(pass).is_ok());
    for line in [
        &rdr.replace(" tcp", ""),
        &rdr.replace("0/0 ", ""),
        &rdr.replace("em1", "on em1"),
        &rdr.replace("em1", "$int_if"),
        &rdr.replace("127.0.0.1", "::1"),
        &rdr.replace("0/0", "::0/0"),
        &rdr.replace("0/0", "inet6 0/0"),
        &pass.replace("proto", "inet proto"),
        &pass.replace(" keep state", ""),
        &pass.replace("> 49151", "> 491510"),
        &pass.replace("to any", "to em0"),
        &format!("{pass} user proxy"),
    ] {
        assert!(read(line).is_err(), "{line}");
    }
}

#[test]
fn the_rule_of_ipnat_is_live_alone_and_goes_to_where_inetd_listens() {
    let rules = rules();
    let live: Vec<_> = rules.iter().filter(|(_, live)| *live).collect();
    let [(Rule::Redirect(inside, 21, IpAddr::V4(to), PORT), _)] = live.as_slice() else {
        panic!("{live:?}");
    };
    let listens = services().iter().any(|service| {
        matches!(service.options.destination, Destination::IpFilter(_))
            && service.address == Some(IpAddr::V4(*to))
    });
    assert!(listens);
    // The filter sees them after they were redirected.
    let admitted = Rule::Pass("in".to_owned(), inside.clone(), Port::Is(*to, PORT));
    assert!(rules.contains(&(admitted, false)));
}

#[test]
fn ipv6_clients_are_redirected_too_where_inetd_listens_and_not_to_the_loopback() {
    let rules = rules();
    let six = |rule: &Rule| matches!(rule, Rule::Redirect(on, 21, IpAddr::V6(to), PORT) if on == "em1" && !to.is_loopback());
    assert_eq!(rules.iter().filter(|(rule, _)| six(rule)).count(), 1);
    let listens = services().iter().any(|service| {
        matches!(service.options.destination, Destination::IpFilter(_))
            && service.protocol == "tcp6"
            && service.address.is_none()
    });
    assert!(listens);
}

#[test]
fn data_connections_pass_by_the_default_ports_on_both_sides() {
    let rules = rules();
    let inward: Vec<_> = rules
        .iter()
        .filter_map(|(rule, _)| match rule {
            Rule::Pass(way, on, Port::Above(port)) => Some((way.as_str(), on.as_str(), *port)),
            _ => None,
        })
        .collect();
    assert_eq!(inward, [("in", "em0", 49151), ("in", "em1", 49151)]);
    assert!(inward.iter().all(|(_, _, port)| admits_data(*port)));
}

#[test]
fn what_blocks_stands_on_the_outside_and_before_what_passes() {
    let rules = rules();
    let (first, _) = &rules[2]; // behind the rules of ipnat
    assert_eq!(*first, Rule::Block("em0".to_owned()));
    let passes = |(rule, _): &(Rule, bool)| matches!(rule, Rule::Pass(..));
    assert!(rules[3..].iter().all(passes));
}
