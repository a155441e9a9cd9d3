//! What a session that has been taken over can have of its broker (docs/trust.md, The broker).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proxy::broker::{Judged, Rights, judge};
use ftp_proxy::endpoint::PortRange;
use ftp_proxy::net::LocalAddresses;
use ftp_proxy::options::{DataPath, LogRules, RuleOptions};
use ftp_proxy::rules::{Grant, Kind, nft, pf};

use super::script::{CLIENT, SERVER};

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Nothing with a third host, a low port, an address of ours that is not meant for it, or two families. The first byte has
/// the rights, the rest is the request; zeros make it long enough.
pub fn check(bytes: &[u8]) {
    let Some((&terms, bytes)) = bytes.split_first() else {
        return;
    };
    let mut request = [0; 37];
    request
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    let Ok(local) = LocalAddresses::read() else {
        return;
    };
    let rights = rights(terms, local);
    match judge(&rights, &request) {
        Err(why) => assert!(!why.is_empty()),
        Ok(Judged::Revoke) => assert_eq!(request[0], 5),
        Ok(Judged::Dial { to, from }) => {
            assert!(rights.from_port_20, "port 20 was not asked for");
            assert_eq!(to.ip(), rights.client.ip(), "a third host");
            assert!(to.port() >= 1024, "a service");
            assert_eq!(from, SocketAddr::new(rights.source_to_client, 0));
        }
        Ok(Judged::Grant(grant)) => granted(&rights, &grant),
    }
}

fn rights(terms: u8, local: LocalAddresses) -> Rights {
    let v6 = |last: u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
    let wide = terms & 1 != 0;
    let choose = |v4: IpAddr, last| if wide { v6(last) } else { v4 };
    Rights {
        client: SocketAddr::new(choose(CLIENT, 2), 40000),
        dialled: choose(SERVER, 1),
        facing_client: choose(OURS, 3),
        source_to_client: choose(OURS, 3),
        servers: vec![SERVER, v6(1)],
        local,
        ports: PortRange::DEFAULT,
        path: match terms >> 1 & 3 {
            0 => DataPath::Relay,
            1 => DataPath::Redirect,
            _ => DataPath::Kernel,
        },
        from_port_20: terms & 8 != 0,
        low_ports: false,
    }
}

fn granted(rights: &Rights, grant: &Grant) {
    let client = rights.client.ip();
    let server = |ip: IpAddr| rights.servers.contains(&ip);
    let ours = |ip: IpAddr| rights.local.contains(ip) && !ip.is_unspecified();
    let (from, at, to) = (grant.from, grant.at.ip(), grant.to.ip());
    let seen = grant.source.map(|source| source.address);
    let good = match grant.kind {
        Kind::Through if from == client => {
            at == rights.dialled && server(to) && seen.is_some_and(ours)
        }
        Kind::Through => server(from) && ours(at) && to == client && seen == Some(rights.dialled),
        Kind::Inward => {
            from == client && at == rights.dialled && to == rights.facing_client && seen.is_none()
        }
        Kind::Outward => {
            from == rights.source_to_client
                && to == client
                && at == client
                && seen == Some(rights.dialled)
        }
    };
    assert!(good, "{grant:?}");
    let kernel = grant.kind == Kind::Through;
    let path = if kernel {
        DataPath::Kernel
    } else {
        DataPath::Redirect
    };
    assert_eq!(rights.path, path, "{grant:?}");
    assert!(
        grant.at.port() >= 1024 && grant.to.port() >= 1024,
        "{grant:?}"
    );
    let from_20 = grant.source.and_then(|source| source.port);
    assert!(from_20.is_none_or(|port| port == 20 && rights.from_port_20));
    let all = [Some(from), Some(at), Some(to), seen];
    let families: BTreeSet<bool> = all.iter().flatten().map(IpAddr::is_ipv4).collect();
    assert_eq!(families.len(), 1, "{grant:?}");
    rendered(grant);
}

/// The rules say nothing that is not in the grant.
fn rendered(grant: &Grant) {
    let options = RuleOptions {
        anchor: "ftp-proxy".into(),
        tag: None,
        queue: None,
        log: LogRules::No,
    };
    let mut known: BTreeSet<String> = [grant.from, grant.at.ip(), grant.to.ip()]
        .into_iter()
        .chain(grant.source.map(|source| source.address))
        .map(|ip| ip.to_string())
        .collect();
    let ports = [grant.at.port(), grant.to.port()].into_iter();
    let ports = ports.chain(grant.source.and_then(|source| source.port));
    known.extend(ports.map(|port| port.to_string()));
    for grammar in [pf::Grammar::Translation, pf::Grammar::Match] {
        let text = pf::render(grant, &options, grammar);
        assert!(matches!(text.lines().count(), 1..=4), "{text}");
        for word in text
            .split_whitespace()
            .filter(|w| w.contains(|c: char| c.is_ascii_digit()))
        {
            let word = word.trim_matches(|c| matches!(c, '(' | ')'));
            assert!(
                known.contains(word) || matches!(word, "1" | "inet6"),
                "{word} in {text}"
            );
        }
    }
    assert!(matches!(nft::elements(grant).len(), 1..=3));
}
