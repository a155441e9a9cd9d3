//! One trial: the client goes on its errand, then both ends are looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cases::{Case, Matter};
use crate::clients::{self, Client, Operation, Style};
use crate::cuts;
use crate::gateways::{self, Gateway};
use crate::net::{self, Result};
use crate::world::{self, ROOM, SERVED};

/// What is told of the log when a trial fails: its end, in lines.
const LOG_LINES: usize = 60;

/// Runs the trial; `Err` tells what was wrong, what the client said, and what was logged meanwhile.
pub fn run(case: &Case) -> Result<()> {
    let position = world::log_position();
    let folder = folder()?;
    attempt(case, &folder).map_err(|why| {
        let said = fs::read(folder.join("transcript")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let logged = world::logged_since(position);
        let logged = logged[logged.len().saturating_sub(LOG_LINES)..].join("\n");
        format!("{why}\n---- the client:\n{said}\n---- the log:\n{logged}")
    })
}

fn attempt(case: &Case, folder: &Path) -> Result<()> {
    case.server.start()?;
    let gateway = gateways::gateway(case.kind)?;
    let unique = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let huge = case.operation == Operation::Get && case.matter == Matter::Large;
    let remote = remote(case, unique);
    prepare(case, folder, &remote)?;
    let (host, user) = gateway.way_to(case.server, case.near, case.far);
    let errand = clients::Errand {
        operation: case.operation,
        style: case.style,
        host,
        user: &user,
        habit: case.habit,
        local: "local",
        remote: &remote,
        folder,
        patience: if huge { 200 } else { 40 },
    };
    if huge {
        return get_huge(case, gateway, &errand);
    }
    let position = world::log_position();
    let said = thread::scope(|scope| {
        let cut = matches!(
            case.operation,
            Operation::GetThatIsCut | Operation::GetOfOneThatDies
        );
        let cut = cut.then(|| scope.spawn(|| cuts::cut(case, &remote)));
        let said = case.client.go(&gateway.client, &errand)?;
        if let Some(cut) = cut {
            cut.join().map_err(|_| "the one who cuts has panicked")??;
        }
        Ok::<_, String>(said)
    })?;
    cuts::check(case, &said, &remote, position)?;
    check_what_arrived(case, folder, &remote)?;
    check_who_was_at_the_data_connection(case, gateway, &said)?;
    if case.operation == Operation::Put {
        let line = case.server.logged(&remote)?;
        let seen = gateway.seen_by_server(case.far).to_string();
        if !line.contains(&seen) {
            return Err(format!("the server did not see {seen}, it logged: {line}"));
        }
    }
    Ok(())
}

fn folder() -> Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(format!("{ROOM}/trials/trial-{number:04}"));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// What the errand is about, on the server. Uploads get a name of their own.
fn remote(case: &Case, unique: &str) -> String {
    match (case.operation, case.matter) {
        (Operation::Put | Operation::ResumePut, _) => format!("incoming/{unique}"),
        (Operation::List, Matter::Large) => "pub/many".to_owned(),
        (Operation::List | Operation::Mirror, _) => "pub/few".to_owned(),
        (Operation::AbortThenGet, _) | (Operation::Get, Matter::Large) => "pub/huge.bin".to_owned(),
        (Operation::PutThenReset, _) => format!("incoming/{unique}"),
        (Operation::GetThatIsCut | Operation::GetOfOneThatDies, _) => format!("pub/{unique}"),
        (Operation::StayAway, _) => format!("pub/{unique}"),
        (_, Matter::OddName) => "pub/with space and ümlaut.bin".to_owned(),
        (Operation::Get | Operation::ResumeGet, _) => "pub/data.bin".to_owned(),
    }
}

fn data() -> Result<Vec<u8>> {
    read(Path::new(SERVED).join("pub/data.bin"))
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    fs::read(&path).map_err(|error| format!("{}: {error}", path.as_ref().display()))
}

fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.as_ref().display()))
}

/// Lays out the files that the errand starts from.
fn prepare(case: &Case, folder: &Path, remote: &str) -> Result<()> {
    let local = folder.join("local");
    let data = data()?;
    let (half, rest) = data.split_at(data.len() / 2);
    match case.operation {
        Operation::Put => write(local, &data),
        Operation::ResumeGet => write(local, half),
        Operation::ResumePut => {
            let begun = Path::new(SERVED).join(remote);
            write(&begun, half)?;
            std::os::unix::fs::chown(&begun, Some(20022), Some(20022))
                .map_err(|error| error.to_string())?;
            write(local, if case.client.appends() { rest } else { &data })
        }
        Operation::GetThatIsCut | Operation::GetOfOneThatDies | Operation::StayAway => {
            // By a name of its own, so that it is known who sends it.
            let served = Path::new(SERVED);
            fs::hard_link(served.join("pub/huge.bin"), served.join(remote))
                .map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}

fn check_what_arrived(case: &Case, folder: &Path, remote: &str) -> Result<()> {
    let local = folder.join("local");
    let arrived = match case.operation {
        Operation::Mirror => {
            let entries = fs::read_dir(&local).map_err(|error| error.to_string())?;
            return equal("files fetched", entries.count(), 50);
        }
        Operation::List => {
            let listed = read(&local)?;
            let listed = String::from_utf8_lossy(&listed);
            let files = listed.lines().filter(|line| line.contains("file-")).count();
            let there = if case.matter == Matter::Large {
                10_000
            } else {
                50
            };
            return equal("files listed", files, there);
        }
        Operation::Put | Operation::ResumePut => read(Path::new(SERVED).join(remote))?,
        Operation::GetOfOneThatDies => return Ok(()),
        Operation::Get
        | Operation::ResumeGet
        | Operation::AbortThenGet
        | Operation::PutThenReset
        | Operation::GetThatIsCut
        | Operation::StayAway => read(&local)?,
    };
    let sent = data()?;
    equal("bytes", arrived.len(), sent.len())?;
    if arrived != sent {
        let first = arrived.iter().zip(&sent).position(|(a, b)| a != b);
        return Err(format!("the bytes differ, first at {first:?}"));
    }
    Ok(())
}

fn equal(what: &str, seen: usize, expected: usize) -> Result<()> {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {seen}, not {expected}"))
}

/// Python's client tells the other ends of its data connections. Only where the gateway relays for a client who knows
/// nothing of it may that be anybody but the host that the client has dialled.
///
/// Whom the server saw needs no look: it knows no way to the clients (see [`net::DIRECT_GATEWAY`]), and all three servers
/// want data connections to be with the host of the control connection.
fn check_who_was_at_the_data_connection(case: &Case, gateway: &Gateway, said: &str) -> Result<()> {
    let host = gateway.seen_by_client(case.server, case.style, case.near, case.far);
    let peers: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("data peer "))
        .collect();
    if case.client == Client::Ftplib && peers.is_empty() {
        return Err("nobody was at the data connection".to_owned());
    }
    for peer in peers {
        let (address, port) = peer.split_once(' ').unwrap_or_default();
        if address != host.to_string() {
            return Err(format!(
                "the data connection was with {address}, not {host}"
            ));
        }
        if case.kind.calls_from_port_20() && case.style == Style::Active && port != "20" {
            return Err(format!("the data connection came from port {port}, not 20"));
        }
    }
    Ok(())
}

/// Five gigabytes are summed up on the way, not stored.
fn get_huge(case: &Case, gateway: &Gateway, errand: &clients::Errand<'_>) -> Result<()> {
    let pipe = errand.folder.join(errand.local);
    net::run(Command::new("mkfifo").arg(&pipe))?;
    let sum = |path: &Path| {
        Command::new("timeout")
            .args([
                &errand.patience.to_string(),
                "sh",
                "-c",
                "cksum <\"$1\"",
                "cksum",
            ])
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())
    };
    let position = world::log_position();
    let arriving = sum(&pipe)?;
    case.client.go(&gateway.client, errand)?;
    let served = sum(&Path::new(SERVED).join(errand.remote))?;
    let [arrived, served] = [arriving, served].map(|sum| {
        let output = sum.wait_with_output().map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    let (arrived, served) = (arrived?, served?);
    if arrived != served || !served.contains(&(5_u64 << 30).to_string()) {
        return Err(format!(
            "checksum and size: {arrived:?}, served: {served:?}"
        ));
    }
    let counted = format!("transfer to client: {} bytes", 5_u64 << 30);
    // The line is on its way when the client is done.
    for _ in 0..50 {
        let logged = world::logged_since(position);
        if logged.iter().any(|line| line.contains(&counted)) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Err(format!("the log does not say {counted:?}"))
}
