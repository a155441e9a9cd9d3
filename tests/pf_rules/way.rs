//! What rules do to a connection, as pf.conf(5) says it.

use std::net::{IpAddr, SocketAddr};

use ftp_proxy::rules::pf::Grammar;

use super::reader::Rule;

/// A connection at some point of its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    pub from: (IpAddr, Option<u16>),
    pub to: SocketAddr,
}

impl Packet {
    /// The rule that does this to it.
    fn met<'a>(&self, rules: &'a [Rule], does: &str) -> Option<&'a Rule> {
        let applies = |rule: &&Rule| rule.from == self.from.0 && rule.to == self.to;
        rules.iter().filter(|rule| rule.does == does).find(applies)
    }

    fn bring(&mut self, rule: &Rule) {
        let (ip, port) = rule.change.unwrap();
        self.to = (ip, port.unwrap()).into();
    }
}

/// What becomes of a first packet that arrives by wire (`enters`) and goes on by wire (`leaves`), where all that is not
/// passed is blocked.
pub fn carried(
    rules: &[Rule],
    grammar: Grammar,
    mut packet: Packet,
    enters: bool,
    leaves: bool,
) -> Option<Packet> {
    let action = if rules.iter().any(|rule| rule.tag.is_some()) && grammar == Grammar::Match {
        "match"
    } else {
        "pass"
    };
    let (inward, outward) = (format!("{action} in"), format!("{action} out"));
    if enters {
        if let Some(rdr) = packet.met(rules, "rdr") {
            packet.bring(rdr);
        }
        let passes = packet.met(rules, &inward)?;
        if grammar == Grammar::Match {
            packet.bring(passes);
        }
    }
    if leaves {
        if let Some(nat) = packet.met(rules, "nat") {
            packet.from = nat.change.unwrap();
        }
        let passes = packet.met(rules, &outward)?;
        if grammar == Grammar::Match {
            packet.from = passes.change.unwrap();
        }
    }
    Some(packet)
}
