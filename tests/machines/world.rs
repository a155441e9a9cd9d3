//! The world the trials run in: new mount, network and process namespaces, furnished by `world.sh`.
//!
//! The test program starts itself again in there. So nothing has to be undone, not even after a kill: with the first
//! process of the world its daemons, networks, accounts and files are gone.

use std::env;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;

/// Where everything that lives as long as the world is kept.
pub const ROOM: &str = "/run/ftp-proxy";
/// The folder that all servers serve, and the home of ftp and alice.
pub const SERVED: &str = "/run/ftp-proxy/srv";
/// The user of most trials.
pub const USER: &str = "alice";
/// Hers and, since any will do there, anonymous's.
pub const PASSWORD: &str = "secret";
/// Where these sources are.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machines");
/// Where the unpacked packages are.
pub const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.work/root");

const INSIDE: &str = "FTP_PROXY_PEERS_INSIDE";

/// Whether this process runs inside the world.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// What keeps the world from being made here, if anything does.
pub fn hindrance() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root, for namespaces and port 21".to_owned());
    }
    let probe = Command::new("unshare")
        .args(["--mount", "--net", "true"])
        .output();
    match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "needs namespaces: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("needs unshare(1): {error}")),
    }
}

/// What keeps real peers from being started there, if anything does.
pub fn lacks_peers() -> Option<String> {
    let there = Path::new(PACKAGES).join(".packages").exists();
    (!there).then(|| "needs the peers' packages: run tests/setup/peers".to_owned())
}

/// Runs this program again inside a new world, and answers as it did.
pub fn enter() -> std::io::Result<ExitCode> {
    let status = Command::new("setpriv")
        // Ctrl-C reaches us, not the world's first process: it has to hear of our end.
        .args(["--pdeathsig", "KILL"])
        .args([
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--ipc",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .args(["--propagation", "private", "sh"])
        .arg(format!("{SOURCES}/world.sh"))
        .arg(PACKAGES)
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What was sent to /dev/log, oldest line first.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes the place of syslogd(8): under inetd there is no other way to hear the proxy.
pub fn keep_log() -> std::io::Result<()> {
    // The proxy does not wait for a busy syslogd: whatever finds the queue full is lost. Ten lines is what a new network
    // has room for.
    std::fs::write("/proc/sys/net/unix/max_dgram_qlen", "10000")?;
    let socket = UnixDatagram::bind("/dev/log")?;
    std::fs::set_permissions("/dev/log", std::fs::Permissions::from_mode(0o666))?;
    let mut copy = std::fs::File::create(format!("{ROOM}/log/syslog"))?;
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length) = socket.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length])
                .trim_end_matches(['\n', '\0'])
                .to_owned();
            let _ = writeln!(copy, "{line}");
            if let Ok(mut log) = LOG.lock() {
                log.push(line);
            }
        }
    });
    Ok(())
}

/// How many lines the log has: give it to [`logged_since`] later.
pub fn log_position() -> usize {
    LOG.lock().map_or(0, |log| log.len())
}

/// The lines logged since `position`; of other trials too, when several run at once.
pub fn logged_since(position: usize) -> Vec<String> {
    LOG.lock()
        .map(|log| log.iter().skip(position).cloned().collect())
        .unwrap_or_default()
}
