//! `docs/firewalls.md`: with its lines for a data path everything works, and each of them is needed.

use std::fs;

use libtest_mimic::Trial;

use crate::boot::{Booting, UNITS};
use crate::common::eventually;
use crate::gateway::{Machines, Setting};
use crate::machines::stage::told;
use crate::units::{at_the_gateway, follow, listens, transparent};
use crate::visit::{Server, Visit, Ways};
use crate::world::PACKAGES;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/firewalls.md");

/// A firewall of the page, by its heading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Firewall {
    Nftables,
    Ufw,
    Firewalld,
    Docker,
}

use Firewall::{Docker, Firewalld, Nftables, Ufw};

/// What a line of the page is for, in the order in which they are tried: "data" is for both modes.
const PARTS: [&str; 4] = ["control", "passive", "active", "data"];

/// The firewalls that stand in the way of each data path, and of reverse mode.
const TRIED: [(Firewall, &str); 13] = [
    (Nftables, "redirect"),
    (Nftables, "kernel"),
    (Nftables, "relay"),
    (Nftables, "reverse"),
    (Ufw, "redirect"),
    (Ufw, "kernel"),
    (Ufw, "relay"),
    (Ufw, "reverse"),
    (Firewalld, "redirect"),
    (Firewalld, "kernel"),
    (Firewalld, "relay"),
    (Firewalld, "reverse"),
    (Docker, "kernel"),
];

pub fn trials() -> Vec<Trial> {
    let trial = |(firewall, path): (Firewall, &'static str)| {
        let name = format!("{firewall:?}/{path}").to_lowercase();
        let show = move || told(|| needs_each_line_of_the_page(firewall, path));
        Trial::test(format!("{name}/needs_each_line_of_the_page"), show)
    };
    let mut trials: Vec<_> = TRIED.into_iter().map(trial).collect();
    let claims: [(&str, fn()); 3] = [
        (
            "what_the_proxy_sends_is_let_out_by_its_user",
            what_the_proxy_sends_is_let_out_by_its_user,
        ),
        ("the_table_survives_firewalld", the_table_survives_firewalld),
        ("the_table_survives_ufw", the_table_survives_ufw),
    ];
    trials.extend(claims.map(|(name, show)| Trial::test(name, move || told(show))));
    trials
}

/// A line of the page: `text # part: path, path`.
struct Line {
    text: String,
    part: String,
    paths: Vec<String>,
}

/// The lines of the firewall's section that say what they are for.
#[track_caller]
fn lines(firewall: Firewall) -> Vec<Line> {
    let lines: Vec<_> = section(firewall).lines().filter_map(line).collect();
    assert!(!lines.is_empty(), "{firewall:?}");
    lines
}

fn line(text: &str) -> Option<Line> {
    let (text, comment) = text.rsplit_once("# ")?;
    let (part, paths) = comment.split_once(": ")?;
    let known = PARTS.contains(&part);
    known.then(|| Line {
        text: text.trim().to_owned(),
        part: part.to_owned(),
        paths: paths.split(", ").map(str::to_owned).collect(),
    })
}

#[track_caller]
fn section(firewall: Firewall) -> String {
    let page = fs::read_to_string(PAGE).unwrap();
    let heading = format!("{firewall:?}");
    let wanted = |section: &&str| {
        let (title, _) = section.split_once('\n').unwrap_or_default();
        title.eq_ignore_ascii_case(&heading)
    };
    page.split("\n## ")
        .find(wanted)
        .expect("its section")
        .to_owned()
}

/// One gateway behind its firewall.
struct Gateway {
    machines: Machines,
    machine: Booting,
    firewall: Firewall,
    path: &'static str,
    servers: [Server; 2],
}

const FAMILIES: [Setting; 2] = [Setting::REDIRECT_V4, Setting::REDIRECT_V6];

impl Gateway {
    #[track_caller]
    fn new(firewall: Firewall, path: &'static str) -> Gateway {
        let machines = Machines::bare();
        let mut machine = Booting::new(&machines);
        machine.has_packages();
        for unit in ["dbus.service", "dbus.socket", "nftables.service"] {
            machine.has_unit(unit, UNITS);
        }
        for unit in ["firewalld.service", "ufw.service"] {
            machine.has_unit(unit, format!("{PACKAGES}{UNITS}"));
        }
        machine.boots();
        follow(&machine, "A Linux gateway");
        let servers = FAMILIES.map(|ends| Server::of(&machines, ends));
        let units = "/etc/systemd/system";
        if path == "reverse" {
            let unit = "ftp-proxy-reverse.service";
            let change = "s/-R 10.0.0.5/-R 10.0.2.2/";
            machine.sh(&format!(
                "sed '{change}' contrib/systemd/{unit} >{units}/{unit}"
            ));
            machine.sh(&format!("systemctl daemon-reload; systemctl start {unit}"));
            listens(&machine, 21, 2);
        } else {
            let unit = "ftp-proxy-listen.service";
            machine.sh(&format!(
                "sed -i 's/--netfilter/& --data-path {path}/' {units}/{unit}"
            ));
            machine.sh(&format!(
                "systemctl daemon-reload; systemctl restart {unit}"
            ));
            listens(&machine, 8021, 2);
        }
        Gateway {
            machines,
            machine,
            firewall,
            path,
            servers,
        }
    }

    /// The firewall as it comes, with what a gateway has of zones.
    #[track_caller]
    fn is_closed(&self) {
        let machine = &self.machine;
        match self.firewall {
            Nftables => self.loads(&[]),
            Ufw => {
                // What the package's installation does.
                machine.sh("cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/ufw.conf /usr/share/ufw/*.init /etc/ufw/");
                machine.sh("ufw --force enable");
            }
            Firewalld => {
                machine.sh("systemctl start dbus.socket; systemctl start firewalld.service");
                machine.sh("firewall-cmd --zone=internal --change-interface=lan0");
                machine.sh("firewall-cmd --zone=external --change-interface=wan0");
            }
            // Its chains, as its documentation shows them.
            Docker => {
                for command in ["iptables", "ip6tables"] {
                    machine.sh(&format!(
                        "{command} -P FORWARD DROP; {command} -N DOCKER-USER; {command} -A DOCKER-USER -j RETURN; \
                         {command} -I FORWARD -j DOCKER-USER; \
                         {command} -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
                    ));
                }
            }
        }
    }

    /// The page's table of nftables with these lines of those that say what they are for.
    #[track_caller]
    fn loads(&self, wanted: &[&Line]) {
        let section = section(self.firewall);
        let block = section.split("```nft\n").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        let kept = block.lines().filter(|text| match line(text) {
            Some(one) => wanted.iter().any(|other| other.text == one.text),
            None => true,
        });
        let kept: Vec<_> = kept.collect();
        let table = format!(
            "table inet filter\ndelete table inet filter\n{}\n",
            kept.join("\n")
        );
        self.machine.loads(&table);
    }

    /// Has the lines of this part as well.
    #[track_caller]
    fn opens(&self, applied: &[&Line], part: &[&Line]) {
        if self.firewall == Nftables {
            self.loads(&[applied, part].concat());
            return;
        }
        for line in part {
            self.machine.sh(&line.text);
        }
    }

    fn ways(&self, ends: Setting) -> Ways {
        let through = transparent(ends);
        let data = ends.inside();
        match self.path {
            "relay" => Ways { data, ..through },
            "reverse" => at_the_gateway(ends, 21),
            _ => through,
        }
    }

    /// What works: sessions, passive data, active data.
    #[track_caller]
    fn works(&self, ends: Setting, server: &Server) -> [bool; 3] {
        let begins = || Visit::tries(&self.machines, self.ways(ends), server);
        let Some(mut first) = begins() else {
            return [false; 3];
        };
        // A relay in transparent mode has nothing to announce in IPv6.
        let passive = (self.path == "relay" && ends.v6) || first.transfers_passively();
        drop(first);
        let active = begins().expect("a second session").transfers_actively();
        [true, passive, active]
    }
}

#[track_caller]
fn needs_each_line_of_the_page(firewall: Firewall, path: &'static str) {
    let gateway = Gateway::new(firewall, path);
    let all = lines(firewall);
    let mut of_path = all;
    of_path.retain(|line| line.paths.iter().any(|one| one == path));
    let part = |name: &str| {
        of_path
            .iter()
            .filter(|l| l.part == name)
            .collect::<Vec<_>>()
    };
    gateway.is_closed();
    let mut applied = Vec::new();
    let mut opened = vec!["nothing"];
    loop {
        let lacks = |part_name: &&str| !part(part_name).is_empty() && !opened.contains(part_name);
        let [control, passive, active, data] = [0, 1, 2, 3].map(|n| !lacks(&PARTS[n]));
        let expected = [
            control,
            control && passive && data,
            control && active && data,
        ];
        for (ends, server) in FAMILIES.into_iter().zip(&gateway.servers) {
            if path == "reverse" && ends.v6 {
                continue; // its server is one, and has an address of IPv4
            }
            let found = gateway.works(ends, server);
            let expected = match (path, ends.v6, expected) {
                ("relay", true, [true, _, active]) => [true, true, active],
                _ => expected,
            };
            assert_eq!(
                found,
                expected,
                "sessions, passive data, active data of {} with {opened:?}",
                ends.client()
            );
        }
        let Some(next) = PARTS.into_iter().find(|name| lacks(name)) else {
            break;
        };
        gateway.opens(&applied, &part(next));
        applied.extend(part(next));
        opened.push(next);
    }
}

/// Starting the firewall, and having it load its rules again, leaves the proxy's table.
#[track_caller]
fn the_table_survives(firewall: Firewall, restart: &str, reload: &str, enable: &str) {
    let mut gateway = Gateway::new(firewall, "redirect");
    gateway.machine.sh("systemctl start nftables.service"); // which firewalld stops
    gateway.is_closed();
    let comes_back = |machine: &Booting, after: &str| {
        eventually(after, || {
            let list = "nft list table inet ftp_proxy";
            machine.try_sh(list).0.then_some(())
        });
    };
    comes_back(&gateway.machine, "start");
    for again in [restart, reload] {
        gateway.machine.sh(again);
        comes_back(&gateway.machine, again);
    }
    gateway.machine.sh(enable);
    gateway.machine.boots_again();
    comes_back(&gateway.machine, "boot");
}

fn the_table_survives_firewalld() {
    the_table_survives(
        Firewalld,
        "systemctl restart firewalld.service",
        "firewall-cmd --reload",
        "systemctl enable firewalld.service; ln -s ../dbus.socket /etc/systemd/system/sockets.target.wants/",
    );
}

fn the_table_survives_ufw() {
    the_table_survives(
        Ufw,
        "systemctl restart ufw.service",
        "ufw reload",
        "systemctl enable ufw.service",
    );
}

fn what_the_proxy_sends_is_let_out_by_its_user() {
    let gateway = Gateway::new(Nftables, "redirect");
    let page = fs::read_to_string(PAGE).unwrap();
    let block = page.split("```nft\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let rule = "meta skuid _ftp-proxy meta l4proto tcp accept";
    assert!(block.contains(rule), "{block}");
    gateway.machine.loads(&block.replace(rule, ""));
    for (ends, server) in FAMILIES.into_iter().zip(&gateway.servers) {
        let (machines, ways) = (&gateway.machines, gateway.ways(ends));
        assert!(!Visit::reaches_the_server(machines, ways, server));
    }
    // Those sessions go on dialling: they must not be taken for the next ones.
    gateway
        .machine
        .sh("systemctl restart ftp-proxy-listen.service");
    listens(&gateway.machine, 8021, 2);
    gateway
        .machine
        .loads(&format!("delete table inet filter\n{block}"));
    for (ends, server) in FAMILIES.into_iter().zip(&gateway.servers) {
        Visit::begins(&gateway.machines, gateway.ways(ends), server).transfers_and_quits();
    }
}
