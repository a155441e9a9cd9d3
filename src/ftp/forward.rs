//! Logins that name their server: `user@host[:port]`, `user@host port`, `host!user [port]`, and `SITE host [port]`.

use crate::endpoint::{FTP_PORT, HostPort, parse_port};

/// A login, and the server it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) user: Vec<u8>,
    pub(super) server: HostPort,
}

impl Target {
    /// Reads the argument of USER. The last `@` splits, since user names may hold one; without any, the first `!`
    /// does. `None`: it names no server, or not properly.
    pub(super) fn parse(argument: &[u8]) -> Option<Self> {
        let (words, port) = split_port(argument)?;
        let (user, host) = if let Some(at) = words.iter().rposition(|&b| b == b'@') {
            (&words[..at], &words[at + 1..])
        } else {
            let at = words.iter().position(|&b| b == b'!')?;
            (&words[at + 1..], &words[..at])
        };
        let server = server(host, port)?;
        (!user.is_empty()).then(|| Target {
            user: user.to_vec(),
            server,
        })
    }
}

/// Reads the argument of SITE: `host`, `host:port` or `host port`.
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
    let server: HostPort = std::str::from_utf8(text).ok()?.parse().ok()?;
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

    fn target(argument: &str) -> Option<(String, String)> {
        Target::parse(argument.as_bytes())
            .map(|t| (String::from_utf8(t.user).unwrap(), t.server.to_string()))
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
            ("a!b@10.0.0.1", "a!b", "10.0.0.1:21"),
            ("joe@[fd00::1]:2121", "joe", "[fd00::1]:2121"),
            ("joe@fd00::1", "joe", "[fd00::1]:21"),
        ] {
            assert_eq!(
                target(argument),
                Some((user.into(), server.into())),
                "{argument}"
            );
        }
    }

    #[test]
    fn a_login_without_a_proper_server_is_none() {
        for argument in [
            "joe",
            "@host",
            "joe@",
            "joe@ho st",
            "joe@host:0",
            "joe@host:x",
            "joe@-host",
            "joe@10.0.0.300",
            "joe@host:2 3",
        ] {
            assert_eq!(target(argument), None, "{argument}");
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
