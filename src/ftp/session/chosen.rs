//! Forward mode: the client names its server, and may log in to a firewall that this proxy is not.

use super::super::action::{Action, End};
use super::super::command::{Command, verb};
use super::super::forward::{BadTarget, ProxyLogin, Target, is_mail_user, site};
use super::super::line::{Line, body};
use super::Session;
use super::expected::{Expected, Login, Parked};
use crate::endpoint::{FTP_PORT, HostPort};

impl Session {
    /// A command in forward mode, before there is a server.
    pub(super) fn choose(&mut self, command: &Command<'_>, text: &[u8]) {
        match command {
            Command::User(argument) => match Target::parse(argument) {
                // A client that logs in to a firewall first, which has no logins here.
                Err(BadTarget::NoServer) if is_plain(argument) => {
                    self.login_at_proxy = Some(ProxyLogin::Plain);
                    self.own(b"331 No login is needed here: send any password, then name your server.\r\n");
                }
                Err(BadTarget::NoServer) => self.refuse(
                    "names no server",
                    text,
                    b"501 Name your server: USER user@host[:port]\r\n",
                ),
                Err(BadTarget::Several) => self.refuse_several(text),
                Ok(target) if self.is_forbidden(&target.user) => self.refuse_user(text),
                Ok(target) => {
                    if self.dial(target.server, Login::User(target.user), text) {
                        self.login_at_proxy = target.login;
                    }
                }
            },
            Command::Pass if self.login_at_proxy == Some(ProxyLogin::Plain) => {
                self.own(
                    b"202 No login is needed here; name your server: USER user@host[:port]\r\n",
                );
            }
            Command::Site(argument) | Command::Open(argument) => match site(argument) {
                None => {
                    let verb = String::from_utf8_lossy(&verb(text)).into_owned();
                    let reply = format!("501 Name your server: {verb} host [port]\r\n");
                    self.refuse("names no server", text, reply.as_bytes());
                }
                Some(server) => {
                    self.dial(server, Login::Site, text);
                }
            },
            Command::Quit => {
                self.say(b"221 Goodbye.\r\n");
                self.end(End::Client);
            }
            Command::Empty => self.own(b"500 No command.\r\n"),
            Command::Auth => self.own(b"502 Encryption is not possible through this proxy.\r\n"),
            _ => self.own(without_server(text)),
        }
    }

    /// Asks for a connection to this server; `false` if its port is refused.
    fn dial(&mut self, server: HostPort, login: Login, text: &[u8]) -> bool {
        if server.port != FTP_PORT && !self.terms.any_port {
            self.refuse(
                "port other than 21",
                text,
                b"530 Only port 21 is allowed.\r\n",
            );
            return false;
        }
        self.by_user = matches!(login, Login::User(_));
        self.named = Some(server.clone());
        self.parked = Some(Parked::Dial(login));
        self.actions.push_back(Action::Dial(server));
        true
    }

    /// A command about who the client is, or where it wants to go, once there is a server.
    pub(super) fn log_in(&mut self, command: &Command<'_>, line: &Line) {
        match command {
            Command::User(name) => self.user(name, line),
            Command::Pass => self.password(line),
            Command::Account if self.login_at_proxy == Some(ProxyLogin::Account) => {
                self.login_at_proxy = None;
                self.own(b"202 No login is needed at the proxy.\r\n");
            }
            Command::Open(_) if self.named.is_some() => {
                let reply = b"503 Already connected to a server; connect again for another.\r\n";
                self.refuse("names another server", body(&line.bytes), reply);
            }
            _ => self.ask(line.bytes.clone(), Expected::Insider),
        }
    }

    fn user(&mut self, argument: &[u8], line: &Line) {
        let text = body(&line.bytes);
        let again = match self
            .named
            .as_ref()
            .map(|named| (named, Target::parse(argument)))
        {
            // A client in forward mode that logs in again may name the same server, and no other.
            Some((named, Ok(target))) if target.server == *named => Some(target),
            // The server was named by another command, so an `@` is part of the user's name.
            Some((_, Ok(_))) if !self.by_user && is_mail_user(argument) => None,
            Some((_, Ok(_))) => {
                let reply =
                    b"530 Already connected to another server; connect again for this one.\r\n";
                return self.refuse("names another server", text, reply);
            }
            Some((_, Err(BadTarget::Several))) => return self.refuse_several(text),
            Some((_, Err(BadTarget::NoServer))) | None => None,
        };
        self.login_at_proxy = again.as_ref().and_then(|target| target.login);
        let user = again.as_ref().map_or(argument, |target| &target.user);
        if self.is_forbidden(user) {
            return self.refuse_user(text);
        }
        let whole = if self.terms.anonymous_only || again.is_some() {
            // In one form: nobody shall find a server that reads the blanks differently (docs/ancestors.md, D23). It is
            // not longer than the client's: what it has more of is a CR, and `ftp`, or a user without the server, is short.
            [b"USER ", user, b"\r\n"].concat()
        } else {
            line.bytes.clone()
        };
        self.ask(whole, Expected::Insider);
    }

    /// PASS. If the login held a user of a firewall, the password ends with that user's, which is not for the server.
    fn password(&mut self, line: &Line) {
        let at = line.bytes.iter().rposition(|&byte| byte == b'@');
        let bytes = match (self.login_at_proxy, at) {
            (Some(ProxyLogin::Joined), Some(at)) => [&line.bytes[..at], b"\r\n"].concat(),
            _ => line.bytes.clone(),
        };
        if self.login_at_proxy != Some(ProxyLogin::Account) {
            self.login_at_proxy = None;
        }
        self.ask(bytes, Expected::Insider);
    }

    fn is_forbidden(&self, user: &[u8]) -> bool {
        let anonymous =
            user.eq_ignore_ascii_case(b"ftp") || user.eq_ignore_ascii_case(b"anonymous");
        self.terms.anonymous_only && !anonymous
    }

    fn refuse_user(&mut self, text: &[u8]) {
        self.refuse(
            "not anonymous",
            text,
            b"530 Only anonymous FTP is allowed.\r\n",
        );
    }

    fn refuse_several(&mut self, text: &[u8]) {
        let reply = b"501 Name one server: USER user@host[:port]\r\n";
        self.refuse("names several servers", text, reply);
    }
}

/// The argument is a user's name alone.
fn is_plain(argument: &[u8]) -> bool {
    !argument.is_empty() && !argument.iter().any(|byte| matches!(byte, b'@' | b'!'))
}

/// What a command hears that needs a server where there is none, in the codes that it may have (RFC 959 §5.4).
fn without_server(text: &[u8]) -> &'static [u8] {
    match verb(text).as_slice() {
        b"NOOP" => b"200 Name your server: USER user@host[:port]\r\n",
        b"HELP" => b"214 Name your server: USER user@host[:port]\r\n",
        b"ABOR" | b"PWD" | b"REIN" | b"SYST" => {
            b"502 Name your server first: USER user@host[:port]\r\n"
        }
        _ => b"530 Name your server first: USER user@host[:port]\r\n",
    }
}
