//! What `docs/trust.md` says of bounds and of requests to the broker is what the source says.

use std::fs;
use std::time::Duration;

use ftp_proxy::options::Bounds;

use super::root;

/// The value of a constant in the source, in the unit that it is written in.
#[track_caller]
fn constant(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let start = format!("const {name}: ");
    let line = text
        .lines()
        .find_map(|line| line.split_once(&start))
        .unwrap_or_else(|| panic!("{file} has no {name}"));
    let (_, value) = line.1.split_once(" = ").unwrap();
    let value = value.trim_end_matches(';');
    let inner = value.split('(').next_back().unwrap().trim_end_matches(')');
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().unwrap();
    match (inner.split_once("<<"), inner.split_once('*')) {
        (Some((one, by)), _) => number(one) << number(by),
        (_, Some((one, other))) => number(one) * number(other),
        _ => number(inner),
    }
}

/// The numbers in a text, in order.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

/// A constant: its file, its name, and how many of its units are one of the document's.
type Constant = (&'static str, &'static str, u64);

/// Bounds of docs/trust.md that are constants: the row's beginning, and each number of it.
const BOUNDS: [(&str, &[Constant]); 21] = [
    (
        "replies that nothing asked for",
        &[("src/ftp/session/unasked.rs", "MAX_UNASKED", 1)],
    ),
    ("idle time", &[("src/proxy/life.rs", "QUIET", 1)]),
    (
        "log lines of a kind that a peer provokes",
        &[
            ("src/log/provoked.rs", "MOST", 1),
            ("src/log/provoked.rs", "WINDOW", 1),
        ],
    ),
    ("sessions", &[("src/options/mod.rs", "MAX_SESSIONS", 1)]),
    (
        "commands behind an unanswered ABOR",
        &[("src/relay/clocks.rs", "ABOR_TIMEOUT", 1)],
    ),
    (
        "the server's word on a data connection",
        &[("src/relay/clocks.rs", "VERDICT_TIMEOUT", 1)],
    ),
    (
        "a session that is over",
        &[("src/relay/clocks.rs", "LINGER_TIMEOUT", 1)],
    ),
    (
        "look-up of a name in forward mode",
        &[
            ("src/resolver.rs", "PATIENCE", 1),
            ("src/resolver.rs", "LONGEST", 1),
            ("src/resolver.rs", "MOST", 1),
        ],
    ),
    (
        "look-up of the name of `--masquerade`",
        &[("src/proxy/announced.rs", "PATIENCE", 1)],
    ),
    (
        "header of the PROXY protocol, time",
        &[("src/balancer.rs", "PATIENCE", 1)],
    ),
    (
        "header of the PROXY protocol, version 1",
        &[("src/proxy_protocol/v1.rs", "LONGEST", 1)],
    ),
    (
        "header of the PROXY protocol, version 2",
        &[("src/proxy_protocol/mod.rs", "LONGEST", 1)],
    ),
    (
        "headers awaited at a data port",
        &[("src/datapath/arrivals.rs", "WAITING_MAX", 1)],
    ),
    (
        "callers at a data port",
        &[
            ("src/net/data.rs", "DATA_BACKLOG", 1),
            ("src/datapath/arrivals.rs", "CALLERS", 1),
        ],
    ),
    (
        "a grant that nobody renews (Linux)",
        &[
            ("src/broker/nft.rs", "LIFETIME", 1000),
            ("src/broker/hand.rs", "RENEWAL", 1000),
        ],
    ),
    (
        "a request to the broker",
        &[("src/broker/request.rs", "LENGTH", 1)],
    ),
    (
        "the rest of a request that has begun",
        &[("src/broker/hand.rs", "PATIENCE", 1)],
    ),
    (
        "the broker's answer",
        &[("src/broker/mod.rs", "PATIENCE", 1)],
    ),
    (
        "the kernel's answer to the broker (Linux)",
        &[("src/netlink.rs", "PATIENCE", 1)],
    ),
    ("pfctl(8)", &[("src/broker/pf.rs", "PATIENCE", 1)]),
    ("log line |", &[("src/log.rs", "MAX_TEXT", 1)]),
];

/// The second column of the row of docs/trust.md's bounds that begins so.
#[track_caller]
fn bound(row: &str) -> String {
    row_of_trust("Bounds", row)
}

/// The second column of the row that begins so, of the first table below this heading of docs/trust.md.
#[track_caller]
fn row_of_trust(heading: &str, row: &str) -> String {
    let text = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let (_, text) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let start = format!("| {row}");
    let found = text.lines().find(|line| line.starts_with(&start));
    let found = found.unwrap_or_else(|| panic!("no row {row:?}"));
    found.split(" | ").nth(1).unwrap().to_owned()
}

#[test]
fn bounds_on_the_trust_page_are_the_program_s() {
    for (row, constants) in BOUNDS {
        let values: Vec<u64> = constants
            .iter()
            .map(|&(file, name, unit)| constant(file, name) / unit)
            .collect();
        assert_eq!(numbers(&bound(row)), values, "{row}: {constants:?}");
    }
}

#[test]
fn defaults_on_the_trust_page_are_the_option_s() {
    let default = Bounds::default();
    let seconds = |time: Option<Duration>| time.unwrap().as_secs();
    let bytes = |length: usize| u64::try_from(length).unwrap();
    for (row, option, value) in [
        (
            "command line of the client",
            "--max-line",
            bytes(default.line),
        ),
        (
            "command that the server gets",
            "--max-command",
            bytes(default.command),
        ),
        (
            "bytes queued for one side",
            "--max-queue",
            bytes(default.queue),
        ),
        (
            "commands that wait for their answer",
            "--max-outstanding",
            bytes(default.outstanding),
        ),
        ("no login", "--login-timeout", seconds(default.login)),
        (
            "connect to the server",
            "--connect-timeout",
            default.connect.as_secs(),
        ),
        (
            "connect for data",
            "--connect-timeout",
            default.connect.as_secs(),
        ),
        (
            "a data port that nobody comes to",
            "--accept-timeout",
            seconds(default.accept),
        ),
        (
            "a peer that answers nothing",
            "--keepalive",
            seconds(default.keepalive),
        ),
        (
            "a data connection on which nothing",
            "--stall-timeout",
            seconds(default.stall),
        ),
    ] {
        let said = bound(row);
        assert!(said.contains(&format!("`{option}`")), "{row}: {said}");
        assert_eq!(numbers(&said), [value], "{row}: {said}");
    }
}

/// The fields of a structure or of a variant in the source, in order.
#[track_caller]
fn fields(file: &str, of: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (_, rest) = text.split_once(of).unwrap_or_else(|| panic!("{of}"));
    let inner = rest.split('}').next().unwrap().replace(['{', ','], "\n");
    let field = |line: &str| {
        let (name, _) = line.trim().split_once(": ")?;
        let name = name.trim_start_matches("pub ");
        (!name.starts_with('/')).then(|| name.to_owned())
    };
    inner.lines().filter_map(field).collect()
}

#[test]
fn the_trust_page_says_what_is_asked_of_a_broker() {
    const REQUEST: &str = "src/broker/request.rs";
    for (row, of, named) in [
        (
            "a Grant says",
            "pub struct Wanted ",
            &[
                ("way", "which of the four ways"),
                ("announced", "two ports"),
                ("real", "two ports"),
                ("server", "the server"),
                ("facing_server", "our address toward the server"),
            ][..],
        ),
        ("a Dial says", "Dial {", &[("port", "a port from 1024")][..]),
    ] {
        let said = row_of_trust("The broker", row);
        let names: Vec<&str> = named.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields(REQUEST, of), names, "write {row:?} of docs/trust.md");
        for (field, words) in named {
            assert!(said.contains(words), "{row}: {field}: {said}");
        }
    }
    // The length of a request stands there too.
    let length = constant(REQUEST, "LENGTH");
    let accepts = row_of_trust("The broker", "accepts");
    assert_eq!(numbers(&accepts), [length], "{accepts}");
    let answers = row_of_trust("The broker", "answers");
    assert_eq!(
        numbers(&answers),
        [constant(REQUEST, "ANSWER")],
        "{answers}"
    );
}
