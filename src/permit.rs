//! What sessions may not do that FTP has: verbs that are denied, addresses that are not their speaker's own.
//!
//! Pure: text in, value out. Options read it and `ftp` obeys it.

#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

/// Longest verb, in bytes: `XSHA512` is the longest in use (RFC 5797 has four letters at most).
const LONGEST: usize = 16;

/// Without these nobody could log in, or leave.
const NEEDED: [&str; 3] = ["USER", "PASS", "QUIT"];

/// What a session may and may not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// `--deny-command` and `--no-epsv`: refused, whoever says them.
    pub denied: Verbs,
    /// `--foreign-address`.
    pub foreign: ForeignAddresses,
    /// `--server-epsv no`: an IPv4 server is asked by PASV alone.
    pub pasv_only: bool,
    /// `--allow-low-ports`: a server's data port may be below 1024.
    pub low_ports: bool,
}

/// What becomes of an address that is not its speaker's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// The command is, and the client hears so.
    Refuse,
    /// The speaker's own address is taken in its place.
    Ignore,
    /// It is dialled, unless nobody may dial it.
    Allow,
}

/// The same for both who name addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignAddresses {
    /// The client, in PORT and EPRT.
    pub active: Foreign,
    /// The server, in 227.
    pub passive: Foreign,
}

impl Default for ForeignAddresses {
    /// A client has no reason to name another host; a server behind a translator does so by mistake.
    fn default() -> Self {
        ForeignAddresses {
            active: Foreign::Refuse,
            passive: Foreign::Ignore,
        }
    }
}

impl ForeignAddresses {
    /// Takes in what a text says: `refuse`, `ignore` or `allow`, for both, or behind `active=` and `passive=` for one;
    /// several with commas between. `None`: it says nothing of the kind.
    #[must_use]
    pub fn with(mut self, text: &str) -> Option<Self> {
        for part in text.split(',') {
            let (who, what) = match part.split_once('=') {
                Some((who, what)) => (Some(who), what),
                None => (None, part),
            };
            let what = match what {
                "refuse" => Foreign::Refuse,
                "ignore" => Foreign::Ignore,
                "allow" => Foreign::Allow,
                _ => return None,
            };
            match who {
                None => (self.active, self.passive) = (what, what),
                Some("active") => self.active = what,
                Some("passive") => self.passive = what,
                Some(_) => return None,
            }
        }
        Some(self)
    }

    /// Whether a third host may be dialled at all.
    #[must_use]
    pub fn allows(self) -> bool {
        [self.active, self.passive].contains(&Foreign::Allow)
    }
}

/// Verbs that are denied, in capitals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verbs(Vec<String>);

impl Verbs {
    /// EPSV alone.
    #[must_use]
    pub fn epsv() -> Verbs {
        Verbs(vec!["EPSV".to_owned()])
    }

    /// Whether this verb, in capitals, is one of them.
    #[must_use]
    pub fn has(&self, verb: &[u8]) -> bool {
        self.0.iter().any(|denied| denied.as_bytes() == verb)
    }

    /// Takes the others in as well.
    pub fn add(&mut self, others: Verbs) {
        self.0.extend(others.0);
    }
}

/// Why a text is no list of [`Verbs`]; its `Display` is the clause that follows the text in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadVerbs {
    /// This part is no verb.
    Syntax(String),
    /// This one is needed.
    Needed(String),
}

impl fmt::Display for BadVerbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadVerbs::Syntax(part) => write!(
                f,
                "\"{part}\" is no verb, write verbs with commas between, as EPSV,PASV"
            ),
            BadVerbs::Needed(verb) => write!(f, "{verb} cannot be denied, sessions need it"),
        }
    }
}

impl FromStr for Verbs {
    type Err = BadVerbs;

    /// # Errors
    /// Which part is wrong: say so to whoever wrote the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let verb = |part: &str| {
            let plain = part.bytes().all(|b| b.is_ascii_alphanumeric());
            if !plain || !(1..=LONGEST).contains(&part.len()) {
                return Err(BadVerbs::Syntax(part.to_owned()));
            }
            let verb = part.to_ascii_uppercase();
            if NEEDED.contains(&verb.as_str()) {
                return Err(BadVerbs::Needed(verb));
            }
            Ok(verb)
        };
        text.split(',')
            .map(verb)
            .collect::<Result<_, _>>()
            .map(Verbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_verbs_is_read_whatever_its_case() {
        let verbs: Verbs = "epsv,Pasv,XSHA512".parse().unwrap();
        for verb in ["EPSV", "PASV", "XSHA512"] {
            assert!(verbs.has(verb.as_bytes()), "{verb}");
        }
        assert!(!verbs.has(b"EPS") && !verbs.has(b"EPRT") && !verbs.has(b""));
        assert!(!Verbs::default().has(b"EPSV"));
    }

    #[test]
    fn a_bare_word_is_for_both_and_the_last_one_counts() {
        use Foreign::{Allow, Ignore, Refuse};
        let both = |text: &str| {
            ForeignAddresses::default()
                .with(text)
                .map(|f| (f.active, f.passive))
        };
        assert_eq!(both("refuse"), Some((Refuse, Refuse)));
        assert_eq!(both("passive=allow"), Some((Refuse, Allow)));
        assert_eq!(both("active=ignore"), Some((Ignore, Ignore)));
        assert_eq!(both("allow,active=refuse"), Some((Refuse, Allow)));
        for text in [
            "",
            "Allow",
            "allow,",
            "port=allow",
            "active",
            "active=",
            "=allow",
        ] {
            assert_eq!(both(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_verb_or_is_needed_is_refused() {
        for text in [
            "",
            "EPSV,",
            "SITE CHMOD",
            "EPSV PASV",
            "ÉPSV",
            "A234567890ABCDEFG",
        ] {
            let bad = text.parse::<Verbs>().unwrap_err();
            assert!(matches!(bad, BadVerbs::Syntax(_)), "{text}: {bad:?}");
        }
        for text in ["USER", "EPSV,quit", "pass"] {
            let bad = text.parse::<Verbs>().unwrap_err().to_string();
            assert!(bad.contains("cannot be denied"), "{text}: {bad}");
        }
    }
}
