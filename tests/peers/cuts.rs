//! Transfers that are cut in the middle, and those to which nobody comes: what each real server makes of it, and what the
//! client hears.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::cases::Case;
use crate::clients::Operation;
use crate::gateways::Mode;
use crate::net::{self, Result};
use crate::servers::Server;
use crate::world::{self, SERVED};

/// ESTABLISHED in proc_net_tcp(5).
const ESTABLISHED: &str = "01";

/// A process of a server that has a file open, and that file.
struct Serving {
    pid: String,
    /// Its machine's name. vsftpd's process has left that for a network in which there is nothing.
    machine: String,
}

/// A connection as proc_net_tcp(5) has it.
#[derive(PartialEq, Eq)]
struct Connection {
    local: u16,
    remote: u16,
}

/// Waits until the transfer of a file that nobody else is sent runs, and cuts it on the server's side.
pub fn cut(case: &Case, remote: &str) -> Result<()> {
    let file = Path::new(SERVED).join(remote);
    for _ in 0..1000 {
        let serving = Serving::find(&file, case.server);
        if let Some((serving, data)) = serving.and_then(|s| s.data().map(|data| (s, data))) {
            sleep(Duration::from_millis(100)); // some of it shall have been sent
            return if case.operation == Operation::GetOfOneThatDies {
                net::run(Command::new("kill").args(["-KILL", &serving.pid])).map(|_| ())
            } else {
                serving.reset(&data)
            };
        }
        sleep(Duration::from_millis(20));
    }
    Err(format!("nobody has sent {remote}"))
}

impl Serving {
    fn find(file: &Path, server: Server) -> Option<Serving> {
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
        let mut pids = pids.filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        let pid = pids.find(|pid| links(pid).iter().any(|open| open == file))?;
        let machine = format!("--net=/run/netns/{server}");
        Some(Serving { pid, machine })
    }

    /// Its data connection, which is the one that is not at port 21.
    fn data(&self) -> Option<Connection> {
        let sockets = links(&self.pid);
        let words = [&self.machine, "cat", "/proc/net/tcp", "/proc/net/tcp6"];
        let rows = net::run(Command::new("nsenter").args(words)).ok()?;
        rows.lines().find_map(|row| {
            let fields: Vec<&str> = row.split_whitespace().collect();
            let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
            let (local, remote) = (port(fields.get(1)?)?, port(fields.get(2)?)?);
            let socket = format!("socket:[{}]", fields.get(9)?);
            let open = sockets
                .iter()
                .any(|link| link.as_os_str() == socket.as_str());
            let is_data = fields[3] == ESTABLISHED && local != 21 && open;
            is_data.then_some(Connection { local, remote })
        })
    }

    /// The server has an error on its data connection, and the other side a reset.
    fn reset(&self, data: &Connection) -> Result<()> {
        let which = format!("( sport = :{} and dport = :{} )", data.local, data.remote);
        let words = [
            &self.machine,
            "ss",
            "-K",
            "-tn",
            "state",
            "established",
            &which,
        ];
        net::run(Command::new("nsenter").args(words))?;
        if self.data().as_ref() == Some(data) {
            return Err("this kernel ends no connection for ss -K".to_owned());
        }
        Ok(())
    }
}

/// What a process has open; nothing of one that is gone.
fn links(pid: &str) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let links = open
        .flatten()
        .filter_map(|one| fs::read_link(one.path()).ok());
    links.collect()
}

/// Judges what the client has seen of a transfer that was none, and what the server has said of it.
pub fn check(case: &Case, said: &str, remote: &str, position: usize) -> Result<()> {
    let (seen, verb) = match case.operation {
        Operation::PutThenReset => ("", "STOR"),
        Operation::GetThatIsCut => ("cut: reset after ", "RETR"),
        Operation::GetOfOneThatDies => ("cut: ", "RETR"),
        Operation::StayAway => ("", "RETR"),
        _ => return Ok(()),
    };
    if !said.contains(seen) {
        return Err(format!("the client has not seen {seen:?}"));
    }
    let (_, heard) = said.split_once("\nverdict: ").ok_or("no verdict")?;
    let heard = heard.lines().next().unwrap_or_default();
    let dies = case.operation == Operation::GetOfOneThatDies;
    // The part of vsftpd that is left says 500; with nobody between, a client may hear nothing at all.
    let failure =
        heard.starts_with(['4', '5']) || heard == "nothing" && case.kind.mode == Mode::Direct;
    if !(heard.starts_with('4') || dies && failure) {
        return Err(format!("the client was told {heard}"));
    }
    // Pure-FTPd says no last reply of a download that broke.
    let silent = case.server == Server::PureFtpd && verb == "RETR";
    if dies || silent || case.kind.mode == Mode::Direct {
        return Ok(());
    }
    // What the proxy says may be its own word: the server's is in the log.
    let own = server_s_word(position, &format!("client: {verb} {remote}"))?;
    if own.starts_with('4') {
        return Ok(());
    }
    Err(format!("the server has said {own}"))
}

/// The first final reply that a session of the proxy has had from its server after this command.
fn server_s_word(position: usize, command: &str) -> Result<String> {
    let log = world::logged_since(position);
    let at = log.iter().position(|line| line.contains(command));
    let at = at.ok_or_else(|| format!("nobody has logged {command:?}"))?;
    let pid = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned());
    let session = pid(&log[at]);
    let mut lines = log[at..].iter().filter(|line| pid(line) == session);
    let word = lines.find_map(|line| {
        let (_, word) = line.split_once(" server: ")?;
        (!word.starts_with('1')).then(|| word.to_owned())
    });
    word.ok_or_else(|| "the server has said nothing".to_owned())
}
