//! The manual as a reader sees it: man(1) is groff on Debian and mandoc on the BSDs, and both show all of it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

const MANUAL: &str = include_str!("../ftp-proxy.8");

/// What each program is called with. "-ww" and "-W" make it report what it does not understand.
const GROFF: &[&str] = &["groff", "-mandoc", "-Tascii", "-ww", "-P-c"];
const MANDOC: &[&str] = &["mandoc", "-Tascii", "-W", "warning"];

/// `manual` as text, without overstriking, and what the program complained of; `None` where there is no such program.
fn rendered(by: &[&str], manual: &str) -> Option<(String, String)> {
    let child = Command::new(by[0])
        .args(&by[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let _ = writeln!(io::stderr(), "skipped: needs {}", by[0]);
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let manual = manual.to_owned();
    let feed = std::thread::spawn(move || stdin.write_all(manual.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap().unwrap();
    let mut text = String::new();
    for letter in String::from_utf8(output.stdout).unwrap().chars() {
        match letter {
            '\u{8}' => drop(text.pop()),
            letter => text.push(letter),
        }
    }
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((text, complaints))
}

/// The titles of sections and subsections, in order.
fn headings(manual: &str) -> Vec<String> {
    let title = |line: &str| {
        let (macro_name, title) = line.split_once(' ')?;
        let heading = [".Sh", ".Ss"].contains(&macro_name);
        heading.then(|| title.replace("Fl ", "-"))
    };
    manual.lines().filter_map(title).collect()
}

/// The letters and digits of the body: programs break and hyphenate lines, and draw quotes, each in its own way.
fn letters(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let body = lines[1..lines.len() - 1].concat();
    body.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[track_caller]
fn shows_every_section(by: &[&str]) {
    let Some((text, complaints)) = rendered(by, MANUAL) else {
        return;
    };
    assert_eq!(complaints, "", "{by:?}");
    let mut lines = text.lines();
    let headings = headings(MANUAL);
    assert!(headings.len() > 40, "{headings:?}");
    for heading in &headings {
        let shown = lines.any(|line| line.trim() == heading);
        assert!(shown, "{by:?} does not show the section {heading}");
    }
    // The last words of the source are the last words of the body.
    let last = MANUAL.trim_end().lines().last().unwrap();
    let end = letters(&text);
    let wanted: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
    assert!(end.ends_with(&wanted), "{by:?} does not show {last:?}");
}

#[test]
fn groff_shows_every_section_and_complains_of_none() {
    shows_every_section(GROFF);
}

#[test]
fn mandoc_shows_every_section_and_complains_of_none() {
    shows_every_section(MANDOC);
}

#[test]
fn groff_and_mandoc_show_the_same_words() {
    let (Some(groff), Some(mandoc)) = (rendered(GROFF, MANUAL), rendered(MANDOC, MANUAL)) else {
        return;
    };
    let (groff, mandoc) = (letters(&groff.0), letters(&mandoc.0));
    let same = groff.bytes().zip(mandoc.bytes());
    let same = same.take_while(|(one, other)| one == other).count();
    let after = |text: &str| text[same.saturating_sub(60)..text.len().min(same + 60)].to_owned();
    assert!(
        groff == mandoc,
        "groff: {}\nmandoc: {}",
        after(&groff),
        after(&mandoc)
    );
}
