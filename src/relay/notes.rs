//! What the log is told of a session.

use super::Relay;
use crate::ftp::Note;
use crate::ftp::Side;
use crate::log::{Provoked, escaped, quoted};
use crate::permit::Foreign;

/// Longest name of a user and longest command that a line shows, in bytes as shown: its end is to be seen too.
const LONGEST_USER: usize = 100;
const LONGEST_COMMAND: usize = 400;

impl Relay<'_> {
    /// Says which transfers are over: who had which file, and how that went.
    pub(super) fn report(&mut self) {
        for carried in self.data.take_reports() {
            let user = self
                .session
                .user_name()
                .map(|user| quoted(user, LONGEST_USER));
            let user = user.map_or_else(String::new, |user| format!("user {user}, "));
            let command = self.session.take_transfer();
            let command = command.map(|command| quoted(&command, LONGEST_COMMAND) + ", ");
            let command = command.unwrap_or_default();
            self.log
                .info(format_args!("{user}{command}transfer {carried}"));
        }
    }

    pub(super) fn note(&self, note: &Note) {
        match note {
            Note::Command(line) => self.verbatim("client", line),
            Note::Reply(line) => self.verbatim("server", line),
            Note::Said(side, line) => {
                let to = side.name();
                self.log
                    .debug(1, format_args!("to {to} (proxy): {}", escaped(line)));
            }
            Note::Refused(why, line) => {
                self.log.provoked(Provoked::Command, |log| {
                    log.warning(format_args!("refused command, {why}: {}", escaped(line)));
                });
            }
            Note::Foreign(side, named, foreign) => {
                let what = match foreign {
                    Foreign::Refuse => "refused",
                    Foreign::Ignore => "using its own address",
                    Foreign::Allow => "allowed",
                };
                let (who, data) = match side {
                    Side::Client => ("client", "active"),
                    Side::Server => ("server", "passive"),
                };
                self.log.provoked(Provoked::ThirdParty, |log| {
                    log.notice(format_args!("{who} named {named} for {data} data, {what}"));
                });
            }
            other => self.note_peer(other),
        }
    }

    /// What a peer does that it should not.
    fn note_peer(&self, note: &Note) {
        match note {
            Note::Unasked(line) => {
                self.log.warning(format_args!(
                    "reply to no command, dropped: {}",
                    escaped(line)
                ));
            }
            Note::StrayAddress(line) => {
                self.log.provoked(Provoked::ThirdParty, |log| {
                    log.warning(format_args!(
                        "address of another host in a reply to no PASV, changed to: {}",
                        escaped(line)
                    ));
                });
            }
            Note::LongLine(most) => {
                self.log.warning(format_args!(
                    "the server sent a line of more than {most} bytes: it passes in pieces"
                ));
            }
            Note::Crowded(most) => {
                self.log.info(format_args!(
                    "{most} commands wait for their answers: the client is not read for now"
                ));
            }
            Note::LoginRefused(user, code) => {
                self.log.provoked(Provoked::Login, |log| {
                    log.notice(format_args!(
                        "the server refuses the login of user {}: {code}",
                        quoted(user, LONGEST_USER)
                    ));
                });
            }
            Note::ActiveRefused(line) => {
                self.log.warning(format_args!(
                    "the server refuses this proxy's address for active data: {}; where the server sees another address, \
                     as of a container, give the proxy the host's network or use passive mode",
                    escaped(line)
                ));
            }
            Note::UnlistedBalancer(peer) => {
                self.log.warning(format_args!(
                    "refused a PROXY protocol header from {peer}: if that is your balancer, add it to --accept-proxy-protocol"
                ));
            }
            Note::BadPassive(line) => {
                self.log.provoked(Provoked::PassiveReply, |log| {
                    log.warning(format_args!("passive reply of no use: {}", escaped(line)));
                });
            }
            _ => {} // said in `note`
        }
    }

    /// A line of a peer: with `-V` for the operator, with `-D` for whoever looks for a fault.
    fn verbatim(&self, who: &str, line: &[u8]) {
        if self.log.verbose() {
            self.log.info(format_args!("{who}: {}", escaped(line)));
        } else {
            self.log.debug(2, format_args!("{who}: {}", escaped(line)));
        }
    }
}
