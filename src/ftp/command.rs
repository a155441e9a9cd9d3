//! The commands that we act on; all others pass as they are.

use super::addr::{BadEprt, EprtArgument, PortArgument};

/// One command, its argument read.
///
/// A secret has no representation here: [`Command::Pass`] carries no argument, so nothing can show one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    User(&'a [u8]),
    Pass,
    /// A command about files or folders that moves no data.
    Insider,
    /// ACCT: its argument is a secret too.
    Account,
    /// OPEN, which is no FTP: the server that a client wants of a firewall.
    Open(&'a [u8]),
    Port(Option<PortArgument>),
    Eprt(Result<EprtArgument, BadEprt>),
    Pasv,
    Epsv(Epsv),
    /// LPRT or LPSV (RFC 1639): they name addresses in a form that is not rewritten.
    Long,
    Transfer(Direction),
    /// MODE; whether the data connection is to stay open from one transfer to the next (RFC 959 §3.4).
    Mode(bool),
    Abor,
    Quit,
    Rein,
    Auth,
    /// MIC, CONF or ENC (RFC 2228 §3): another command stands in it, encoded or encrypted.
    Protected,
    Feat,
    /// What RFC 6384 §11 has for a translator between the families.
    Algs(Algs),
    Site(&'a [u8]),
    /// A blank line.
    Empty,
    /// The first words of another protocol.
    Foreign,
    Other,
}

/// What an EPSV asks for (RFC 2428 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Epsv {
    Any,
    V4,
    V6,
    All,
    /// A protocol that is neither.
    Unknown,
}

/// What an ALGS wants of a translator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algs {
    /// To be told what it does.
    Status,
    /// That it translates.
    Enable,
    /// That it does not.
    Disable,
    /// Something else.
    Unknown,
}

/// Which way the data of a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToClient,
    ToServer,
}

impl<'a> Command<'a> {
    /// Reads a line without its line end. Blanks before the verb and any white space after it are passed over, since
    /// some servers do so too: a command that a server could see must not be hidden from us.
    pub(super) fn parse(body: &'a [u8]) -> Self {
        let argument = split(body).1;
        match verb(body).as_slice() {
            b"USER" => Command::User(argument),
            b"PASS" => Command::Pass,
            b"CDUP" | b"CWD" | b"DELE" | b"MDTM" | b"MKD" | b"MLST" | b"PWD" | b"RMD" | b"RNTO"
            | b"SIZE" | b"XCUP" | b"XCWD" | b"XMKD" | b"XPWD" | b"XRMD" => Command::Insider,
            b"ACCT" => Command::Account,
            b"OPEN" => Command::Open(argument),
            b"PORT" => Command::Port(PortArgument::parse(argument)),
            b"EPRT" => Command::Eprt(EprtArgument::parse(argument)),
            b"PASV" | b"P@SW" => Command::Pasv,
            b"EPSV" => Command::Epsv(Epsv::parse(argument)),
            b"LPRT" | b"LPSV" => Command::Long,
            b"RETR" | b"LIST" | b"NLST" | b"MLSD" => Command::Transfer(Direction::ToClient),
            b"STOR" | b"STOU" | b"APPE" => Command::Transfer(Direction::ToServer),
            b"MODE" => Command::Mode(matches!(argument, b"B" | b"b" | b"C" | b"c")),
            b"ABOR" => Command::Abor,
            b"QUIT" => Command::Quit,
            b"REIN" => Command::Rein,
            b"AUTH" => Command::Auth,
            b"MIC" | b"CONF" | b"ENC" => Command::Protected,
            b"FEAT" => Command::Feat,
            b"ALGS" => Command::Algs(Algs::parse(argument)),
            b"SITE" => Command::Site(argument),
            b"" => Command::Empty,
            verb if is_foreign(verb, argument) => Command::Foreign,
            _ => Command::Other,
        }
    }
}

impl Command<'_> {
    /// The command is about a data connection to come.
    pub(super) fn sets_up_data(&self) -> bool {
        matches!(
            self,
            Command::Port(_) | Command::Eprt(_) | Command::Pasv | Command::Epsv(_) | Command::Long
        )
    }
}

impl Algs {
    fn parse(argument: &[u8]) -> Self {
        match argument.to_ascii_uppercase().as_slice() {
            b"STATUS64" => Algs::Status,
            b"ENABLE64" => Algs::Enable,
            b"DISABLE64" => Algs::Disable,
            _ => Algs::Unknown,
        }
    }
}

impl Epsv {
    fn parse(argument: &[u8]) -> Self {
        match argument.to_ascii_uppercase().as_slice() {
            b"" => Epsv::Any,
            b"1" => Epsv::V4,
            b"2" => Epsv::V6,
            b"ALL" => Epsv::All,
            _ => Epsv::Unknown,
        }
    }
}

/// The verb in capitals.
pub(super) fn verb(body: &[u8]) -> Vec<u8> {
    split(body).0.to_ascii_uppercase()
}

/// The verb that means the same to a server, if there is another: what is denied is denied by either name (RFC 775, RFC 1123
/// §4.1.3.1; P@SW is what some routers make of PASV).
pub(super) fn synonym(verb: &[u8]) -> Option<&'static [u8]> {
    Some(match verb {
        b"P@SW" => b"PASV",
        b"XCUP" => b"CDUP",
        b"XCWD" => b"CWD",
        b"XMKD" => b"MKD",
        b"XPWD" => b"PWD",
        b"XRMD" => b"RMD",
        _ => return None,
    })
}

/// What a client of HTTP, SMTP or SSH says first, and no client of FTP at any time: somebody has led it here, and what
/// follows holds commands that are not its user's own (ALPACA, CVE-2021-3618).
fn is_foreign(verb: &[u8], argument: &[u8]) -> bool {
    match verb {
        b"EHLO" | b"HELO" | b"LHLO" => true,
        b"CONNECT" | b"DELETE" | b"GET" | b"HEAD" | b"OPTIONS" | b"PATCH" | b"POST" | b"PRI"
        | b"PUT" | b"TRACE" => argument.windows(5).any(|w| w == b"HTTP/"),
        verb => verb.starts_with(b"SSH-"),
    }
}

/// Verb and argument, the white space around both taken away.
fn split(body: &[u8]) -> (&[u8], &[u8]) {
    let body = trim(body);
    let end = body.iter().position(|&b| is_blank(b)).unwrap_or(body.len());
    (&body[..end], trim(&body[end..]))
}

/// C's isspace(3), which servers use: `u8::is_ascii_whitespace` leaves out the vertical tab.
pub(super) fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text {
        if !is_blank(*first) {
            break;
        }
        text = rest;
    }
    while let [rest @ .., last] = text {
        if !is_blank(*last) {
            break;
        }
        text = rest;
    }
    text
}

/// The line as a log may show it: what follows PASS and ACCT, and what SITE may hold of a password, is left out.
pub(super) fn loggable(body: &[u8]) -> Vec<u8> {
    let (verb, argument) = (verb(body), split(body).1);
    match verb.as_slice() {
        b"PASS" | b"ACCT" | b"ADAT" => [&verb, b" XXXX".as_slice()].concat(),
        b"SITE" if !argument.is_empty() => {
            let (word, rest) = split(argument);
            let upper = word.to_ascii_uppercase();
            let secret = [b"PSWD".as_slice(), b"PASS", b"CHPASS", b"CPWD", b"CHPW"]
                .iter()
                .any(|s| upper.starts_with(s));
            let shown = if secret && !rest.is_empty() {
                b"XXXX"
            } else {
                rest
            };
            [b"SITE ".as_slice(), word, b" ", shown]
                .concat()
                .trim_ascii_end()
                .to_vec()
        }
        _ => body.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_case_hide_no_verb() {
        for line in [
            "USER root",
            "user root",
            " USER root",
            "USER\troot",
            "\x0bUsEr\x0b root \x0c",
            "USER  root",
        ] {
            assert_eq!(
                Command::parse(line.as_bytes()),
                Command::User(b"root"),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_longer_word_is_another_verb() {
        for line in ["EPSVX", "PASVX", "USERS x", "PORT1,2,3,4,5,6"] {
            assert_eq!(Command::parse(line.as_bytes()), Command::Other, "{line:?}");
        }
    }

    #[test]
    fn the_first_words_of_other_protocols_are_no_commands() {
        for line in [
            "GET / HTTP/1.1",
            "POST /x?y HTTP/1.0",
            "PRI * HTTP/2.0",
            "CONNECT a:21 HTTP/1.1",
            "EHLO example.com",
            "helo x",
            "SSH-2.0-OpenSSH_9.9",
        ] {
            assert_eq!(Command::parse(line.as_bytes()), Command::Foreign, "{line}");
        }
        // FTP's own, whatever their names hold, and words that no other protocol says so.
        for (line, command) in [
            ("DELE HTTP/1.1", Command::Insider),
            ("CWD GET / HTTP/1.1", Command::Insider),
            ("GET x", Command::Other),
            ("SSH", Command::Other),
            ("MAIL x", Command::Other),
        ] {
            assert_eq!(Command::parse(line.as_bytes()), command, "{line}");
        }
    }

    #[test]
    fn a_password_is_never_loggable() {
        for line in [
            "PASS secret",
            " pass\tsecret",
            "Pass  secret word",
            "ACCT secret",
            "SITE PSWD secret secret",
            "adat secret",
        ] {
            let shown = String::from_utf8(loggable(line.as_bytes())).unwrap();
            assert!(!shown.contains("secret"), "{shown}");
        }
        assert_eq!(loggable(b"RETR pass word"), b"RETR pass word");
        assert_eq!(loggable(b"SITE CHMOD 644 a"), b"SITE CHMOD 644 a");
        assert_eq!(loggable(b"SITE HELP"), b"SITE HELP");
        assert_eq!(loggable(b"SITE"), b"SITE");
    }
}
