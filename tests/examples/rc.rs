//! contrib/freebsd: settings that rc.conf(5) reads as a shell does.

use std::collections::BTreeMap;

use super::{lines, shipped};

const PATH: &str = "contrib/freebsd/rc.conf.example";

/// `name="value"`, without a blank around the sign and without anything for the shell in the value.
fn read(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let plain =
        !name.is_empty() && name.bytes().all(is_name) && !value.contains(['"', '$', '`', '\\']);
    plain.then(|| (name.to_owned(), value.to_owned()))
}

#[test]
fn a_setting_that_the_shell_reads_otherwise_is_noticed() {
    assert!(read("pf_enable=\"YES\"").is_some());
    for line in [
        "pf_enable = \"YES\"",
        "pf_enable=YES",
        "pf_enable=\"$x\"",
        "=\"YES\"",
        "pf_enable",
    ] {
        assert!(read(line).is_none(), "{line}");
    }
}

#[test]
fn what_the_proxy_needs_is_enabled_and_nothing_is_set_twice() {
    let mut set = BTreeMap::new();
    for line in lines(&shipped(PATH)) {
        let (name, value) = read(&line.text).unwrap_or_else(|| panic!("{}", line.text));
        if name.ends_with("_enable") {
            assert_eq!(value, "YES", "{name}");
        }
        assert!(set.insert(name, (value, line.live)).is_none());
    }
    for name in ["gateway_enable", "pf_enable", "inetd_enable"] {
        assert!(set[name].1, "{name}");
    }
    // Its inetd(8) takes the address here and not in inetd.conf(5); it is the one that the rule of pf leads to.
    let flags: Vec<_> = set["inetd_flags"].0.split(' ').collect();
    let address = flags.iter().skip_while(|flag| **flag != "-a").nth(1);
    let rule = format!("-> {} port ", address.expect("an address"));
    assert!(shipped("pf.conf.example").contains(&rule));
}
