//! The units in `contrib/systemd/` by systemd's own reading. `tests/debian` boots them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/systemd");

/// What `systemd-analyze security` holds against each service, and why that is so.
const EXPOSED: [(&str, &str); 10] = [
    ("AmbientCapabilities=", "in the place of root"),
    (
        "CapabilityBoundingSet=~CAP_NET_ADMIN",
        "grants in the packet filter",
    ),
    (
        "CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)",
        "port 21",
    ),
    (
        "DeviceAllow=",
        "what ProtectClock= itself leaves, the clock to be read",
    ),
    ("IPAddressDeny=", "clients and servers may be anywhere"),
    ("PrivateNetwork=", "it is a gateway"),
    (
        "PrivateUsers=",
        "a capability counts in the network's own user namespace",
    ),
    (
        "RootDirectory=/RootImage=",
        "syslog, names of users and hosts",
    ),
    (
        "SystemCallFilter=~@privileged",
        "capset(2), to give the capability up",
    ),
    (
        "RestrictAddressFamilies=",
        "Internet, netlink for grants, Unix for syslog",
    ),
];

/// The highest exposure of each service. Without a capability 1.4 is what is left.
const EXPOSURE: [(&str, f32); 5] = [
    ("ftp-proxy-forward.service", 1.4),
    ("ftp-proxy-listen.service", 1.7),
    ("ftp-proxy-reverse.service", 1.6),
    ("ftp-proxy-table.service", 1.4),
    ("ftp-proxy@.service", 1.7),
];

/// `None` where there is no systemd.
fn analyze(arguments: &[&str], units: &[PathBuf]) -> Option<String> {
    let mut command = Command::new("systemd-analyze");
    let Ok(output) = command.args(arguments).args(units).output() else {
        let _ = writeln!(io::stderr(), "skipped: needs systemd-analyze");
        return None;
    };
    let said = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    assert!(output.status.success(), "{arguments:?}: {said:?}");
    Some(said.concat())
}

fn units() -> Vec<PathBuf> {
    let entries = fs::read_dir(UNITS).unwrap();
    let mut units: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    units.sort();
    units
}

fn name(unit: &Path) -> String {
    unit.file_name().unwrap().to_string_lossy().into_owned()
}

/// The settings of the section `[Service]`, in order.
fn settings(unit: &Path) -> Vec<String> {
    let text = fs::read_to_string(unit).unwrap();
    let (_, service) = text.split_once("[Service]\n").unwrap();
    let lines = service.lines().take_while(|line| *line != "[Install]");
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn systemd_finds_no_fault_in_any_unit() {
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join("units");
    let _ = fs::remove_dir_all(&copies);
    fs::create_dir_all(&copies).unwrap();
    let copied: Vec<PathBuf> = units()
        .iter()
        .map(|unit| {
            // Where it is to be installed there is nothing yet.
            let text = fs::read_to_string(unit).unwrap();
            let text = text
                .replace("/usr/local/sbin/ftp-proxy", env!("CARGO_BIN_EXE_ftp-proxy"))
                .replace("/usr/sbin/nft", "/bin/sh");
            let copy = copies.join(name(unit));
            fs::write(&copy, text).unwrap();
            copy
        })
        .collect();
    assert!(copied.len() > 5);
    if let Some(said) = analyze(&["verify", "--man=no"], &copied) {
        assert_eq!(said, "");
    }
}

#[test]
fn a_service_is_exposed_by_what_it_needs_alone() {
    let listed: BTreeMap<_, _> = EXPOSURE.into();
    let services = units()
        .into_iter()
        .filter(|unit| name(unit).ends_with(".service"));
    let services: Vec<_> = services.collect();
    assert_eq!(services.len(), EXPOSURE.len());
    for service in services {
        let name = name(&service);
        let only = [service];
        let Some(said) = analyze(&["security", "--offline=true", "--no-pager"], &only) else {
            return;
        };
        let exposed: BTreeSet<&str> = said
            .lines()
            .filter_map(|line| line.strip_prefix("✗ ")?.split_whitespace().next())
            .filter(|item| !item.starts_with("RestrictAddressFamilies=~"))
            .collect();
        let allowed: BTreeSet<&str> = EXPOSED.iter().map(|(item, _)| *item).collect();
        let more: Vec<_> = exposed.difference(&allowed).collect();
        assert!(more.is_empty(), "{name}: {more:?}");
        let score = said.lines().last().unwrap();
        let score = score.split(": ").nth(1).unwrap().split(' ').next().unwrap();
        let score: f32 = score.parse().unwrap();
        assert!(score <= listed[name.as_str()], "{name}: {score}");
    }
}

#[test]
fn the_services_of_the_proxy_have_one_sandbox() {
    // What is a service's own: what it starts, by which right, and how much of it.
    let own = |line: &&String| {
        let of_its_own = [
            "AmbientCapabilities=",
            "CapabilityBoundingSet=",
            "ExecStart=",
            "KillMode=",
            "MemoryMax=",
            "Restart",
            "Standard",
            "TasksMax=",
            "Type=",
        ];
        let restart = of_its_own.iter().any(|key| line.starts_with(key));
        restart && !line.starts_with("Restrict")
    };
    let services = units()
        .into_iter()
        .filter(|unit| name(unit).ends_with(".service"));
    let services: Vec<_> = services
        .filter(|unit| !name(unit).contains("table"))
        .collect();
    let sandbox = |unit: &PathBuf| {
        let lines = settings(unit);
        lines
            .iter()
            .filter(|line| !own(line))
            .cloned()
            .collect::<Vec<_>>()
    };
    let first = sandbox(&services[0]);
    assert!(first.len() > 20, "{first:?}");
    assert_eq!(first[0], "User=_ftp-proxy");
    for service in &services[1..] {
        assert_eq!(sandbox(service), first, "{}", name(service));
    }
}

#[test]
fn every_service_has_a_bound_of_memory_and_tasks() {
    for unit in units()
        .iter()
        .filter(|unit| name(unit).ends_with(".service"))
    {
        for key in ["MemoryMax=", "TasksMax="] {
            let bounds = settings(unit).iter().filter(|l| l.starts_with(key)).count();
            assert_eq!(bounds, 1, "{}: {key}", name(unit));
        }
    }
}
