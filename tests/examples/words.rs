//! A line as its words, taken from the front: what the grammars of packet filters have in common.

use ftp_proxy::endpoint::{PortRange, parse_port};

/// The words of a rule that are still to be read.
pub struct Words<'a>(Vec<&'a str>);

/// What is wrong with a rule.
pub type Wrong = String;

impl<'a> Words<'a> {
    pub fn of(line: &'a str) -> Self {
        let mut words: Vec<_> = line.split_whitespace().collect();
        words.reverse();
        Words(words)
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.0.last().copied()
    }

    pub fn next(&mut self) -> Result<&'a str, Wrong> {
        self.0.pop().ok_or_else(|| "ends too early".to_owned())
    }

    /// Takes `word` if it comes next.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.0.pop();
        }
        found
    }

    /// Takes these words, and nothing else will do.
    pub fn must(&mut self, words: &str) -> Result<(), Wrong> {
        words.split(' ').try_for_each(|word| match self.next()? {
            found if found == word => Ok(()),
            found => Err(format!("{found} where {word} belongs")),
        })
    }

    pub fn one_of(&mut self, words: &[&str]) -> Result<&'a str, Wrong> {
        let found = self.next()?;
        if words.contains(&found) {
            Ok(found)
        } else {
            Err(format!("{found} where one of {words:?} belongs"))
        }
    }

    /// A port in digits, or FTP's by name.
    pub fn port(&mut self) -> Result<u16, Wrong> {
        match self.next()? {
            "ftp" => Ok(21),
            digits => parse_port(digits).ok_or_else(|| format!("{digits} is no port")),
        }
    }

    pub fn end(&self) -> Result<(), Wrong> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(format!("{word} is left over")),
        }
    }
}

/// Whether the ports above this one are those of data connections, unless `-m` or `-M` says otherwise.
pub fn admits_data(above: u16) -> bool {
    PortRange::new(above.saturating_add(1), u16::MAX) == Some(PortRange::DEFAULT)
}

#[test]
fn the_data_ports_begin_behind_one_port_only() {
    let ports: Vec<_> = (0..=u16::MAX).filter(|port| admits_data(*port)).collect();
    assert_eq!(ports, [49151]);
}
