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
    pub operation: Operation,
    pub matter: Matter,
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

/// With which file or folder it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Matter {
    /// Three megabytes, or a folder of fifty empty files.
    Usual,
    /// Three megabytes by a name with spaces and letters beyond ASCII.
    OddName,
    /// A sparse file of 5 GiB, or a folder of 10 000 files.
    Large,
}

const STYLES: [Style; 2] = [Style::Passive, Style::Active];
const COMMON: [Operation; 3] = [Operation::Get, Operation::Put, Operation::List];

/// The whole table.
pub fn all() -> Vec<Case> {
    let mut cases = every_server_with_every_client();
    cases.extend(other_errands());
    cases.extend(transparent());
    cases.extend(transparent_with_nat());
    cases.extend(diverted());
    cases.extend(families());
    cases.extend(launched());
    cases
}

fn every_server_with_every_client() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in Server::ALL {
        for client in Client::ALL {
            for style in STYLES {
                cases.push(case(Mode::Direct, server, client).by(Operation::Get, style));
                for operation in COMMON {
                    cases.push(case(Mode::Reverse, server, client).by(operation, style));
                    cases.push(case(Mode::Forward, server, client).by(operation, style));
                }
            }
            for operation in [Operation::ResumeGet, Operation::ResumePut] {
                cases.push(case(Mode::Reverse, server, client).by(operation, Style::Passive));
            }
        }
    }
    cases
}

fn other_errands() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in Server::ALL {
        let reverse = |client| case(Mode::Reverse, server, client);
        cases.push(reverse(Client::Curl).with(Matter::OddName));
        for client in [Client::Curl, Client::Lftp] {
            let list = reverse(client).by(Operation::List, Style::Passive);
            cases.push(list.with(Matter::Large));
        }
        for style in STYLES {
            cases.push(reverse(Client::Lftp).by(Operation::Mirror, style));
            for mode in [Mode::Direct, Mode::Reverse] {
                let abort = case(mode, server, Client::Ftplib).by(Operation::AbortThenGet, style);
                cases.push(abort);
            }
        }
    }
    let huge = |mode, server| case(mode, server, Client::Curl).with(Matter::Large);
    cases.push(huge(Mode::Reverse, Server::Vsftpd));
    cases.push(huge(Mode::Forward, Server::Proftpd).by(Operation::Get, Style::Active));
    cases
}

fn transparent() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in Server::ALL {
        for client in Client::ALL {
            for style in STYLES {
                for operation in COMMON {
                    let case = case(Mode::Transparent, server, client).by(operation, style);
                    let hindrance = client.minds_another_address(style);
                    cases.push(Case { hindrance, ..case }.told());
                }
            }
        }
    }
    let vsftpd =
        |client, style| case(Mode::Transparent, Server::Vsftpd, client).by(Operation::Get, style);
    // As they come, without being told to take the address in the 227.
    for client in [Client::Curl, Client::Ftplib] {
        cases.push(vsftpd(client, Style::Passive).hindered(NEEDS_REDIRECT));
    }
    for client in [Client::Curl, Client::Lftp, Client::Tnftp] {
        cases.push(vsftpd(client, Style::Active).over(Family::V6, Family::V6));
        let extended = vsftpd(client, Style::Passive).over(Family::V6, Family::V6);
        cases.push(extended.hindered(NEEDS_REDIRECT));
    }
    cases
}

/// With `-n` passive data goes its own way through the gateway, so that no client minds.
fn transparent_with_nat() -> Vec<Case> {
    let mut cases = Vec::new();
    for client in Client::ALL {
        cases.push(case(Mode::TransparentNat, Server::Vsftpd, client));
        let case =
            case(Mode::TransparentNat, Server::Vsftpd, client).by(Operation::Get, Style::Active);
        let hindrance = client.minds_another_address(Style::Active);
        cases.push(Case { hindrance, ..case });
    }
    for operation in COMMON {
        let case =
            case(Mode::TransparentNat, Server::Proftpd, Client::Curl).by(operation, Style::Passive);
        cases.push(case.over(Family::V6, Family::V6));
    }
    cases
}

fn diverted() -> Vec<Case> {
    let mut cases = Vec::new();
    let diverted = case(Mode::Diverted, Server::Vsftpd, Client::Lftp);
    for operation in COMMON {
        for style in STYLES {
            cases.push(diverted.by(operation, style));
        }
        let active = diverted.by(operation, Style::Active);
        cases.push(active.over(Family::V6, Family::V6));
    }
    cases
}

/// Both families, on either side. (The first table has IPv4 on both.)
fn families() -> Vec<Case> {
    const V4: Family = Family::V4;
    const V6: Family = Family::V6;
    let reverse = |server, client| case(Mode::Reverse, server, client);
    let mut cases = Vec::new();
    for (near, far) in [(V6, V6), (V6, V4), (V4, V6)] {
        for style in STYLES {
            // ncftp knows IPv4 only.
            for client in Client::ALL
                .into_iter()
                .filter(|client| *client != Client::Ncftp)
            {
                let get = reverse(Server::Vsftpd, client).by(Operation::Get, style);
                cases.push(get.over(near, far));
            }
            for server in [Server::Proftpd, Server::PureFtpd] {
                let put = reverse(server, Client::Curl).by(Operation::Put, style);
                cases.push(put.over(near, far));
            }
            let get = case(Mode::Forward, Server::Vsftpd, Client::Curl).by(Operation::Get, style);
            cases.push(get.over(near, far));
        }
    }
    cases.push(reverse(Server::Vsftpd, Client::Ncftp).over(V4, V6));
    cases
}

fn launched() -> Vec<Case> {
    use Launcher::{Accept, Activate, Inetd, ListenAsRoot, Service, Xinetd};
    let mut cases = Vec::new();
    let reverse = case(Mode::Reverse, Server::Vsftpd, Client::Lftp);
    for launcher in [Inetd, Xinetd, Accept, Activate] {
        for style in STYLES {
            for operation in COMMON {
                cases.push(reverse.by(operation, style).started_by(launcher));
            }
            let get = reverse
                .by(Operation::Get, style)
                .over(Family::V6, Family::V6);
            cases.push(get.started_by(launcher));
        }
    }
    let transparent = case(Mode::Transparent, Server::Vsftpd, Client::Lftp);
    for launcher in [Inetd, Xinetd, Accept, Service] {
        for style in STYLES {
            cases.push(transparent.by(Operation::Get, style).started_by(launcher));
        }
        let put = transparent
            .by(Operation::Put, Style::Active)
            .over(Family::V6, Family::V6);
        cases.push(put.started_by(launcher));
    }
    for style in STYLES {
        let get = case(Mode::Reverse, Server::Vsftpd, Client::Ftplib).by(Operation::Get, style);
        cases.push(get.started_by(ListenAsRoot));
    }
    cases
}

/// A passive get over IPv4, unless said otherwise.
fn case(mode: Mode, server: Server, client: Client) -> Case {
    Case {
        kind: Kind {
            mode,
            launcher: Launcher::Listen,
        },
        server,
        client,
        operation: Operation::Get,
        matter: Matter::Usual,
        style: Style::Passive,
        near: Family::V4,
        far: Family::V4,
        told_to_take_pasv_address: false,
        hindrance: None,
    }
}

impl Case {
    fn by(self, operation: Operation, style: Style) -> Case {
        Case {
            operation,
            style,
            ..self
        }
    }

    fn with(self, matter: Matter) -> Case {
        Case { matter, ..self }
    }

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

    fn hindered(self, why: &'static str) -> Case {
        let hindrance = Some(why);
        Case { hindrance, ..self }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.kind, self.server, self.client, self.operation
        )?;
        f.write_str(match (self.matter, self.operation) {
            (Matter::Usual, _) => "",
            (Matter::OddName, _) => "_odd_name",
            (Matter::Large, Operation::List) => "_10000_files",
            (Matter::Large, _) => "_5_gib",
        })?;
        write!(f, "_{}_{}", self.style, self.near)?;
        if self.near != self.far {
            write!(f, "_to_{}", self.far)?;
        }
        if self.told_to_take_pasv_address {
            f.write_str("_taking_the_227_address")?;
        }
        Ok(())
    }
}
