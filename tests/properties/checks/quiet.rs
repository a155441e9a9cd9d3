//! What must stay unsaid, what must be said once.

use super::oracle::{Finals, body, latin, split};

/// The line as a server of the BSD family reads it: 255 and what follows it are gone, but for a 255 that is doubled.
pub fn as_dropped(mut bytes: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        bytes = match bytes {
            [] => return read,
            [255, 255, rest @ ..] => {
                read.push(255);
                rest
            }
            [255, 251..=254, _, rest @ ..] | [255, _, rest @ ..] => rest,
            [byte, rest @ ..] => {
                read.push(*byte);
                rest
            }
        };
    }
}

/// The line as the log may show it: without secrets.
pub fn masked(line: &[u8]) -> String {
    let text = latin(line);
    let (verb, argument) = split(&text);
    match verb.to_ascii_uppercase().as_str() {
        verb @ ("PASS" | "ACCT" | "ADAT") => format!("{verb} XXXX"),
        "SITE" if !argument.is_empty() => {
            let (word, rest) = split(argument);
            let upper = word.to_ascii_uppercase();
            let secret = ["PSWD", "PASS", "CHPASS", "CPWD", "CHPW"];
            let rest = match rest {
                "" => String::new(),
                _ if secret.iter().any(|s| upper.starts_with(s)) => " XXXX".to_owned(),
                rest => format!(" {rest}"),
            };
            format!("SITE {word}{rest}")
        }
        _ => text,
    }
}

/// The final replies that the client has heard of the server and of us.
pub struct Heard {
    honest: bool,
    finals: Finals,
    count: usize,
    farewells: usize,
}

impl Heard {
    pub fn new(honest: bool) -> Self {
        Heard {
            honest,
            finals: Finals::default(),
            count: 0,
            farewells: 0,
        }
    }

    /// A line. The greeting is the first final reply; then the reply to command `n` is reply `n`, if it says so.
    pub fn hear(&mut self, line: &[u8]) {
        let Some(code) = self.finals.ended_by(line) else {
            return;
        };
        self.farewells += usize::from(code == 421);
        if !self.honest {
            self.count += 1;
            return;
        }
        let text = String::from_utf8_lossy(body(line)).into_owned();
        if let Some(number) = text.rsplit_once('#').and_then(|(_, n)| n.parse().ok()) {
            assert_eq!(self.count, number, "{text:?} answers another command");
        }
        self.count += 1;
    }

    /// No reply has come that nothing asked for, but 421.
    pub fn at_most(&self, commands: usize) {
        assert!(
            self.count <= commands + 1 + self.farewells,
            "replies are not conserved: {} for {commands} commands",
            self.count
        );
    }

    /// Nothing more will come after so many commands.
    pub fn all(&self, commands: usize) {
        assert_eq!(self.count, commands + 1, "commands and final replies");
    }
}
