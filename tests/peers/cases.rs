//! The table: which trials there are. A trial's name says what works.

use std::fmt;

use crate::clients::{Client, NEEDS_REDIRECT, Operation, Style};
use crate::gateways::{Kind, Launcher, Mode};
use crate::net::Family;
use crate::servers::Server;

/// One line of the table.
#[derive(Clone, Copy)]
pub struct Case {
    pub kind: Kind,
    pub server: Server,
    pub client: Client,
    pub errand: Errand,
    pub style: Style,
    /// Between the client and what it dials.
    pub near: Family,
    /// Between the gateway and the server.
    pub far: Family,
    /// The client is told to take the address that a 227 reply names, which is not what it does by itself.
    pub told_to_take_pasv_address: bool,
    /// Why it cannot work, where it cannot.
    pub hindrance: Option<&'static str>,
}

/// What is done, and with which file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Three megabytes.
    Plain(Operation),
    /// A file name with spaces and letters beyond ASCII.
    GetOddName,
    /// A folder of 10 000 files.
    ListLarge,
    /// A sparse file of 5 GiB.
    GetHuge,
}

const GET: Errand = Errand::Plain(Operation::Get);
const PUT: Errand = Errand::Plain(Operation::Put);
const LIST: Errand = Errand::Plain(Operation::List);
const RESUME_GET: Errand = Errand::Plain(Operation::ResumeGet);
const RESUME_PUT: Errand = Errand::Plain(Operation::ResumePut);

/// The whole table.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(every_server_with_every_client());
    cases.extend(transparent());
    cases.extend(diverted());
    cases.extend(families());
    cases.extend(large());
    cases.extend(launched());
    cases
}

const STYLES: [Style; 2] = [Style::Passive, Style::Active];

fn every_server_with_every_client() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in Server::ALL {
        for client in Client::ALL {
            for style in STYLES {
                cases.push(case(Mode::Direct, server, client, GET, style));
                for errand in [GET, PUT, LIST] {
                    cases.push(case(Mode::Reverse, server, client, errand, style));
                    cases.push(case(Mode::Forward, server, client, errand, style));
                }
            }
            for errand in [RESUME_GET, RESUME_PUT] {
                cases.push(case(Mode::Reverse, server, client, errand, Style::Passive));
            }
        }
        cases.push(case(
            Mode::Reverse,
            server,
            Client::Curl,
            Errand::GetOddName,
            Style::Passive,
        ));
    }
    cases
}

fn transparent() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in Server::ALL {
        for client in Client::ALL {
            for style in STYLES {
                for errand in [GET, PUT, LIST] {
                    let case = case(Mode::Transparent, server, client, errand, style).told();
                    let hindrance = client.minds_another_address(style);
                    cases.push(Case { hindrance, ..case });
                }
            }
        }
    }
    // As they come, without being told to take the address in the 227.
    for client in Client::ALL
        .into_iter()
        .filter(|client| client.doubts_the_pasv_address())
    {
        let case = case(
            Mode::Transparent,
            Server::Vsftpd,
            client,
            GET,
            Style::Passive,
        );
        cases.push(case.hindered(NEEDS_REDIRECT));
    }
    for client in [Client::Curl, Client::Lftp, Client::Tnftp] {
        let case = case(
            Mode::Transparent,
            Server::Vsftpd,
            client,
            GET,
            Style::Active,
        );
        cases.push(case.over(Family::V6, Family::V6));
        cases.push(
            Case {
                style: Style::Passive,
                ..case
            }
            .over(Family::V6, Family::V6)
            .hindered(NEEDS_REDIRECT),
        );
    }
    cases
}

fn diverted() -> Vec<Case> {
    let mut cases = Vec::new();
    for errand in [GET, PUT, LIST] {
        for style in STYLES {
            cases.push(case(
                Mode::Diverted,
                Server::Vsftpd,
                Client::Lftp,
                errand,
                style,
            ));
        }
        let active = case(
            Mode::Diverted,
            Server::Vsftpd,
            Client::Lftp,
            errand,
            Style::Active,
        );
        cases.push(active.over(Family::V6, Family::V6));
    }
    cases
}

/// Both families, on either side. (The first table has IPv4 on both.)
fn families() -> Vec<Case> {
    let mut cases = Vec::new();
    for (near, far) in [
        (Family::V6, Family::V6),
        (Family::V6, Family::V4),
        (Family::V4, Family::V6),
    ] {
        for style in STYLES {
            for client in [
                Client::Curl,
                Client::Lftp,
                Client::Ftplib,
                Client::Tnftp,
                Client::Inetutils,
            ] {
                cases.push(case(Mode::Reverse, Server::Vsftpd, client, GET, style).over(near, far));
            }
            for server in [Server::Proftpd, Server::PureFtpd] {
                cases.push(case(Mode::Reverse, server, Client::Curl, PUT, style).over(near, far));
            }
            cases.push(
                case(Mode::Forward, Server::Vsftpd, Client::Curl, GET, style).over(near, far),
            );
        }
    }
    cases
}

fn large() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in Server::ALL {
        for client in [Client::Curl, Client::Lftp] {
            cases.push(case(
                Mode::Reverse,
                server,
                client,
                Errand::ListLarge,
                Style::Passive,
            ));
        }
    }
    cases.push(case(
        Mode::Reverse,
        Server::Vsftpd,
        Client::Curl,
        Errand::GetHuge,
        Style::Passive,
    ));
    cases.push(case(
        Mode::Forward,
        Server::Proftpd,
        Client::Curl,
        Errand::GetHuge,
        Style::Active,
    ));
    cases
}

fn launched() -> Vec<Case> {
    let mut cases = Vec::new();
    let lftp = |mode, errand, style| case(mode, Server::Vsftpd, Client::Lftp, errand, style);
    for launcher in [
        Launcher::Inetd,
        Launcher::Xinetd,
        Launcher::Accept,
        Launcher::Activate,
    ] {
        for style in STYLES {
            for errand in [GET, PUT, LIST] {
                cases.push(lftp(Mode::Reverse, errand, style).started_by(launcher));
            }
            let case = lftp(Mode::Reverse, GET, style).over(Family::V6, Family::V6);
            cases.push(case.started_by(launcher));
        }
    }
    for launcher in [
        Launcher::Inetd,
        Launcher::Xinetd,
        Launcher::Accept,
        Launcher::Service,
    ] {
        for style in STYLES {
            cases.push(lftp(Mode::Transparent, GET, style).started_by(launcher));
        }
        let case = lftp(Mode::Transparent, PUT, Style::Active).over(Family::V6, Family::V6);
        cases.push(case.started_by(launcher));
    }
    cases
}

fn case(mode: Mode, server: Server, client: Client, errand: Errand, style: Style) -> Case {
    Case {
        kind: Kind {
            mode,
            launcher: Launcher::Listen,
        },
        server,
        client,
        errand,
        style,
        near: Family::V4,
        far: Family::V4,
        told_to_take_pasv_address: false,
        hindrance: None,
    }
}

impl Case {
    fn over(self, near: Family, far: Family) -> Case {
        Case { near, far, ..self }
    }

    fn started_by(mut self, launcher: Launcher) -> Case {
        self.kind.launcher = launcher;
        self
    }

    /// Tells the client to take the address of a 227 reply, where it has to be told.
    fn told(mut self) -> Case {
        self.told_to_take_pasv_address =
            self.style == Style::Passive && self.client.doubts_the_pasv_address();
        self
    }

    /// For a client that could, and does not because of `why`.
    fn hindered(self, why: &'static str) -> Case {
        Case {
            hindrance: Some(why),
            ..self
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errand = match self.errand {
            Errand::Plain(Operation::Get) => "get",
            Errand::Plain(Operation::Put) => "put",
            Errand::Plain(Operation::List) => "list",
            Errand::Plain(Operation::ResumeGet) => "resume_get",
            Errand::Plain(Operation::ResumePut) => "resume_put",
            Errand::GetOddName => "get_odd_name",
            Errand::ListLarge => "list_10000_files",
            Errand::GetHuge => "get_5_gib",
        };
        write!(
            f,
            "{}/{}/{}/{errand}_{}_",
            self.kind, self.server, self.client, self.style
        )?;
        if self.near == self.far {
            write!(f, "{}", self.near)
        } else {
            write!(f, "{}_to_{}", self.near, self.far)
        }?;
        f.write_str(if self.told_to_take_pasv_address {
            "_taking_the_227_address"
        } else {
            ""
        })
    }
}
