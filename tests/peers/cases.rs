//! The table: which trials there are. A trial's name says what works.

use std::fmt;

use crate::clients::{Client, Habit, Operation, Style};
use crate::gateways::{DataPath, Kind, Launcher, Mode};
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
    pub habit: Habit,
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

/// The whole table. What is the same for every server is shown with one, vsftpd, and every client; what is the same for
/// every client, with the one that shows it best: ftplib tells who was at its data connections, and curl minds most.
pub fn all() -> Vec<Case> {
    let mut cases = every_server_with_every_client();
    cases.extend(other_errands());
    cases.extend(cut());
    for path in [DataPath::Auto, DataPath::Kernel] {
        cases.extend(seen_as_the_server(path));
    }
    cases.extend(relayed_openly());
    cases.extend(from_port_20());
    cases.extend(reverse_by_kernel());
    cases.extend(transparent_with_nat());
    cases.extend(diverted());
    cases.extend(families());
    cases.extend(launched());
    cases.retain(|case| case.client.can(case.operation) && case.client.speaks(case.near));
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

/// Transfers that are cut, or that nobody comes to: no server may take half a file for whole, and no client. By the kernel it
/// is the packet filter that hands on a reset; it has nobody who waits for a client.
fn cut() -> Vec<Case> {
    const ALL: [Operation; 3] = [
        Operation::PutThenReset,
        Operation::GetThatIsCut,
        Operation::GetOfOneThatDies,
    ];
    let mut cases = Vec::new();
    for server in Server::ALL {
        for (mode, path) in [
            (Mode::Direct, DataPath::Auto),
            (Mode::Reverse, DataPath::Auto),
            (Mode::Transparent, DataPath::Redirect),
            (Mode::Transparent, DataPath::Kernel),
        ] {
            let ftplib = case(mode, server, Client::Ftplib).on(path);
            for style in STYLES {
                cases.extend(ALL.map(|operation| ftplib.by(operation, style)));
            }
            if mode != Mode::Direct && path != DataPath::Kernel {
                cases.push(ftplib.by(Operation::StayAway, Style::Passive));
            }
        }
    }
    // Where nobody but Pure-FTPd sees a download break, the client hears no last reply of it.
    cases.retain(|case| {
        let unseen = case.kind.mode == Mode::Direct || case.kind.path == DataPath::Kernel;
        let silent = case.server == Server::PureFtpd && case.operation == Operation::GetThatIsCut;
        !(unseen && silent)
    });
    cases
}

/// The client has dialled the server and sees nobody else: every client as it comes, in both families.
fn seen_as_the_server(path: DataPath) -> Vec<Case> {
    let mut cases = Vec::new();
    let transparent = |server, client| case(Mode::Transparent, server, client).on(path);
    for client in Client::ALL {
        for style in STYLES {
            for operation in COMMON {
                let vsftpd = transparent(Server::Vsftpd, client).by(operation, style);
                cases.push(vsftpd);
                cases.push(vsftpd.over(Family::V6, Family::V6));
            }
            for server in [Server::Proftpd, Server::PureFtpd] {
                cases.push(transparent(server, client).by(Operation::Get, style));
            }
        }
    }
    for style in STYLES {
        for operation in COMMON {
            let curl = transparent(Server::Vsftpd, Client::Curl).by(operation, style);
            cases.push(curl.told(Habit::NoExtended));
        }
        for server in Server::ALL {
            let ftplib = transparent(server, Client::Ftplib);
            cases.push(ftplib.by(Operation::AbortThenGet, style));
        }
        // Fifty transfers in one session.
        let lftp = transparent(Server::Vsftpd, Client::Lftp);
        cases.push(lftp.by(Operation::Mirror, style));
    }
    for operation in [Operation::ResumeGet, Operation::ResumePut] {
        let curl = transparent(Server::Vsftpd, Client::Curl);
        cases.push(curl.by(operation, Style::Passive));
    }
    cases
}

/// The gateway stands in by its own address, without the help of a filter. That is not for clients that mind (`tests/datapath`
/// has what these are told), and for others only if they are told to take the address in a 227 reply.
fn relayed_openly() -> Vec<Case> {
    let mut cases = Vec::new();
    let transparent = |server, client| case(Mode::Transparent, server, client).on(DataPath::Relay);
    for server in Server::ALL {
        for client in Client::ALL {
            for style in STYLES {
                for operation in COMMON {
                    cases.push(
                        transparent(server, client)
                            .by(operation, style)
                            .told_if_in_doubt(),
                    );
                }
            }
        }
    }
    cases.retain(|case| !case.client.minds_another_address(case.style));
    for client in [Client::Curl, Client::Lftp, Client::Tnftp] {
        let active = transparent(Server::Vsftpd, client).by(Operation::Get, Style::Active);
        cases.push(active.over(Family::V6, Family::V6));
    }
    cases
}

fn from_port_20() -> Vec<Case> {
    let mut cases = Vec::new();
    for family in [Family::V4, Family::V6] {
        for path in [DataPath::Relay, DataPath::Redirect, DataPath::Kernel] {
            for mode in [Mode::Transparent, Mode::Reverse] {
                // In reverse mode there is nothing to redirect.
                if (mode, path) == (Mode::Reverse, DataPath::Redirect) {
                    continue;
                }
                let ftplib = case(mode, Server::Vsftpd, Client::Ftplib).on(path);
                let active = ftplib
                    .calling_from_port_20()
                    .by(Operation::Get, Style::Active);
                cases.push(active.over(family, family));
                cases.push(
                    active
                        .by(Operation::AbortThenGet, Style::Active)
                        .over(family, family),
                );
            }
        }
    }
    for path in [DataPath::Redirect, DataPath::Kernel] {
        for style in STYLES {
            let get = case(Mode::Transparent, Server::Vsftpd, Client::Ncftp).on(path);
            cases.push(get.calling_from_port_20().by(Operation::Get, style));
        }
    }
    cases
}

fn reverse_by_kernel() -> Vec<Case> {
    const V4: Family = Family::V4;
    const V6: Family = Family::V6;
    let mut cases = Vec::new();
    let reverse = |server, client| case(Mode::Reverse, server, client).on(DataPath::Kernel);
    for style in STYLES {
        for client in [Client::Curl, Client::Tnftp, Client::Ftplib] {
            for operation in COMMON {
                let vsftpd = reverse(Server::Vsftpd, client).by(operation, style);
                cases.push(vsftpd);
                cases.push(vsftpd.over(V6, V6));
            }
        }
        for server in [Server::Proftpd, Server::PureFtpd] {
            cases.push(reverse(server, Client::Lftp).by(Operation::Put, style));
        }
        // No filter turns one family into the other: these are relayed all the same.
        for (near, far) in [(V6, V4), (V4, V6)] {
            let get = reverse(Server::Vsftpd, Client::Ftplib).by(Operation::Get, style);
            cases.push(get.over(near, far));
        }
    }
    cases
}

/// With `-n` passive data goes its own way through the gateway, so that no client minds.
fn transparent_with_nat() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in [DataPath::Auto, DataPath::Kernel, DataPath::Relay] {
        let nat = |server, client| case(Mode::TransparentNat, server, client).on(path);
        for client in Client::ALL {
            cases.push(nat(Server::Vsftpd, client));
            let active = nat(Server::Vsftpd, client).by(Operation::Get, Style::Active);
            if path != DataPath::Relay || !client.minds_another_address(Style::Active) {
                cases.push(active);
            }
        }
        for operation in COMMON {
            let curl = nat(Server::Proftpd, Client::Curl).by(operation, Style::Passive);
            cases.push(curl.over(Family::V6, Family::V6));
        }
    }
    cases
}

fn diverted() -> Vec<Case> {
    let mut cases = Vec::new();
    let diverted = |client| case(Mode::Diverted, Server::Vsftpd, client);
    for operation in COMMON {
        let relayed = diverted(Client::Lftp).on(DataPath::Relay);
        for style in STYLES {
            cases.push(relayed.by(operation, style));
        }
        let active = relayed.by(operation, Style::Active);
        cases.push(active.over(Family::V6, Family::V6));
    }
    for path in [DataPath::Auto, DataPath::Kernel] {
        for style in STYLES {
            let get = diverted(Client::Ftplib).on(path).by(Operation::Get, style);
            cases.push(get);
            cases.push(get.over(Family::V6, Family::V6));
        }
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
            for client in Client::ALL {
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
    // The units leave the one right that grants need; the super-servers' examples have root start it.
    let transparent = |client| case(Mode::Transparent, Server::Vsftpd, client);
    for launcher in [Inetd, Xinetd, Accept, Service] {
        for style in STYLES {
            let ftplib = transparent(Client::Ftplib).by(Operation::Get, style);
            cases.push(ftplib.started_by(launcher));
            let lftp = transparent(Client::Lftp).by(Operation::Get, style);
            cases.push(lftp.started_by(launcher));
        }
        let put = transparent(Client::Lftp)
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
            path: DataPath::Auto,
            from_port_20: false,
            launcher: Launcher::Listen,
        },
        server,
        client,
        operation: Operation::Get,
        matter: Matter::Usual,
        style: Style::Passive,
        near: Family::V4,
        far: Family::V4,
        habit: Habit::AsItComes,
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

    fn on(mut self, path: DataPath) -> Case {
        self.kind.path = path;
        self
    }

    fn calling_from_port_20(mut self) -> Case {
        self.kind.from_port_20 = true;
        self
    }

    fn told(self, habit: Habit) -> Case {
        Case { habit, ..self }
    }

    /// Tells the client to take the address of a 227 reply, where it has to be told.
    fn told_if_in_doubt(self) -> Case {
        if self.style == Style::Passive && self.client.doubts_the_pasv_address() {
            self.told(Habit::TakePasvAddress)
        } else {
            self
        }
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
        f.write_str(match self.habit {
            Habit::AsItComes => "",
            Habit::TakePasvAddress => "_taking_the_227_address",
            Habit::NoExtended => "_without_epsv_and_eprt",
        })
    }
}
