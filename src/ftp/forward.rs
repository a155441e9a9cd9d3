//! Logins that name their server: `user@host[:port]`, `user@host port`, `host!user [port]`, and `SITE` or `OPEN host [port]`.
//! Clients that believe they talk to a firewall with users of its own add a name: `user@fwuser@host`, `user@host fwuser`.

use crate::endpoint::{BadHostPort, FTP_PORT, Host, HostPort, parse_port};

/// A login, and the server it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) user: Vec<u8>,
    pub(super) server: HostPort,
    /// The client logs in to a firewall in the same words.
    pub(super) login: Option<ProxyLogin>,
}

/// How a client logs in to a firewall, which this proxy is not: it has no users, so any name and password will do, and the
/// server gets neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyLogin {
    /// `USER fwuser`, `PASS fwpass`, and then the server is named.
    Plain,
    /// `USER user@fwuser@host`, `PASS pass@fwpass`.
    Joined,
    /// `USER user@host fwuser`, `PASS pass`, `ACCT fwpass`.
    Account,
}

/// Why a login names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadTarget {
    /// None, or not properly.
    NoServer,
    /// More than one. Each would have the next one dial another: a list of names of one proxy would be as many sessions.
    Several,
}

impl Target {
    /// Reads the argument of USER. The last `@` splits; without any, the first `!` does. The user's name may hold one `@`
    /// with the name of a mail domain, or with that of a user at a firewall.
    pub(super) fn parse(argument: &[u8]) -> Result<Self, BadTarget> {
        let (words, port, account) = split_words(argument).ok_or(BadTarget::NoServer)?;
        let (user, host) = if let Some((user, host)) = split_last(words, b'@') {
            (user, host)
        } else {
            let at = words.iter().position(|&b| b == b'!');
            let at = at.ok_or(BadTarget::NoServer)?;
            (&words[at + 1..], &words[..at])
        };
        let server = server(host, port).ok_or(BadTarget::NoServer)?;
        if user.is_empty() {
            return Err(BadTarget::NoServer);
        }
        let (user, joined) = match tail(user, &server)? {
            Tail::User => (user, false),
            Tail::Firewall(user) => (user, true),
        };
        let login = match (account, joined) {
            (true, _) => Some(ProxyLogin::Account),
            (false, true) => Some(ProxyLogin::Joined),
            (false, false) => None,
        };
        Ok(Target {
            user: user.to_vec(),
            server,
            login,
        })
    }
}

/// `user@example.org`, which is a user's name at many servers.
pub(super) fn is_mail_user(argument: &[u8]) -> bool {
    split_last(argument, b'@').is_some_and(|(user, domain)| {
        let plain = !user.is_empty() && !user.iter().any(|b| matches!(b, b'@' | b'!'));
        plain && is_mail_domain(domain)
    })
}

/// What a user's name has behind its last `@`.
enum Tail<'a> {
    /// Nothing, or a mail domain, which belongs to the name.
    User,
    /// A user of a firewall; the name before it.
    Firewall(&'a [u8]),
}

fn tail<'a>(user: &'a [u8], server: &HostPort) -> Result<Tail<'a>, BadTarget> {
    let Some((name, tail)) = split_last(user, b'@') else {
        let bang = user.contains(&b'!');
        return if bang {
            Err(BadTarget::Several)
        } else {
            Ok(Tail::User)
        };
    };
    if name.is_empty() || name.iter().any(|b| matches!(b, b'@' | b'!')) {
        return Err(BadTarget::Several);
    }
    match &server.host {
        Host::Name(host) if is_same_name(host.as_bytes(), tail) => Err(BadTarget::Several),
        _ if is_mail_domain(tail) => Ok(Tail::User),
        _ if is_word(tail) => Ok(Tail::Firewall(name)),
        _ => Err(BadTarget::Several),
    }
}

fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    let bare = |name: &[u8]| name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase();
    bare(one) == bare(other)
}

/// A name with a dot within, neither an address nor with a port.
fn is_mail_domain(text: &[u8]) -> bool {
    let inner = text.strip_suffix(b".").unwrap_or(text);
    let host = std::str::from_utf8(text).map(str::parse);
    inner.contains(&b'.') && matches!(host, Ok(Ok(Host::Name(_))))
}

/// The name of a user, not of a host and not a number.
fn is_word(text: &[u8]) -> bool {
    let first = text.first().is_some_and(u8::is_ascii_alphabetic);
    first
        && text
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn split_last(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|&b| b == at)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Cuts off what stands behind a blank: a port, or a user of a firewall (`true`). `None`: it is neither.
fn split_words(argument: &[u8]) -> Option<(&[u8], Option<u16>, bool)> {
    match argument.iter().rposition(u8::is_ascii_whitespace) {
        Some(at) if is_word(&argument[at + 1..]) => {
            let (words, port) = split_port(argument[..at].trim_ascii_end())?;
            Some((words, port, true))
        }
        _ => split_port(argument).map(|(words, port)| (words, port, false)),
    }
}

/// Reads the argument of SITE or OPEN: `host`, `host:port` or `host port`.
pub(super) fn site(argument: &[u8]) -> Option<HostPort> {
    let (host, port) = split_port(argument)?;
    server(host, port)
}

/// Cuts a port off that stands behind a blank. `None`: what stands there is no port.
fn split_port(argument: &[u8]) -> Option<(&[u8], Option<u16>)> {
    match argument.iter().rposition(u8::is_ascii_whitespace) {
        None => Some((argument, None)),
        Some(at) => {
            let port = parse_port(std::str::from_utf8(&argument[at + 1..]).ok()?)?;
            Some((argument[..at].trim_ascii_end(), Some(port)))
        }
    }
}

fn server(text: &[u8], port: Option<u16>) -> Option<HostPort> {
    let text = std::str::from_utf8(text).ok()?;
    let server = match text.parse::<HostPort>() {
        // The port behind the blank says that there is none in front of it.
        Err(BadHostPort::Ambiguous(..)) if port.is_some() => HostPort {
            host: text.parse().ok()?,
            port: FTP_PORT,
        },
        server => server.ok()?,
    };
    if let Host::Zoned(..) = server.host {
        return None; // which interface it leaves by is nothing for a client to say
    }
    match port {
        None => Some(server),
        // A port on both sides of the blank: which one is meant?
        Some(_) if server.port != FTP_PORT => None,
        Some(port) => Some(HostPort { port, ..server }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(argument: &str) -> Result<(String, String), BadTarget> {
        Target::parse(argument.as_bytes())
            .map(|t| (String::from_utf8(t.user).unwrap(), t.server.to_string()))
    }

    #[test]
    fn a_port_behind_a_blank_settles_what_an_ipv6_address_is() {
        assert_eq!(site(b"fd00::1:2121"), None);
        let told = site(b"fd00::1:2121 2100").unwrap();
        assert_eq!(told.to_string(), "[fd00::1:2121]:2100");
    }

    #[test]
    fn every_form_of_login_names_user_and_server() {
        for (argument, user, server) in [
            ("joe@ftp.example.org", "joe", "ftp.example.org:21"),
            ("joe@ftp.example.org:2121", "joe", "ftp.example.org:2121"),
            ("joe@ftp.example.org 2121", "joe", "ftp.example.org:2121"),
            ("ftp.example.org!joe", "joe", "ftp.example.org:21"),
            ("ftp.example.org!joe 2121", "joe", "ftp.example.org:2121"),
            ("joe@example.com@10.0.0.1", "joe@example.com", "10.0.0.1:21"),
            ("joe@[fd00::1]:2121", "joe", "[fd00::1]:2121"),
            ("joe@fd00::1", "joe", "[fd00::1]:21"),
        ] {
            let parsed = target(argument);
            assert_eq!(parsed, Ok((user.into(), server.into())), "{argument}");
            let login = Target::parse(argument.as_bytes()).unwrap().login;
            assert_eq!(login, None, "{argument}");
        }
    }

    #[test]
    fn a_user_of_a_firewall_is_not_the_server_s() {
        use ProxyLogin::{Account, Joined};
        for (argument, server, login) in [
            ("joe@fw@ftp.example.org", "ftp.example.org:21", Joined),
            ("joe@fw@10.0.0.1:2121", "10.0.0.1:2121", Joined),
            ("joe@ftp.example.org fw", "ftp.example.org:21", Account),
            ("joe@10.0.0.1:2121 fw-user", "10.0.0.1:2121", Account),
            ("joe@10.0.0.1 2121 fw", "10.0.0.1:2121", Account),
        ] {
            let target = Target::parse(argument.as_bytes()).unwrap();
            assert_eq!(target.user, b"joe", "{argument}");
            assert_eq!(target.server.to_string(), server, "{argument}");
            assert_eq!(target.login, Some(login), "{argument}");
        }
    }

    #[test]
    fn a_login_names_one_server_at_most() {
        for argument in [
            "x@10.0.0.1@10.0.0.1",
            "x@10.0.0.2@10.0.0.1",
            "x@ftp.example.org:21@ftp.example.org",
            "x@ftp.example.org@ftp.example.org",
            "x@FTP.example.org.@ftp.example.org",
            "x@gw@gw",
            "x@[::1]@gw.example.org",
            "x@::1@gw.example.org",
            "x@2130706433@gw.example.org",
            "x@127.1@gw.example.org",
            "x@a.example@b.example@c.example",
            "x@a.example@fw@c.example",
            "x@fw@a.example@c.example",
            "@a.example@c.example",
            "a!b@10.0.0.1",
            "10.0.0.2!x@10.0.0.1",
            "10.0.0.1!10.0.0.2!x",
            "x@a.example@c.example@d.example fw",
        ] {
            assert_eq!(target(argument), Err(BadTarget::Several), "{argument}");
        }
    }

    #[test]
    fn a_login_without_a_proper_server_is_none() {
        for argument in [
            "joe",
            "@host",
            "joe@",
            "joe@[fe80::1%eth0]",
            "joe@fe80::1%eth0",
            "joe@ho\tst ing",
            "joe@host:0",
            "joe@host:x",
            "joe@-host",
            "joe@10.0.0.300",
            "joe@host:2 3",
            "joe@host fw 3 x",
        ] {
            assert_eq!(target(argument), Err(BadTarget::NoServer), "{argument}");
        }
    }

    #[test]
    fn a_mail_user_is_told_from_a_server_by_its_form() {
        for (argument, is) in [
            ("joe@example.org", true),
            ("joe@example", false),
            ("joe@10.0.0.1", false),
            ("joe@example.org:21", false),
            ("joe@a.example@example.org", false),
            ("a!joe@example.org", false),
            ("@example.org", false),
            ("joe", false),
        ] {
            assert_eq!(is_mail_user(argument.as_bytes()), is, "{argument}");
        }
    }

    #[test]
    fn site_names_a_server_too() {
        assert_eq!(
            site(b"ftp.example.org 2121").unwrap().to_string(),
            "ftp.example.org:2121"
        );
        assert_eq!(
            site(b"ftp.example.org").unwrap().to_string(),
            "ftp.example.org:21"
        );
        assert_eq!(site(b"CHMOD 644 x"), None);
    }
}
