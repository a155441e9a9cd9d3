//! How a session learns where its client wants to go.

use super::BadUsage;
use super::given::Given;
use super::table::dashed;
use crate::endpoint::HostPort;
use crate::servers::Servers;

/// How the session learns where the client wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `-p`: pf(4) knows.
    Pf,
    /// `-i`: ipnat(4) knows.
    IpFilter(IpfLookup),
    /// `--netfilter`: Linux connection tracking knows.
    Netfilter,
    /// `--diverted`: the accepted socket's own name is it.
    Diverted,
    /// `-R`: always this server.
    Reverse(HostPort),
    /// `--forward`: the client names it in the protocol.
    Forward {
        /// `--forward-any-port`: not only port 21.
        any_port: bool,
        /// `--forward-to`: which servers.
        to: Servers,
    },
}

/// `--ipf-lookup`: how IP-Filter is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpfLookup {
    /// As is safe on this system.
    Auto,
    /// Ask the kernel about the one session.
    Ioctl,
    /// Read the list that ipnat(8) makes.
    List,
}

pub(super) fn destination(given: &Given) -> Result<Destination, BadUsage> {
    let ways = ["p", "i", "netfilter", "diverted", "forward"];
    let mut named = ways.into_iter().filter(|way| given.flag(way));
    let (first, second) = (named.next(), named.next());
    let any_port = given.flag("forward-any-port");
    if any_port && first != Some("forward") {
        return Err(BadUsage(
            "--forward-any-port: only with --forward".to_owned(),
        ));
    }
    let forward_to = forward_to(given)?;
    if forward_to.is_some() && first != Some("forward") {
        return Err(BadUsage("--forward-to: only with --forward".to_owned()));
    }
    let lookup = given.value("ipf-lookup", ipf_lookup, "write auto, ioctl or list")?;
    if lookup.is_some() && first != Some("i") {
        return Err(BadUsage("--ipf-lookup: only with -i".to_owned()));
    }
    // Inetd lines of the ancestors say "-p -R server": the engine is then not asked.
    let reverse = given.last("R");
    match (first, second, reverse) {
        (Some(first), Some(second), _) => Err(both(first, second)),
        (None | Some("p" | "i"), None, Some(server)) => server
            .parse()
            .map(Destination::Reverse)
            .map_err(|bad| BadUsage(format!("-R {server}: {bad}"))),
        (Some(first), None, Some(_)) => Err(both(first, "R")),
        (Some("p"), ..) => Ok(Destination::Pf),
        (Some("i"), ..) => Ok(Destination::IpFilter(lookup.unwrap_or(IpfLookup::Auto))),
        (Some("netfilter"), ..) => Ok(Destination::Netfilter),
        (Some("diverted"), ..) => Ok(Destination::Diverted),
        (Some(_), ..) => Ok(Destination::Forward {
            any_port,
            to: forward_to.unwrap_or_default(),
        }),
        (None, ..) => Err(BadUsage(
            "no destination: give -R address (clients are connected to that server), --forward (clients name the server), \
             or --netfilter, -p, -i or --diverted (the packet filter has redirected the clients); see --help"
                .to_owned(),
        )),
    }
}

/// All networks that are given.
fn forward_to(given: &Given) -> Result<Option<Servers>, BadUsage> {
    let lists: Vec<&str> = given.all("forward-to").collect();
    if lists.is_empty() {
        return Ok(None);
    }
    let list = lists.join(",");
    let networks = list.parse();
    networks
        .map(|networks| Some(Servers::Among(networks)))
        .map_err(|bad| BadUsage(format!("--forward-to {list}: {bad}")))
}

fn ipf_lookup(text: &str) -> Option<IpfLookup> {
    match text {
        "auto" => Some(IpfLookup::Auto),
        "ioctl" => Some(IpfLookup::Ioctl),
        "list" => Some(IpfLookup::List),
        _ => None,
    }
}

fn both(first: &str, second: &str) -> BadUsage {
    BadUsage(format!(
        "{} and {}: only one of them can be",
        dashed(first),
        dashed(second)
    ))
}
