//! What `docs/scale-out.md` has for administrators, taken from there, and read by the programs that it is for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::net::{Namespace, run};
use crate::world::ROOM;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale-out.md");

/// What keeps the configurations from being run here, if anything does.
pub fn hindrance() -> Option<String> {
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.work/root/usr/sbin");
    ["haproxy", "keepalived"]
        .into_iter()
        .find(|program| !Path::new(programs).join(program).exists())
        .map(|program| format!("needs {program}: run tests/setup/peers"))
}

/// The document's blocks of this kind, each with its first line, which names it.
fn blocks(kind: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let fence = format!("```{kind}\n");
    let inner = text.split(&fence).skip(1);
    let block = |rest: &str| {
        let (block, _) = rest.split_once("```").expect("the fence is closed");
        let (name, _) = block.split_once('\n').unwrap();
        (name.trim_start_matches("# ").to_owned(), block.to_owned())
    };
    inner.map(block).collect()
}

/// The document's block of this kind and name.
#[track_caller]
pub fn block(kind: &str, name: &str) -> String {
    let found = blocks(kind).into_iter().find(|(own, _)| own == name);
    found.unwrap_or_else(|| panic!("no block {name:?}")).1
}

/// The document's command line of the proxy that holds all of these words, without the program's name.
#[track_caller]
pub fn proxy_line(holds: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let line = text.lines().find_map(|line| {
        let words = line.strip_prefix("    ftp-proxy ")?;
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        holds
            .iter()
            .all(|wanted| words.iter().any(|word| word == wanted))
            .then_some(words)
    });
    line.unwrap_or_else(|| panic!("no command line with {holds:?}"))
}

/// A file with this content, for a program to read.
pub fn file(name: &str, content: &str) -> String {
    let path = format!("{ROOM}/{name}");
    fs::write(&path, content).unwrap();
    path
}

pub fn every_haproxy_configuration_of_the_document_is_valid() {
    for (index, (name, content)) in blocks("haproxy").into_iter().enumerate() {
        let path = file(&format!("valid-{index}.haproxy"), &content);
        let read = run(Command::new("haproxy").args(["-c", "-f", &path]));
        assert!(read.is_ok(), "{name}: {read:?}");
    }
}

pub fn every_nftables_file_of_the_document_is_valid() {
    let machine = Namespace::new("valid-nft").unwrap();
    let blocks = blocks("nft");
    assert!(blocks.len() > 1);
    // Each builds on those before it.
    for (index, (name, content)) in blocks.into_iter().enumerate() {
        let path = file(&format!("valid-{index}.nft"), &content);
        let read = run(machine.command("nft").args(["-f", &path]));
        assert!(read.is_ok(), "{name}: {read:?}");
    }
}

pub fn every_keepalived_configuration_of_the_document_is_valid() {
    let machine = Namespace::new("valid-vrrp").unwrap();
    machine
        .ip("link add eth0 type veth peer name eth1\n")
        .unwrap();
    for (index, (name, content)) in blocks("keepalived").into_iter().enumerate() {
        let path = file(&format!("valid-{index}.keepalived"), &content);
        let read = run(machine.command("keepalived").args(["-t", "-f", &path]));
        assert!(read.is_ok(), "{name}: {read:?}");
        // Words that are wrong do not pass, so that what passes says something.
        for (word, wrong) in [
            ("lb_algo ", "lb_algo no-such-"),
            ("inhibit_on_failure", "inhibit_on_fail"),
            ("ip_family inet6", "ip_family inet"),
        ] {
            let broken = content.replacen(word, wrong, 1);
            assert_ne!(broken, content, "{name}: {word}");
            let path = file(&format!("broken-{index}.keepalived"), &broken);
            let read = run(machine.command("keepalived").args(["-t", "-f", &path]));
            assert!(read.is_err(), "{name}: {word} is not looked at");
        }
        // A gateway that drains fails its check, and keeps its sessions only if it is not removed.
        for server in content.split("real_server ").skip(1) {
            let inner = server.split("\nvirtual_server").next().unwrap();
            let checked = inner.contains("TCP_CHECK");
            assert_eq!(
                inner.contains("inhibit_on_failure\n"),
                checked,
                "{name}: {inner}"
            );
        }
    }
}
