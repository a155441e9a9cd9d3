//! The examples that an administrator pastes are what the manual says, what the program takes, and one another's match.
//!
//! nft(8), inetd and xinetd read theirs in `tests/peers`. No parser of pf.conf(5), ipnat.conf(5) or ipf.conf(5) runs on
//! Linux, so that these are held to as much of the grammar as they are meant to use.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod grants;
mod inetd;
mod ipfilter;
mod lines;
mod manual;
mod pf;
mod property_list;
mod rc;
mod words;

use std::fs;

/// The port that every rule leads to and every transparent line listens on.
const PORT: u16 = 8021;

/// A line of an example that is meant to be used.
struct Line {
    text: String,
    /// It works as the file stands. Otherwise a "#" must be taken away first.
    live: bool,
}

/// The text of a file of the source directory.
fn shipped(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines to use: "#" and a letter begin one that is commented out, "#" and a blank are prose.
fn lines(text: &str) -> Vec<Line> {
    let line = |text: &str| {
        let (text, live) = match text.strip_prefix('#') {
            Some(rest) => (rest, false),
            None => (text, true),
        };
        let used = !text.is_empty() && (live || !text.starts_with([' ', '\t', '#']));
        used.then(|| Line {
            text: text.to_owned(),
            live,
        })
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn a_line_is_live_or_commented_out_or_prose() {
    let found = lines("# prose\n#\n\nlive here\n#use me\n#\tcommand\n");
    let found: Vec<_> = found.iter().map(|l| (l.text.as_str(), l.live)).collect();
    assert_eq!(found, [("live here", true), ("use me", false)]);
}
