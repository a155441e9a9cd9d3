//! The manual shows what the packet filter is told of one data connection, as it is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proxy::options::RuleOptions;
use ftp_proxy::rules::nft;
use ftp_proxy::rules::pf::{Grammar, render};
use ftp_proxy::rules::{Grant, Kind, Source};

use super::manual::{displayed, joined};
use super::shipped;

/// The words of the manual, and a value for each.
const HOSTS: [(&str, [u8; 4]); 5] = [
    ("$client", [10, 0, 0, 2]),
    ("$server", [192, 0, 2, 1]),
    ("$proxy", [198, 51, 100, 9]),
    ("$inside", [10, 0, 0, 1]),
    ("$dialled", [203, 0, 113, 1]),
];
const PORTS: [(&str, u16); 2] = [("$port", 50000), ("$data", 40000)];

fn host(word: &str) -> IpAddr {
    let (_, octets) = HOSTS.iter().find(|(name, _)| *name == word).unwrap();
    IpAddr::from(*octets)
}

fn place(host_word: &str, port_word: &str) -> SocketAddr {
    let (_, port) = PORTS.iter().find(|(name, _)| *name == port_word).unwrap();
    SocketAddr::new(host(host_word), *port)
}

/// Kernel passive and active, redirect passive and active: as the manual has them.
fn grants() -> [Grant; 4] {
    let grant = |kind, from, at, to, source: Option<&str>| Grant {
        kind,
        from: host(from),
        at,
        to,
        source: source.map(|word| Source {
            address: host(word),
            port: None,
        }),
    };
    let at_client = place("$client", "$data");
    [
        grant(
            Kind::Through,
            "$client",
            place("$dialled", "$port"),
            place("$server", "$data"),
            Some("$proxy"),
        ),
        grant(
            Kind::Through,
            "$server",
            place("$proxy", "$port"),
            at_client,
            Some("$dialled"),
        ),
        grant(
            Kind::Inward,
            "$client",
            place("$dialled", "$port"),
            place("$inside", "$data"),
            None,
        ),
        grant(
            Kind::Outward,
            "$inside",
            at_client,
            at_client,
            Some("$dialled"),
        ),
    ]
}

/// Values as the words that stand for them.
fn worded(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let host = HOSTS
            .iter()
            .find(|(_, octets)| word == Ipv4Addr::from(*octets).to_string());
        let port = PORTS.iter().find(|(_, port)| word == port.to_string());
        match (host, port) {
            (Some((name, _)), _) | (None, Some((name, _))) => *name,
            (None, None) => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A concatenation of nf_tables: addresses, and in its third place or behind one address a port.
fn parts(bytes: &[u8], port_at: usize) -> String {
    let part = |(place, chunk): (usize, &[u8])| {
        if place == port_at {
            u16::from_be_bytes([chunk[0], chunk[1]]).to_string()
        } else {
            Ipv4Addr::from(<[u8; 4]>::try_from(chunk).unwrap()).to_string()
        }
    };
    let parts: Vec<_> = bytes.chunks(4).enumerate().map(part).collect();
    parts.join(" . ")
}

fn element(element: &nft::Element) -> String {
    let key = parts(&element.key, 2);
    let data = element.data.iter().map(|data| parts(data, 1));
    let data: String = data.map(|data| format!(" : {data}")).collect();
    worded(&format!("{} {key}{data}", element.set))
}

/// The lines of the manual that are as `wanted`.
fn shown(wanted: fn(&str) -> bool) -> Vec<String> {
    let lines = joined(&displayed(&shipped("ftp-proxy.8")));
    lines.into_iter().filter(|line| wanted(line)).collect()
}

#[test]
fn the_manual_shows_the_elements_of_each_grant() {
    let elements: Vec<_> = grants()
        .iter()
        .flat_map(nft::elements)
        .map(|one| element(&one))
        .collect();
    assert_eq!(elements.len(), 9);
    assert_eq!(shown(|line| line.contains(" . $")), elements);
}

#[test]
fn the_manual_shows_the_rules_of_each_grant_in_both_grammars() {
    let rules: Vec<_> = [Grammar::Translation, Grammar::Match]
        .into_iter()
        .flat_map(|grammar| grants().map(|g| render(&g, &RuleOptions::default(), grammar)))
        .flat_map(|text| text.lines().map(worded).collect::<Vec<_>>())
        .collect();
    assert_eq!(rules.len(), 18);
    assert_eq!(shown(|line| line.contains(" from $")), rules);
}
