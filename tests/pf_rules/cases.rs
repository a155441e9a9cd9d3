//! Every grant that there can be, and every way to ask for its rules.

use std::net::IpAddr;

use ftp_proxy::options::{LogRules, RuleOptions};
use ftp_proxy::rules::{Grant, Kind, Source};

/// Addresses of one family: the client, the server that it dialled, the server that serves it, and the proxy's own
/// toward the one and the other.
struct Net {
    name: &'static str,
    client: IpAddr,
    dialled: IpAddr,
    server: IpAddr,
    inside: IpAddr,
    outside: IpAddr,
}

fn nets() -> [Net; 2] {
    let net = |name, prefix: &str| {
        let at = |host: &str| format!("{prefix}{host}").parse().unwrap();
        Net {
            name,
            client: at("10"),
            dialled: at("21"),
            server: at("22"),
            inside: at("1"),
            outside: at("2"),
        }
    };
    [net("IPv4", "192.0.2."), net("IPv6", "2001:db8::")]
}

/// A data connection by its path, and what is granted for it.
fn grants(net: &Net, reply_port: Option<u16>) -> Vec<(&'static str, Grant)> {
    let (announced, real) = (50000, 40000);
    let source = |address, port| Some(Source { address, port });
    let through = |from, at: IpAddr, to: IpAddr, source| Grant {
        kind: Kind::Through,
        from,
        at: (at, announced).into(),
        to: (to, real).into(),
        source,
    };
    let inward = Grant {
        kind: Kind::Inward,
        from: net.client,
        at: (net.dialled, real).into(),
        to: (net.inside, real).into(),
        source: None,
    };
    let outward = Grant {
        kind: Kind::Outward,
        from: net.inside,
        at: (net.client, real).into(),
        to: (net.client, real).into(),
        source: source(net.dialled, reply_port),
    };
    let passive = through(
        net.client,
        net.dialled,
        net.server,
        source(net.outside, None),
    );
    let active = through(
        net.server,
        net.outside,
        net.client,
        source(net.dialled, reply_port),
    );
    vec![
        ("kernel, passive", passive),
        ("kernel, active", active),
        ("redirect, passive", inward),
        ("redirect, active", outward),
    ]
}

/// Ways to ask for rules, as they are asked for.
fn options() -> Vec<(&'static str, RuleOptions)> {
    let plain = RuleOptions::default;
    let (tag, queue) = (Some("ftp_data".to_owned()), Some("bulk".to_owned()));
    vec![
        ("", plain()),
        (
            "--tag ftp_data",
            RuleOptions {
                tag: tag.clone(),
                ..plain()
            },
        ),
        (
            "--queue bulk",
            RuleOptions {
                queue: queue.clone(),
                ..plain()
            },
        ),
        (
            "--log-rules",
            RuleOptions {
                log: LogRules::First,
                ..plain()
            },
        ),
        (
            "--log-rules=all",
            RuleOptions {
                log: LogRules::All,
                ..plain()
            },
        ),
        (
            "--tag ftp_data --queue bulk --log-rules=all",
            RuleOptions {
                tag,
                queue,
                log: LogRules::All,
                ..plain()
            },
        ),
    ]
}

/// A grant and a way to ask for its rules.
pub struct Case {
    pub title: String,
    pub grant: Grant,
    pub options: RuleOptions,
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for net in nets() {
        for (name, options) in options() {
            for (path, grant) in grants(&net, None) {
                let title = format!("{path}, {} {name}", net.name);
                let title = title.trim_end().to_owned();
                cases.push(Case {
                    title,
                    grant,
                    options: options.clone(),
                });
            }
        }
        let of_old = grants(&net, Some(20)).into_iter();
        for (path, grant) in of_old.filter(|(path, _)| path.ends_with(" active")) {
            let title = format!("{path}, {} --rewrite-source-port", net.name);
            cases.push(Case {
                title,
                grant,
                options: RuleOptions::default(),
            });
        }
    }
    cases
}
