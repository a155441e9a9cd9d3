//! Who carries the data, and what a packet filter's rules for it are to have.

use std::fmt;

use super::BadUsage;
use super::given::Given;

/// The anchor of the ancestors (ftp-proxy(8) of FreeBSD and OpenBSD).
const ANCHOR: &str = "ftp-proxy";

/// Longest anchor, in bytes: with "/" and a process id it stays below MAXPATHLEN and what a log line holds.
const LONGEST_ANCHOR: usize = 200;

/// Longest tag and queue, in bytes: PF_TAG_NAME_SIZE and PF_QNAME_SIZE are 64.
const LONGEST_NAME: usize = 63;

/// `--data-path`: who carries the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPath {
    /// Redirect where it helps and can be done, else relay.
    Auto,
    /// The proxy, at addresses of its own.
    Relay,
    /// The proxy, at the original server's address: the packet filter brings the connections to it.
    Redirect,
    /// The packet filter itself.
    Kernel,
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataPath::Auto => "auto",
            DataPath::Relay => "relay",
            DataPath::Redirect => "redirect",
            DataPath::Kernel => "kernel",
        })
    }
}

/// What pf(4)'s rules for a data connection are to have beside what they need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOptions {
    /// `--anchor`: they are loaded into `anchor/pid`.
    pub anchor: String,
    /// `--tag`.
    pub tag: Option<String>,
    /// `--queue`.
    pub queue: Option<String>,
    /// `--log-rules`.
    pub log: LogRules,
}

impl RuleOptions {
    /// Whether any was given that only pf(4) knows.
    #[must_use]
    pub fn given(&self) -> bool {
        *self != RuleOptions::default()
    }
}

impl Default for RuleOptions {
    fn default() -> Self {
        RuleOptions {
            anchor: ANCHOR.to_owned(),
            tag: None,
            queue: None,
            log: LogRules::No,
        }
    }
}

/// `--log-rules`: what pflog(4) sees of data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRules {
    /// Nothing.
    No,
    /// The packet that makes the state.
    First,
    /// `=all`: every packet.
    All,
}

pub(super) fn path(given: &Given) -> Result<DataPath, BadUsage> {
    let read = |text: &str| match text {
        "auto" => Some(DataPath::Auto),
        "relay" => Some(DataPath::Relay),
        "redirect" => Some(DataPath::Redirect),
        "kernel" => Some(DataPath::Kernel),
        _ => None,
    };
    let wanted = "write auto, relay, redirect or kernel";
    let path = given
        .value("data-path", read, wanted)?
        .unwrap_or(DataPath::Auto);
    // The broker must know the server before root is given up.
    if given.flag("forward") && matches!(path, DataPath::Redirect | DataPath::Kernel) {
        return Err(BadUsage(
            "--data-path: with --forward only auto and relay".to_owned(),
        ));
    }
    Ok(path)
}

pub(super) fn rules(given: &Given) -> Result<RuleOptions, BadUsage> {
    Ok(RuleOptions {
        anchor: given
            .rule_name("anchor", LONGEST_ANCHOR)?
            .unwrap_or_else(|| ANCHOR.to_owned()),
        tag: given.rule_name("tag", LONGEST_NAME)?,
        queue: given.rule_name("queue", LONGEST_NAME)?,
        log: log_rules(given)?,
    })
}

fn log_rules(given: &Given) -> Result<LogRules, BadUsage> {
    let all = given.value(
        "log-rules",
        |text| (text == "all").then_some(LogRules::All),
        "write --log-rules or --log-rules=all",
    )?;
    Ok(match all {
        Some(all) => all,
        None if given.flag("log-rules") => LogRules::First,
        None => LogRules::No,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn data_paths_and_rules_are_read_and_bad_names_refused() {
        let options = run(
            "-p --data-path kernel --anchor com.apple/100.InternetSharing/ftp-proxy \
                           --tag ftp --queue bulk --log-rules --rewrite-source-port",
        )
        .unwrap();
        assert_eq!(options.data_path, DataPath::Kernel);
        assert_eq!(
            options.rules.anchor,
            "com.apple/100.InternetSharing/ftp-proxy"
        );
        assert_eq!(options.rules.tag.as_deref(), Some("ftp"));
        assert_eq!(options.rules.queue.as_deref(), Some("bulk"));
        assert_eq!(options.rules.log, LogRules::First);
        assert!(options.rewrite_source_port && options.rules.given());
        let all = run("-p --log-rules=all").unwrap();
        assert_eq!(all.rules.log, LogRules::All);
        assert!(!run("-p").unwrap().rules.given());
        for bad in [
            "--anchor a//b",
            "--anchor /a",
            "--anchor a/../b",
            "--anchor -a",
            "--anchor a/_1",
            "--tag a\"b",
            "--queue a;b",
            "--log-rules=some",
            "--data-path fast",
            "--tag=",
        ] {
            let option = bad.split([' ', '=']).next().unwrap();
            let complaint = run(&format!("-p {bad}")).unwrap_err();
            assert!(complaint.starts_with(option), "{complaint}");
        }
        let forward = run("--forward --data-path kernel").unwrap_err();
        assert!(forward.contains("--forward"), "{forward}");
    }
}
