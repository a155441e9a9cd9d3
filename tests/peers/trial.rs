//! One trial: the client goes on its errand, then both ends are looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{Case, Errand};
use crate::clients::{self, Operation};
use crate::gateways::{self, Gateway, Mode};
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
    let remote = remote(case.errand, unique);
    prepare(case, folder, &remote)?;
    let (host, user) = gateway.way_to(case.server, case.near, case.far);
    let errand = clients::Errand {
        operation: operation(case.errand),
        style: case.style,
        host,
        user: &user,
        take_pasv_address: case.told_to_take_pasv_address,
        local: "local",
        remote: &remote,
        folder,
        patience: if case.errand == Errand::GetHuge {
            200
        } else {
            40
        },
    };
    if case.errand == Errand::GetHuge {
        return get_huge(case, gateway, &errand);
    }
    let said = case.client.go(&gateway.client, &errand)?;
    check_what_arrived(case, folder, &remote)?;
    check_who_opened_the_data_connection(case, gateway, &said)?;
    if operation(case.errand) == Operation::Put {
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

fn operation(errand: Errand) -> Operation {
    match errand {
        Errand::Plain(operation) => operation,
        Errand::GetOddName | Errand::GetHuge => Operation::Get,
        Errand::ListLarge => Operation::List,
    }
}

fn remote(errand: Errand, unique: &str) -> String {
    match errand {
        Errand::Plain(Operation::Get | Operation::ResumeGet) => "pub/data.bin".to_owned(),
        Errand::Plain(Operation::Put | Operation::ResumePut) => format!("incoming/{unique}"),
        Errand::Plain(Operation::List) => "pub/few".to_owned(),
        Errand::GetOddName => "pub/with space and ümlaut.bin".to_owned(),
        Errand::ListLarge => "pub/many".to_owned(),
        Errand::GetHuge => "pub/huge.bin".to_owned(),
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
    match case.errand {
        Errand::Plain(Operation::Put) => write(local, &data),
        Errand::Plain(Operation::ResumeGet) => write(local, half),
        Errand::Plain(Operation::ResumePut) => {
            let begun = Path::new(SERVED).join(remote);
            write(&begun, half)?;
            std::os::unix::fs::chown(&begun, Some(20022), Some(20022))
                .map_err(|error| error.to_string())?;
            write(local, if case.client.appends() { rest } else { &data })
        }
        _ => Ok(()),
    }
}

fn check_what_arrived(case: &Case, folder: &Path, remote: &str) -> Result<()> {
    let operation = operation(case.errand);
    let arrived = match operation {
        Operation::Put | Operation::ResumePut => Path::new(SERVED).join(remote),
        Operation::Get | Operation::ResumeGet | Operation::List => folder.join("local"),
    };
    let arrived = read(&arrived)?;
    if operation == Operation::List {
        let listed = String::from_utf8_lossy(&arrived)
            .lines()
            .filter(|line| line.contains("file-"))
            .count();
        let there = if case.errand == Errand::ListLarge {
            10_000
        } else {
            50
        };
        return equal("files listed", listed, there);
    }
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

/// Python's client tells the other end of its data connections. It must be the host the client was sent to: the server
/// itself or the gateway in its place; in the invisible modes the gateway stands in by the address of its inside.
fn check_who_opened_the_data_connection(case: &Case, gateway: &Gateway, said: &str) -> Result<()> {
    let Some(peer) = said
        .lines()
        .find_map(|line| line.strip_prefix("data peer "))
    else {
        return Ok(());
    };
    let (host, _) = match case.kind.mode {
        Mode::Transparent | Mode::Diverted => (gateway.inside(case.near, 1), String::new()),
        _ => gateway.way_to(case.server, case.near, case.far),
    };
    if peer == host.to_string() {
        return Ok(());
    }
    Err(format!("the data connection was with {peer}, not {host}"))
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
    let arriving = sum(&pipe)?;
    case.client.go(&gateway.client, errand)?;
    let served = sum(&Path::new(SERVED).join(errand.remote))?;
    let [arrived, served] = [arriving, served].map(|sum| {
        let output = sum.wait_with_output().map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    let (arrived, served) = (arrived?, served?);
    if arrived == served && served.contains(&(5_u64 << 30).to_string()) {
        return Ok(());
    }
    Err(format!(
        "checksum and size: {arrived:?}, served: {served:?}"
    ))
}
