//! Errands of the clients of a site, and what is to be seen of them.

use std::fs;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::clients::{Client, Errand, Habit, Operation, Style};
use crate::net::{Namespace, Result};
use crate::world::{ROOM, SERVED, USER};

/// A client, and how it goes about its data.
#[derive(Clone, Copy)]
pub struct Way {
    pub client: Client,
    pub style: Style,
    pub habit: Habit,
}

impl Way {
    /// PASV, and the address that 227 names is believed.
    pub const PASV: Way = Way::new(Client::Ftplib, Style::Passive, Habit::TakePasvAddress);
    /// PASV by a client that tells an address it does not like.
    pub const LFTP: Way = Way::new(Client::Lftp, Style::Passive, Habit::AsItComes);
    /// EPSV first, PASV if that is refused.
    pub const CURL: Way = Way::new(Client::Curl, Style::Passive, Habit::TakePasvAddress);
    pub const ACTIVE: Way = Way::new(Client::Ftplib, Style::Active, Habit::AsItComes);

    const fn new(client: Client, style: Style, habit: Habit) -> Way {
        Way {
            client,
            style,
            habit,
        }
    }

    /// Fetches a file from what is at `host`, and compares it; what the client said.
    pub fn fetch(self, machine: &Namespace, host: &str) -> Result<String> {
        self.go(machine, host, Operation::Get)
    }

    /// Sends a file there; what the client said.
    pub fn send(self, machine: &Namespace, host: &str) -> Result<String> {
        self.go(machine, host, Operation::Put)
    }

    fn go(self, machine: &Namespace, host: &str, operation: Operation) -> Result<String> {
        let folder = folder()?;
        let served = format!("{SERVED}/pub/data.bin");
        let remote = match operation {
            Operation::Put => format!(
                "incoming/{}",
                folder.display().to_string().replace('/', "-")
            ),
            _ => "pub/data.bin".to_owned(),
        };
        let local = folder.join("local");
        if operation == Operation::Put {
            fs::copy(&served, &local).map_err(|error| error.to_string())?;
        }
        let errand = Errand {
            operation,
            style: self.style,
            host: host.parse::<IpAddr>().map_err(|error| error.to_string())?,
            user: USER,
            habit: self.habit,
            local: "local",
            remote: &remote,
            folder: &folder,
            patience: 60,
        };
        let said = self.client.go(machine, &errand)?;
        let arrived = match operation {
            Operation::Put => PathBuf::from(SERVED).join(&remote),
            _ => local,
        };
        let read =
            |path: &PathBuf| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        if read(&arrived)? != read(&PathBuf::from(served))? {
            return Err(format!("what arrived is not what was sent\n{said}"));
        }
        Ok(said)
    }
}

fn folder() -> Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(format!("{ROOM}/trials/errand-{number:04}"));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// What ftplib says of the far end of its data connections.
pub fn peers(said: &str) -> Vec<(&str, u16)> {
    said.lines()
        .filter_map(|line| line.strip_prefix("data peer "))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(address, port)| Some((address, port.parse().ok()?)))
        .collect()
}

/// The client had its data with `address`, at ports of that range.
pub fn had_data_with(said: &str, address: &str, ports: RangeInclusive<u16>) -> Result<()> {
    let peers = peers(said);
    let right = |(ip, port): &(&str, u16)| *ip == address && ports.contains(port);
    if peers.is_empty() || !peers.iter().all(right) {
        return Err(format!(
            "data with {peers:?}, not {address} and {ports:?}\n{said}"
        ));
    }
    Ok(())
}
