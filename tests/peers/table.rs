//! The nftables table that administrators are given, with the parts uncommented that one kind of gateway needs.

use std::fs;

use crate::gateways::Gateway;
use crate::launch::shipped;
use crate::net::{self, Result};

impl Gateway {
    /// Loads the shipped table.
    pub fn load_table(&self) -> Result<()> {
        self.load(&[], &[])
    }

    /// The same with the filter that lets nothing be forwarded but what the proxy has granted.
    pub fn load_table_with_filter(&self) -> Result<()> {
        self.load(&["forward"], &[])
    }

    /// The same with that filter and with TPROXY in place of the redirect, and the routes that this needs.
    pub fn load_table_with_tproxy(&self) -> Result<()> {
        let example = example()?;
        let routes: Vec<_> = example
            .lines()
            .map(without_mark)
            .filter(|line| {
                ["ip rule ", "ip route ", "ip -6 "]
                    .iter()
                    .any(|word| line.starts_with(word))
            })
            .collect();
        self.sh(&routes.join("\n"))?;
        self.load(&["divert", "forward"], &["prerouting"])
    }

    fn load(&self, with: &[&str], without: &[&str]) -> Result<()> {
        let table = edited(&example()?, with, without)?;
        net::feed(self.command("nft").args(["-f", "-"]), &table).map(|_| ())
    }
}

fn example() -> Result<String> {
    let path = shipped("nftables.conf.example");
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

/// The line without white space and "#" in front.
fn without_mark(line: &str) -> &str {
    line.trim_start().trim_start_matches('#').trim_start()
}

/// The example with the commented chains in `with` and without the chains in `without`.
fn edited(example: &str, with: &[&str], without: &[&str]) -> Result<String> {
    let mut table = String::new();
    let mut found = 0;
    let mut lines = example.lines();
    while let Some(line) = lines.next() {
        let chain = without_mark(line)
            .strip_prefix("chain ")
            .and_then(|rest| rest.strip_suffix(" {"));
        let named = |names: &[&str]| chain.is_some_and(|chain| names.contains(&chain));
        let commented = line.trim_start().starts_with('#');
        let (uncomment, leave_out) = (commented && named(with), !commented && named(without));
        if !uncomment && !leave_out {
            table += &format!("{line}\n");
            continue;
        }
        found += 1;
        for line in std::iter::once(line).chain(lines.by_ref()) {
            let line = without_mark(line);
            if uncomment {
                table += &format!("{line}\n");
            }
            if line == "}" {
                break;
            }
        }
    }
    if found == with.len() + without.len() {
        return Ok(table);
    }
    Err(format!(
        "nftables.conf.example has not all of the chains {with:?} and {without:?}"
    ))
}
