//! Every command line of the documents and of the units is one that the program takes.

use std::fs;
use std::path::Path;

use super::inetd::options;
use super::shipped;

/// The words behind the program's name in each line of a document's blocks that starts it, comments left out.
fn command_lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let inside = text.lines().filter_map(|line| line.strip_prefix("    "));
    let starts = |line: &str| {
        let words = line.trim_start().strip_prefix("ftp-proxy ")?;
        Some(words.split("  #").next().unwrap_or("").trim().to_owned())
    };
    inside.filter_map(starts).collect()
}

/// What a unit starts.
fn exec_start(unit: &str) -> Option<String> {
    let line = unit.lines().find_map(|l| l.strip_prefix("ExecStart="))?;
    let words = line.trim_start_matches('-');
    words
        .strip_prefix("/usr/local/sbin/ftp-proxy ")
        .map(str::to_owned)
}

#[track_caller]
fn is_taken(place: &str, line: &str) {
    // As a shell would hand it over.
    let line = line.replace("$(POD_NAME)", "ftp-proxy-0");
    let words: Vec<&str> = line.split_whitespace().collect();
    if let Err(why) = options(&words) {
        panic!("{place}: {line}: {why}");
    }
}

#[test]
fn every_command_line_of_a_document_is_taken() {
    let mut seen = 0;
    for document in ["README.md", "docs/scale-out.md", "docs/firewalls.md"] {
        for line in command_lines(&shipped(document)) {
            is_taken(document, &line);
            seen += 1;
        }
    }
    assert!(seen > 7, "only {seen} lines were found");
}

#[test]
fn every_command_line_of_a_unit_is_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/systemd");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Some(line) = exec_start(&fs::read_to_string(&path).unwrap()) {
            is_taken(&path.display().to_string(), &line);
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn the_recipe_for_a_container_is_taken() {
    let document = shipped("docs/scale-out.md");
    let line = document.lines().find(|l| l.starts_with("    podman run "));
    let (_, words) = line.unwrap().split_once(" ftp-proxy ").unwrap();
    is_taken(
        "docs/scale-out.md",
        &format!("--listen 0.0.0.0:2121 {words}"),
    );
    let image = shipped("contrib/container/Containerfile").replace("\\\n", " ");
    let line = image.split("#       ftp-proxy ").nth(1).unwrap();
    let words = line.lines().next().unwrap();
    is_taken(
        "the Containerfile",
        &format!("--listen 0.0.0.0:2121 {words}"),
    );
}
