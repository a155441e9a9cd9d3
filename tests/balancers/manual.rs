//! The example of `ftp-proxy.8` with HAProxy in front, as it stands there.

use std::fs;

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ftp-proxy.8");
const HEADING: &str = ".Ss A server behind the gateway, and HAProxy in front\n";

/// The literal displays of the example.
fn displays() -> Vec<String> {
    let manual = fs::read_to_string(MANUAL).unwrap();
    let (_, rest) = manual.split_once(HEADING).expect("the example");
    let (example, _) = rest.split_once("\n.Ss ").expect("a next one");
    let parts = example.split(".Bd -literal -offset indent\n").skip(1);
    let display = |part: &str| part.split_once(".Ed").expect("an end").0.to_owned();
    parts.map(display).collect()
}

/// The configuration of HAProxy.
pub fn haproxy() -> String {
    displays().swap_remove(0)
}

/// The words of the proxy's command, without its name.
pub fn command() -> Vec<String> {
    let line = displays().swap_remove(1).replace("\\e\n", " ");
    let words = line.split_whitespace().map(str::to_owned);
    let words: Vec<String> = words.collect();
    assert_eq!(words[0], "ftp-proxy");
    words[1..].to_vec()
}
