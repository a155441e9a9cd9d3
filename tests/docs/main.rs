//! What the documents say about this tree is held against it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod trust;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.file_name().is_some_and(|n| n == ".work") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// Looks for the tests that stand in the last column of a document's tables; how many there are.
fn tests_named_in(document: &str) -> usize {
    let sources: String = ["src", "tests"]
        .into_iter()
        .flat_map(files)
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut named = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let last = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        for name in last.split('`').skip(1).step_by(2) {
            let transcript = root().join(format!("tests/transcripts/{name}.txt"));
            let function = sources.contains(&format!("fn {name}("));
            let driver = sources.contains(&format!("\"{name}\""));
            assert!(
                function || driver || transcript.exists(),
                "{document} names {name}, which is no test"
            );
            named += 1;
        }
    }
    named
}

#[test]
fn every_past_attack_names_a_test_that_exists() {
    let named = tests_named_in("docs/past-attacks.md");
    assert!(named > 60, "only {named} tests are named");
}

#[test]
fn every_section_of_an_rfc_names_a_test_that_exists() {
    let named = tests_named_in("docs/conformance.md");
    assert!(named > 90, "only {named} tests are named");
}

#[test]
fn every_decision_that_the_source_cites_is_in_the_list() {
    let list = fs::read_to_string(root().join("docs/ancestors.md")).unwrap();
    for path in files("src") {
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("ancestors.md, D") {
            let number = text[at + "ancestors.md, D".len()..]
                .split(|c: char| !c.is_ascii_digit())
                .next()
                .unwrap();
            assert!(
                list.contains(&format!("| D{number} |")),
                "{} cites D{number}",
                path.display()
            );
        }
    }
}

/// The documents for people, from the root.
fn documents() -> Vec<String> {
    let mut found: Vec<String> = files("docs")
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    for name in ["README", "CONTRIBUTING", "SECURITY", "CHANGELOG"] {
        found.push(format!("{name}.md"));
    }
    found.push("bench/README.md".to_owned());
    found
}

/// Whether a word of a document is meant for a file of this tree: by its first folder or its ending.
fn names_a_file(word: &str) -> bool {
    let plain = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/*@+".contains(c));
    let [first, end] = [word.split('/').next(), word.rsplit('.').next()].map(Option::unwrap);
    let folder = ["", "src", "docs", "tests"]
        .iter()
        .any(|place| !first.is_empty() && root().join(place).join(first).is_dir());
    let ending = ["rs", "md", "sh", "py", "example", "yaml"].contains(&end) && word != end;
    plain && ((word.contains('/') && folder) || (ending && !word.starts_with(['/', '.', '*'])))
}

/// Whether the file is there, from the root, the sources, the documents or the tests; `*` is any one name.
fn is_there(word: &str) -> bool {
    let word = word.trim_end_matches('/');
    ["", "src", "docs", "tests", "tests/cross", "bench"]
        .iter()
        .any(|place| {
            let path = root().join(place).join(word);
            match word.rsplit('/').next().unwrap().strip_prefix('*') {
                None => path.exists(),
                Some(end) => fs::read_dir(path.parent().unwrap()).is_ok_and(|mut entries| {
                    entries.any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(end))
                }),
            }
        })
}

#[test]
fn every_file_that_a_document_names_exists() {
    assert!(names_a_file("nat/here/*.rs") && is_there("nat/here/*.rs"));
    assert!(names_a_file("src/none.rs") && !is_there("src/none.rs"));
    assert!(!names_a_file("192.0.2.0/24") && !names_a_file("/etc/hosts"));
    let mut missing = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        let outside: String = text.split("```").step_by(2).collect();
        // What is made by running something is not there before.
        let made = |word: &str| word.starts_with("target/") || word.starts_with("tests/.work");
        for word in outside.split('`').skip(1).step_by(2) {
            let word = word.split([' ', ':']).next().unwrap();
            if names_a_file(word) && !made(word) {
                seen += 1;
                if !is_there(word) {
                    missing.push(format!("{document} names {word}"));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} names were read");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_file_that_is_chosen_by_system_is_in_the_list() {
    let list = fs::read_to_string(root().join("docs/portability.md")).unwrap();
    let mut seen = 0;
    for source in files("src") {
        let text = fs::read_to_string(&source).unwrap();
        let folder = source.parent().unwrap().strip_prefix(root().join("src"));
        let chosen = text.split("path = \"").skip(1);
        for path in chosen.filter_map(|rest| rest.split('"').next()) {
            let path = folder.clone().unwrap().join(path);
            let all = path.with_file_name("");
            let all = all.display();
            let named = [
                path.display().to_string(),
                format!("{all}*.rs"),
                format!("{all}"),
            ];
            let is_named = named.iter().any(|name| list.contains(&format!("`{name}`")));
            assert!(is_named, "docs/portability.md lacks {}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} choices were found");
}

/// The crates that the program is made of on each of the systems that deny.toml names, and those that run to build it.
fn crates() -> BTreeSet<String> {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let systems = deny.split("targets = [").nth(1).unwrap();
    let systems = systems.split(']').next().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(["tree", "--locked"]);
    command.args(["--edges", "normal,build", "--prefix", "none"]);
    for system in systems.split('"').skip(1).step_by(2) {
        command.args(["--target", system]);
    }
    let tree = command.output().unwrap();
    let why = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "cargo tree: {why}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != env!("CARGO_PKG_NAME"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_crate_has_a_line_that_says_why_it_is_trusted_and_no_other_has() {
    let text = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let (_, text) = text.split_once("## Dependencies").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let mut told = BTreeSet::new();
    for row in rows {
        let columns: Vec<&str> = row.split(" | ").collect();
        assert!(
            columns.len() == 4 && columns.iter().all(|text| !text.trim().is_empty()),
            "{row}"
        );
        let names = columns[0].split('`').skip(1).step_by(2);
        told.extend(names.map(str::to_owned));
    }
    told.remove("users"); // as we call `uzers`
    let crates = crates();
    assert!(crates.len() > 20, "only {} were found", crates.len());
    assert_eq!(told, crates, "docs/trust.md, and what cargo tree says");
}
