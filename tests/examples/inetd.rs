//! inetd.conf.example: every line is one of inetd.conf(5), with a command line that the program takes.

use std::ffi::OsString;
use std::net::IpAddr;

use ftp_proxy::endpoint::parse_port;
use ftp_proxy::options::{Destination, Invocation, Options, USER, parse};

use super::{PORT, lines, shipped};

const PATH: &str = "/usr/local/sbin/ftp-proxy";

/// One service.
pub struct Service {
    pub line: String,
    pub live: bool,
    pub address: Option<IpAddr>,
    pub port: u16,
    pub protocol: String,
    pub user: String,
    pub options: Options,
}

impl Service {
    /// The user that the sessions run as once root is given up.
    pub fn session_user(&self) -> &str {
        match (self.user.as_str(), &self.options.user) {
            ("root", Some(user)) => user,
            ("root", None) => USER,
            (user, _) => user,
        }
    }
}

pub fn services() -> Vec<Service> {
    let all = lines(&shipped("inetd.conf.example"));
    all.iter()
        .map(|line| {
            let service = read(&line.text).unwrap_or_else(|why| panic!("{}: {why}", line.text));
            Service {
                live: line.live,
                ..service
            }
        })
        .collect()
}

/// The options of a command line that serves.
pub fn options(words: &[&str]) -> Result<Options, String> {
    match parse(words.iter().map(OsString::from)) {
        Ok(Invocation::Run(options)) => Ok(*options),
        Ok(other) => Err(format!("serves nobody: {other:?}")),
        Err(bad) => Err(bad.to_string()),
    }
}

fn read(line: &str) -> Result<Service, String> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [
        service,
        "stream",
        protocol @ ("tcp" | "tcp4" | "tcp6"),
        wait,
        user,
        PATH,
        "ftp-proxy",
        arguments @ ..,
    ] = fields.as_slice()
    else {
        return Err("not the fields of a service of ours".to_owned());
    };
    match wait.split_once('.') {
        None if *wait == "nowait" => {}
        Some(("nowait", sessions)) if sessions.parse().is_ok_and(|n: u32| n > 0) => {}
        _ => return Err(format!("{wait} is not nowait")),
    }
    let (address, name) = match service.rsplit_once(':') {
        Some((address, name)) => (
            Some(address.parse().map_err(|_| format!("{address}: which?"))?),
            name,
        ),
        None => (None, *service),
    };
    let port = match name {
        "ftp" => 21,
        "ftp-proxy" => PORT, // in the services(5) of the systems whose inetd(8) wants a name
        digits => parse_port(digits).ok_or_else(|| format!("{digits} is no port"))?,
    };
    Ok(Service {
        line: line.to_owned(),
        live: false,
        address,
        port,
        protocol: (*protocol).to_owned(),
        user: (*user).to_owned(),
        options: options(arguments)?,
    })
}

#[test]
fn a_line_that_inetd_or_the_program_would_refuse_is_noticed() {
    let good = "127.0.0.1:8021 stream tcp nowait.9 root /usr/local/sbin/ftp-proxy ftp-proxy -p";
    assert!(read(good).is_ok());
    for (word, wrong) in [
        ("127.0.0.1:", "127.0.0:"),
        ("8021", "0"),
        ("8021", "ftpproxy"),
        ("stream", "dgram"),
        ("tcp", "udp"),
        ("nowait.9", "wait"),
        ("nowait.9", "nowait.0"),
        ("nowait.9", "nowait.many"),
        ("root ", ""),
        ("ftp-proxy -p", "-p"),
        ("-p", ""),
        ("-p", "-p -i"),
        ("-p", "--help"),
    ] {
        assert!(read(&good.replacen(word, wrong, 1)).is_err(), "{wrong:?}");
    }
}

#[test]
fn one_line_is_live_and_it_is_for_linux() {
    let all = services();
    let live: Vec<_> = all.iter().filter(|service| service.live).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].options.destination, Destination::Netfilter);
}

#[test]
fn inetd_listens_and_the_program_does_not() {
    for service in services() {
        assert!(service.options.listen.is_empty(), "{}", service.line);
    }
}

#[test]
fn every_transparent_line_is_on_the_port_of_the_rules_and_no_other_line_is() {
    for service in services() {
        let transparent = !matches!(
            service.options.destination,
            Destination::Reverse(_) | Destination::Forward { .. }
        );
        assert_eq!(service.port == PORT, transparent, "{}", service.line);
    }
}

#[test]
fn lines_that_ask_a_packet_filter_for_what_only_root_may_know_start_as_root() {
    for service in services() {
        if matches!(
            service.options.destination,
            Destination::Pf | Destination::IpFilter(_)
        ) {
            assert_eq!(service.user, "root", "{}", service.line);
        }
    }
}

#[test]
fn clients_who_choose_their_server_are_served_on_an_inside_address_only() {
    let all = services();
    let mut forward = all
        .iter()
        .filter(|service| matches!(service.options.destination, Destination::Forward { .. }));
    assert!(forward.all(|service| service.address.is_some_and(|ip| ip.is_loopback())));
}

#[test]
fn an_address_and_its_protocol_are_of_one_family() {
    for service in services() {
        if let Some(address) = service.address {
            assert_eq!(
                address.is_ipv6(),
                service.protocol == "tcp6",
                "{}",
                service.line
            );
        }
    }
}

#[test]
fn there_is_a_line_for_each_way_and_each_family() {
    let all = services();
    let some = |what: &str, wanted: &dyn Fn(&Service) -> bool| {
        assert!(all.iter().any(wanted), "no line for {what}");
    };
    some("pf", &|s| s.options.destination == Destination::Pf);
    some("IP-Filter", &|s| {
        matches!(s.options.destination, Destination::IpFilter(_))
    });
    some("divert-to", &|s| {
        s.options.destination == Destination::Diverted
    });
    some("forward", &|s| {
        matches!(s.options.destination, Destination::Forward { .. })
    });
    some("a kiosk behind pf", &|s| {
        s.options.destination == Destination::Pf && s.options.anonymous_only
    });
    let reverse = |s: &Service| matches!(s.options.destination, Destination::Reverse(_));
    some("reverse", &|s| reverse(s) && s.protocol == "tcp");
    some("reverse in IPv6", &|s| reverse(s) && s.protocol == "tcp6");
    some("pf in IPv6", &|s| {
        s.options.destination == Destination::Pf && s.protocol == "tcp6"
    });
}
