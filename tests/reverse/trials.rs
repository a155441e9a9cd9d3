//! The claims.

use std::thread::sleep;
use std::time::Duration;

use crate::errands::{Way, had_data_with};
use crate::net::{self, Family, Result};
use crate::servers::Server;
use crate::site::{self, OUTSIDE, Plan, Site};
use crate::world::{self, PASSWORD, USER};

/// A claim and what shows it.
pub type Claim = (String, Box<dyn FnOnce() -> Result<()> + Send>);

/// ProFTPD's `<VirtualHost 192.168.0.10>` without MasqueradeAddress for those inside, and one with it for the others:
/// MasqueradeAddress my.domain.com, which has the address 123.45.67.89, and PassivePorts 60000 65535.
const VIRTUAL_HOST: Plan = Plan {
    tag: "vh",
    public: "123.45.67.89",
    lan: ["192.168.0.1", "192.168.0.10", "192.168.0.20"],
    prefix: 24,
    ports: (60000, 65535),
    shift: 0,
};

/// `<Class internal> From 10.0.0.0/8`, MasqueradeAddress 10.1.2.3 for it and 1.2.3.4 for the others.
const CLASSES: Plan = Plan {
    tag: "cl",
    public: "1.2.3.4",
    lan: ["10.1.0.1", "10.1.2.3", "10.200.0.20"],
    prefix: 8,
    ports: (60000, 65535),
    shift: 0,
};

/// Outside the ports are others than inside.
const SHIFTED: Plan = Plan {
    tag: "sh",
    ports: (40000, 40099),
    shift: 20000,
    ..VIRTUAL_HOST
};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

const SEED: [&str; 4] = ["-m", "60000", "-M", "65535"];

pub fn all() -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let mut add =
        |name: String, show: Box<dyn FnOnce() -> Result<()> + Send>| claims.push((name, show));
    for server in Server::ALL {
        let number = server.number();
        add(
            format!("the_virtual_host_of_the_how_to/{server}"),
            Box::new(move || virtual_host(server, 150 + number)),
        );
        add(
            format!("the_classes_of_the_how_to/{server}"),
            Box::new(move || classes(server, 160 + number)),
        );
        add(
            format!("ports_that_differ_outside/{server}"),
            Box::new(move || shifted(server, 170 + number)),
        );
        add(
            format!("epsv_and_pasv_denied/{server}"),
            Box::new(move || denied(server, 180 + number)),
        );
        add(
            format!("epsv_refused/{server}"),
            Box::new(move || no_epsv(server, 190 + number)),
        );
        add(
            format!("a_client_behind_nat_of_its_own/{server}"),
            Box::new(move || client_behind_nat(server, 220 + number)),
        );
        add(
            format!("the_kernel_carries_data_to_a_masquerade/{server}"),
            Box::new(move || kernel(server, 200 + number)),
        );
    }
    add(
        "a_name_is_looked_up_for_each_session".to_owned(),
        Box::new(|| changing_name(210)),
    );
    add(
        "a_name_without_an_address_refuses_pasv_alone".to_owned(),
        Box::new(|| unknown_name(211)),
    );
    add(
        "each_address_of_a_server_is_tried_until_one_answers".to_owned(),
        Box::new(|| several_addresses(212)),
    );
    claims
}

/// Whoever is inside sees the inside address, who is outside the outside one, ports within the range for both.
fn both_sides(site: &Site, told_inside: &str) -> Result<()> {
    let [_, served, _] = site.plan.lan;
    let ports = 60000..=65535;
    let inside = Way::PASV.fetch(&site.inside, served)?;
    had_data_with(&inside, told_inside, ports.clone())?;
    let outside = Way::PASV.fetch(&site.outside, site.plan.public)?;
    had_data_with(&outside, site.plan.public, ports.clone())?;
    let sent = Way::PASV.send(&site.outside, site.plan.public)?;
    had_data_with(&sent, site.plan.public, ports)?;
    for way in [Way::LFTP, Way::CURL, Way::ACTIVE] {
        way.fetch(&site.inside, served)?;
        way.fetch(&site.outside, site.plan.public)?;
    }
    Ok(())
}

/// The options that README.md has for this set-up, behind those that say where the proxy and the server are.
fn as_the_readme_has_it() -> Result<Vec<String>> {
    let readme = std::fs::read_to_string(README).map_err(|error| format!("{README}: {error}"))?;
    let joined = readme.replace("\\\n", " ");
    let line = joined
        .lines()
        .find_map(|line| {
            line.trim()
                .strip_prefix("ftp-proxy --listen 0.0.0.0:21 -R 192.168.1.2 ")
        })
        .ok_or("README.md has no proxy at 192.168.0.10 for the server 192.168.1.2")?;
    Ok(line.split_whitespace().map(str::to_owned).collect())
}

fn virtual_host(server: Server, number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    let options = as_the_readme_has_it()?;
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    site.publish_server(server, &options)?;
    both_sides(&site, "192.168.0.10")
}

fn classes(server: Server, number: u8) -> Result<()> {
    let site = Site::build(CLASSES, number)?;
    let masquerade = [
        "--masquerade",
        "10.1.2.3,10.0.0.0/8",
        "--masquerade",
        "1.2.3.4",
    ];
    site.publish_server(server, &[&SEED[..], &masquerade].concat())?;
    both_sides(&site, "10.1.2.3")
}

fn shifted(server: Server, number: u8) -> Result<()> {
    let site = Site::build(SHIFTED, number)?;
    let options = [
        "-m",
        "60000",
        "-M",
        "60099",
        "--advertise-port-offset",
        "-20000",
        "--masquerade",
        SHIFTED.public,
    ];
    site.publish_server(server, &options)?;
    let said = Way::PASV.fetch(&site.outside, SHIFTED.public)?;
    had_data_with(&said, SHIFTED.public, 40000..=40099)?;
    Way::CURL.fetch(&site.outside, SHIFTED.public)?;
    Way::ACTIVE.send(&site.outside, SHIFTED.public).map(drop)
}

/// ProFTPD's `<Limit EPSV PASV> DenyAll`.
fn denied(server: Server, number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    site.publish_server(server, &["--deny-command", "EPSV,PASV"])?;
    let [_, served, _] = VIRTUAL_HOST.lan;
    for (machine, host) in [(&site.inside, served), (&site.outside, VIRTUAL_HOST.public)] {
        for way in [Way::PASV, Way::CURL] {
            match way.fetch(machine, host) {
                Ok(said) => return Err(format!("passive mode works\n{said}")),
                Err(said) if said.contains("502 PASV is not allowed here.") => {}
                Err(said) => return Err(said),
            }
        }
        Way::ACTIVE.fetch(machine, host)?;
    }
    Ok(())
}

fn no_epsv(server: Server, number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    let masquerade = ["--masquerade", VIRTUAL_HOST.public, "--no-epsv"];
    site.publish_server(server, &[&SEED[..], &masquerade].concat())?;
    let said = Way::CURL.fetch(&site.outside, VIRTUAL_HOST.public)?;
    if said.contains("502 EPSV is not allowed here.") && said.contains("227 ") {
        return Ok(());
    }
    Err(format!("not 502 and then 227\n{said}"))
}

/// The client names the address that it has behind a translator of its own, which keeps ports.
fn client_behind_nat(server: Server, number: u8) -> Result<()> {
    let refusing = Site::build(VIRTUAL_HOST, number)?;
    refusing.publish_server(server, &SEED)?;
    match active_from_behind_nat(&refusing) {
        Err(said) if said.contains("501 The address must be your own.") => {}
        other => return Err(format!("PORT is not refused: {other:?}")),
    }
    let ignoring = Site::build(VIRTUAL_HOST, number + 10)?;
    let ignore = ["--foreign-address", "active=ignore"];
    let position = world::log_position();
    ignoring.publish_server(server, &[&SEED[..], &ignore].concat())?;
    active_from_behind_nat(&ignoring)?;
    waits_for_line(position, |line| {
        line.contains("client named 192.0.2.50 for active data, using its own address")
    })
}

fn active_from_behind_nat(site: &Site) -> Result<()> {
    site.outside.ip("address add 192.0.2.50/32 dev lo\n")?;
    let rules = format!(
        "table ip nat {{\nchain prerouting {{\ntype nat hook prerouting priority dstnat\n\
         ip daddr {OUTSIDE} dnat to 192.0.2.50\n}}\n}}\n"
    );
    net::feed(site.outside.command("nft").args(["-f", "-"]), &rules)?;
    let url = format!("ftp://{USER}:{PASSWORD}@{}/pub/few/", VIRTUAL_HOST.public);
    let mut curl = site.outside.command("timeout");
    curl.args(["60", "curl", "--silent", "--show-error", "--verbose"]);
    curl.args(["--ftp-port", "192.0.2.50", &url]);
    let listed = net::run(&mut curl)?;
    match listed.lines().filter(|line| line.contains("file-")).count() {
        50 => Ok(()),
        files => Err(format!("{files} files are listed, not 50\n{listed}")),
    }
}

/// The packets of passive data come to the address that the translator leads them to, whatever the client was told.
fn kernel(server: Server, number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    site.forwards_what_is_granted()?;
    let options = [
        "--data-path",
        "kernel",
        "--masquerade",
        "192.168.0.10,private",
        "--masquerade",
    ];
    let position = world::log_position();
    site.publish_server(
        server,
        &[&SEED[..], &options, &[VIRTUAL_HOST.public]].concat(),
    )?;
    both_sides(&site, "192.168.0.10")?;
    let from = format!("from {OUTSIDE}:");
    waits_for_line(position, |line| line.contains(&from))?;
    waits_for_line(position, |line| {
        line.contains("1 data connections left to the packet filter")
    })
}

fn changing_name(number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    let masquerade = ["--masquerade", "dynamic.example,203.0.113.0/24"];
    site.publish_server(Server::Vsftpd, &[&SEED[..], &masquerade].concat())?;
    let before = Way::LFTP.fetch(&site.outside, VIRTUAL_HOST.public);
    match before {
        Err(said) if said.contains("(192,0,2,77,") => {}
        other => return Err(format!("192.0.2.77 was not told: {other:?}")),
    }
    site::moves("dynamic.example", "192.0.2.77", VIRTUAL_HOST.public)?;
    let after = Way::PASV.fetch(&site.outside, VIRTUAL_HOST.public)?;
    had_data_with(&after, VIRTUAL_HOST.public, 60000..=65535)
}

fn unknown_name(number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    let masquerade = [
        "--masquerade",
        "192.168.0.10,private",
        "--masquerade",
        "unknown.example",
    ];
    let position = world::log_position();
    site.publish_server(Server::Vsftpd, &[&SEED[..], &masquerade].concat())?;
    match Way::PASV.fetch(&site.outside, VIRTUAL_HOST.public) {
        Err(said) if said.contains("500 The address for passive mode is not known now") => {}
        other => return Err(format!("PASV is not refused: {other:?}")),
    }
    waits_for_line(position, |line| {
        line.contains("--masquerade unknown.example: no IPv4 address")
    })?;
    // EPSV and active mode need no address, and who is inside is told another.
    Way::CURL.fetch(&site.outside, VIRTUAL_HOST.public)?;
    Way::ACTIVE.fetch(&site.outside, VIRTUAL_HOST.public)?;
    let inside = Way::PASV.fetch(&site.inside, "192.168.0.10")?;
    had_data_with(&inside, "192.168.0.10", 60000..=65535)
}

fn several_addresses(number: u8) -> Result<()> {
    let site = Site::build(VIRTUAL_HOST, number)?;
    Server::Vsftpd.start()?;
    let alive = Server::Vsftpd.address(Family::V4).to_string();
    let (dead, own) = ("192.168.0.20", "192.168.0.10");
    let position = world::log_position();
    site.publish("backend.example", &SEED)?;
    // That one of three is first in none of 40 sessions has a chance of one in 10^7.
    for _ in 0..40 {
        Way::CURL.fetch(&site.outside, VIRTUAL_HOST.public)?;
    }
    for said in [
        format!("connected to {alive}:21 from "),
        format!("cannot connect to {dead}:21: "),
        format!("{own}:21 is this proxy itself; trying another"),
        format!("accepted connection from {OUTSIDE}:"),
        "to backend.example:21".to_owned(),
    ] {
        waits_for_line(position, |line| line.contains(&said))?;
    }
    Ok(())
}

/// The log has such a line since `position`, or will have it in a moment.
fn waits_for_line(position: usize, is_it: impl Fn(&str) -> bool) -> Result<()> {
    for _ in 0..100 {
        if world::logged_since(position).iter().any(|line| is_it(line)) {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err("the log has no such line".to_owned())
}
