//! One command, in all terms and in all the ways of writing it.

use super::tame::talk;

/// Case and blanks make no difference, and what a session may never do it does not do for any line.
pub fn check(bytes: &[u8]) {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    for terms in ["", "A", "e", "n", "8e", "6e", "68e", "f", "fAp"] {
        for end in ["C", "n"] {
            let (before, after) = (format!("{terms}\nR0\n{end}"), "\nR0\nR0\nR0\nDb\nT\nR0");
            super::session::check(&[before.as_bytes(), line, after.as_bytes()].concat());
        }
    }
    // Neither Telnet nor a CR that is part of the line's end in one form and not in another.
    if line.len() > 4000 || line.iter().any(|b| matches!(b, b'\r' | 255)) {
        return;
    }
    let blank = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
    let from = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    let verb = line[from..]
        .iter()
        .position(blank)
        .map_or(line.len(), |n| from + n);
    let said = |line: &[u8]| {
        let talk = talk(&[line, b"\r\n"].concat(), 4096);
        (talk.to_server.len(), talk.to_client, talk.plans)
    };
    let plain = said(line);
    let mut other = line.to_vec();
    other[..verb].make_ascii_uppercase();
    assert_eq!(said(&other), plain, "capitals");
    other[..verb].make_ascii_lowercase();
    assert_eq!(said(&other), plain, "small letters");
    assert_eq!(said(&[b" \t", line].concat()), plain, "blanks before");
    assert_eq!(said(&[line, b" "].concat()), plain, "a blank behind");
    if verb < line.len() {
        let wide = [&line[..verb], b" \t\x0b", &line[verb..]].concat();
        assert_eq!(said(&wide), plain, "blanks between");
    }
}
