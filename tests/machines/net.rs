//! The net of the tests: one network namespace per machine, and the plan of addresses.
//!
//! ```text
//! client ── 10.77.10+n.0/24 ── gateway n ── 10.77.2.0/24 (the wire) ── vsftpd .11, proftpd .12, pure-ftpd .13
//!           fd77:1:n::/64                   fd77:2::/64
//! ```

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// What went wrong, told to whoever reads the trial's failure.
pub type Result<T> = std::result::Result<T, String>;

/// The gateway whose clients the servers know a way back to: it forwards packets as they come. Behind any other a server
/// can only answer the gateway, so that whatever works there came from the gateway's own address.
pub const DIRECT_GATEWAY: u8 = 1;

/// The family of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    V4,
    V6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "v4",
            Family::V6 => "v6",
        })
    }
}

/// Host `host` of the wire on which servers and gateways meet.
pub fn outside(family: Family, host: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 77, 2, host).into(),
        Family::V6 => Ipv6Addr::new(0xfd77, 2, 0, 0, 0, 0, 0, host.into()).into(),
    }
}

/// Host `host` of the net of clients behind gateway `gateway`.
pub fn inside(family: Family, gateway: u8, host: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 77, 10 + gateway, host).into(),
        Family::V6 => Ipv6Addr::new(0xfd77, 1, gateway.into(), 0, 0, 0, 0, host.into()).into(),
    }
}

/// Gateway `gateway`'s host number on the wire.
pub fn gateway_host(gateway: u8) -> u8 {
    100 + gateway
}

/// The address with its prefix length, as ip(8) wants it.
pub fn with_prefix(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{v4}/24"),
        IpAddr::V6(v6) => format!("{v6}/64 nodad"),
    }
}

/// The address as URLs and `user@host` want it.
pub fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// A network namespace: one machine of the tests.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace `name` with its loopback up.
    pub fn new(name: &str) -> Result<Namespace> {
        run(Command::new("ip").args(["netns", "add", name]))?;
        let made = Namespace {
            name: name.to_owned(),
        };
        made.ip("link set lo up")?;
        Ok(made)
    }

    /// Its name, for ip(8)'s `netns` argument.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `program`, to be run on this machine.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg(program);
        command
    }

    /// Gives ip(8) the lines of `batch` on this machine.
    pub fn ip(&self, batch: &str) -> Result<()> {
        feed(self.command("ip").args(["-batch", "-"]), batch).map(|_| ())
    }

    /// Runs a line of shell on this machine.
    pub fn sh(&self, script: &str) -> Result<()> {
        run(self.command("sh").args(["-euc", script])).map(|_| ())
    }
}

/// Runs `command` to its end; what it printed, or why not.
pub fn run(command: &mut Command) -> Result<String> {
    feed(command, "")
}

/// Runs `command` to its end with `input` on its standard input.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let told = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{told}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input to the end says why in its exit status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| format!("{told}: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{told}: {}\n{stdout}{stderr}", output.status))
}

/// Waits until the machine on which `daemon` runs has `count` sockets listening on `port`.
///
/// # Errors
/// When the daemon ended instead, or took longer than ten seconds.
pub fn wait_for_listeners(daemon: &mut Child, port: u16, count: usize) -> Result<()> {
    for _ in 0..500 {
        if let Ok(Some(status)) = daemon.try_wait() {
            return Err(format!("the daemon ended at once: {status}"));
        }
        if listeners(daemon.id(), port) >= count {
            return Ok(());
        }
        sleep(Duration::from_millis(20));
    }
    Err(format!("nobody listens on port {port}"))
}

/// How many sockets listen on `port` where the process `pid` runs.
fn listeners(pid: u32, port: u16) -> usize {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .map(|table| {
            let listening = table.lines().filter(|line| {
                let mut fields = line.split_whitespace().skip(1);
                let local = fields.next().unwrap_or_default();
                local.ends_with(&port) && fields.nth(1) == Some(LISTEN)
            });
            listening.count()
        })
        .sum()
}
