//! The units and the lines of the README, in a systemd that boots.

use std::fs;
use std::net::SocketAddr;

use crate::boot::{Booting, UNITS};
use crate::common::eventually;
use crate::gateway::{Machines, Setting};
use crate::visit::{Server, Visit, Ways};
use crate::world::PACKAGES;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// Transparent: the client dials the server.
pub fn transparent(ends: Setting) -> Ways {
    Ways {
        ends,
        door: SocketAddr::new(ends.server(), 21),
        data: ends.server(),
    }
}

/// The client dials the gateway.
pub fn at_the_gateway(ends: Setting, port: u16) -> Ways {
    Ways {
        ends,
        door: SocketAddr::new(ends.inside(), port),
        data: ends.inside(),
    }
}

/// The lines of the README below this heading.
#[track_caller]
fn lines(heading: &str) -> Vec<String> {
    let readme = fs::read_to_string(format!("{TREE}/README.md")).unwrap();
    let (_, rest) = readme
        .split_once(&format!("\n### {heading}\n"))
        .expect(heading);
    let section = rest.split("\n#").next().unwrap();
    let lines: Vec<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "{heading}");
    lines
}

/// Does what the README says for a gateway, the interface being the one of these machines.
#[track_caller]
pub fn follow(machine: &Booting, heading: &str) {
    for line in lines(heading) {
        // There is no journal here, and no mirror.
        if ["journalctl ", "apt-get "]
            .iter()
            .any(|word| line.starts_with(word))
        {
            continue;
        }
        machine.sh(&line.replace("eth1", "lan0"));
    }
}

/// The Debian gateway before anybody has done anything.
#[track_caller]
fn gateway(machines: &Machines) -> Booting {
    let machine = Booting::new(machines);
    machine.has_unit("nftables.service", UNITS);
    machine
}

/// Waits for so many sockets that listen on this port.
#[track_caller]
pub fn listens(machine: &Booting, port: u16, sockets: usize) {
    eventually("the proxy listens", || {
        let (_, said) = machine.try_sh(&format!("ss -Hltn 'sport = :{port}'"));
        (said.lines().count() == sockets).then_some(())
    });
}

#[track_caller]
fn is_served(machines: &Machines, machine: &Booting, path: &str) {
    for ends in [Setting::REDIRECT_V4, Setting::REDIRECT_V6] {
        let server = Server::of(machines, ends);
        Visit::begins(machines, transparent(ends), &server).transfers_and_quits();
    }
    let log = machine.logged().concat();
    assert!(
        log.contains(&format!("data path: {path}")),
        "{}",
        machine.said()
    );
}

pub fn the_readme_makes_a_gateway_that_survives_a_reboot() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.boots();
    follow(&machine, "A Linux gateway");
    listens(&machine, 8021, 2);
    is_served(&machines, &machine, "redirect");
    let settings = "sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding";
    assert_eq!(machine.sh(settings), "1\n1\n");
    machine.boots_again();
    listens(&machine, 8021, 2);
    is_served(&machines, &machine, "redirect");
    assert_eq!(machine.sh(settings), "1\n1\n");
}

pub fn the_listen_unit_serves_as_the_user_of_the_package() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.boots();
    follow(&machine, "A Linux gateway");
    listens(&machine, 8021, 2);
    is_served(&machines, &machine, "redirect");
    let user = "stat -c %U /proc/$(systemctl show -P MainPID ftp-proxy-listen.service)";
    assert_eq!(machine.sh(user).trim(), "_ftp-proxy");
}

pub fn the_table_comes_back_after_each_start_of_nftables() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.boots();
    follow(&machine, "A Linux gateway");
    let is_there = || machine.try_sh("nft list table inet ftp_proxy").0;
    for action in ["start", "restart"] {
        machine.sh(&format!("systemctl {action} nftables.service"));
        eventually("the table is loaded again", || is_there().then_some(()));
    }
    machine.sh("systemctl stop nftables.service");
    assert!(!is_there(), "its stop flushes all rules");
    machine.sh("systemctl restart ftp-proxy-listen.service");
    listens(&machine, 8021, 2);
    is_served(&machines, &machine, "redirect");
}

pub fn the_socket_unit_serves_or_the_listen_unit_does() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.boots();
    follow(&machine, "A Linux gateway");
    machine.sh("cp contrib/systemd/ftp-proxy.socket contrib/systemd/ftp-proxy@.service /etc/systemd/system/");
    machine.sh("systemctl daemon-reload; systemctl start ftp-proxy.socket");
    assert!(
        !machine
            .try_sh("systemctl is-active ftp-proxy-listen.service")
            .0
    );
    is_served(&machines, &machine, "redirect");
    machine.sh("systemctl start ftp-proxy-listen.service");
    assert!(!machine.try_sh("systemctl is-active ftp-proxy.socket").0);
    listens(&machine, 8021, 2);
    is_served(&machines, &machine, "redirect");
}

pub fn the_readme_has_inetd_take_the_place_of_the_unit() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.has_packages();
    machine.has_unit("inetd.service", format!("{PACKAGES}{UNITS}"));
    machine.boots();
    follow(&machine, "A Linux gateway");
    machine.sh("systemctl disable --now ftp-proxy-listen.service; userdel _ftp-proxy");
    follow(&machine, "inetd");
    listens(&machine, 8021, 2);
    is_served(&machines, &machine, "redirect");
}

pub fn the_reverse_unit_serves_on_port_21() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.boots();
    machine.sh("install -D -m 644 contrib/sysusers.d/ftp-proxy.conf /etc/sysusers.d/ftp-proxy.conf; systemd-sysusers");
    machine.sh("sed 's/-R 10.0.0.5/-R 10.0.2.2/' contrib/systemd/ftp-proxy-reverse.service >/etc/systemd/system/ftp-proxy-reverse.service");
    machine.sh("systemctl daemon-reload; systemctl enable --now ftp-proxy-reverse.service");
    let ends = Setting::REDIRECT_V4;
    let server = Server::of(&machines, ends);
    listens(&machine, 21, 2);
    Visit::begins(&machines, at_the_gateway(ends, 21), &server).transfers_and_quits();
}

pub fn the_forward_unit_finds_a_server_by_its_name() {
    let machines = Machines::bare();
    let mut machine = gateway(&machines);
    machine.boots();
    machine.sh("echo 10.0.2.2 ftp.example.org >>/etc/hosts");
    machine.sh("install -D -m 644 contrib/sysusers.d/ftp-proxy.conf /etc/sysusers.d/ftp-proxy.conf; systemd-sysusers");
    machine.sh("sed 's/listen 127.0.0.1/listen 10.0.1.1/' contrib/systemd/ftp-proxy-forward.service >/etc/systemd/system/ftp-proxy-forward.service");
    machine.sh("systemctl daemon-reload; systemctl enable --now ftp-proxy-forward.service");
    listens(&machine, 2121, 1);
    let ends = Setting::REDIRECT_V4;
    let server = Server::of(&machines, ends);
    let ways = at_the_gateway(ends, 2121);
    Visit::names(&machines, ways, "ftp.example.org", &server).transfers_and_quits();
}
