//! How the proxy is started on a gateway: by itself, or by the super-servers that people use.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use crate::gateways::{DataPath, Gateway, Launcher};
use crate::net::{self, Result, bracketed};
use crate::world::ROOM;

/// Where the shipped examples expect it.
const PROXY: &str = "/usr/local/sbin/ftp-proxy";
const BUILT: &str = env!("CARGO_BIN_EXE_ftp-proxy");
/// What is logged is read, and nobody waits long for a client that does not come.
const SETTINGS: [&str; 5] = ["-V", "-D", "1", "--accept-timeout", "10"];

impl Gateway {
    /// Has the proxy started for redirected clients as the files that are shipped for super-servers tell.
    pub fn serve_as_shipped(&mut self) -> Result<()> {
        let mut command = match self.kind.launcher {
            Launcher::Listen | Launcher::ListenAsRoot | Launcher::Activate => {
                return Err("nothing is shipped for that".to_owned());
            }
            Launcher::Inetd => {
                let mut command = self.command("inetd");
                command.args(["-i", &shipped("inetd.conf.example")]);
                command
            }
            Launcher::Xinetd => {
                let mut command = self.command("xinetd");
                command.args(["-dontfork", "-f", &shipped("contrib/xinetd/ftp-proxy")]);
                command
            }
            Launcher::Accept => {
                let mut command = self.command("setpriv");
                command.args(as_in_the_unit("contrib/systemd/ftp-proxy@.service")?);
                command.args(["systemd-socket-activate", "--accept", "--inetd"]);
                let socket = "contrib/systemd/ftp-proxy.socket";
                if !settings(socket, "BindIPv6Only=ipv6-only")?.is_empty() {
                    // systemd-socket-activate has no option for it.
                    self.sh("echo 1 >/proc/sys/net/ipv6/bindv6only")?;
                }
                for address in settings(socket, "ListenStream=")? {
                    command.args(["--listen", &address]);
                }
                command.args(exec_start("contrib/systemd/ftp-proxy@.service")?);
                command
            }
            Launcher::Service => {
                let mut command = self.command("setpriv");
                command.args(as_in_the_unit("contrib/systemd/ftp-proxy-listen.service")?);
                command.args(exec_start("contrib/systemd/ftp-proxy-listen.service")?);
                command
            }
        };
        self.listening += ANY.len();
        self.spawn(&mut command, 8021)
    }

    /// Has the proxy, which learns its destination in the given `way`, started at `addresses`; waits until they listen.
    pub fn serve(&mut self, way: &[&str], addresses: &[IpAddr], port: u16) -> Result<()> {
        let at: Vec<String> = addresses
            .iter()
            .map(|address| bracketed(*address) + &format!(":{port}"))
            .collect();
        let words: Vec<&str> = [&SETTINGS, way, &self.settings()].concat();
        let mut command;
        match self.kind.launcher {
            Launcher::Listen | Launcher::ListenAsRoot => {
                command = self.command(PROXY);
                command.args(words);
                if self.kind.launcher == Launcher::ListenAsRoot {
                    command.args(["-u", "root"]);
                }
                for at in at {
                    command.args(["--listen", &at]);
                }
            }
            Launcher::Inetd => {
                let words = words.join(" ");
                let lines = at.iter().zip(addresses).map(|(at, address)| {
                    let tcp = if address.is_ipv6() { "tcp6" } else { "tcp" };
                    format!("{at} stream {tcp} nowait root {PROXY} ftp-proxy {words}\n")
                });
                command = self.command("inetd");
                command
                    .arg("-i")
                    .arg(self.config(port, addresses, &lines.collect::<String>())?);
            }
            Launcher::Xinetd => {
                let words = words.join(" ");
                let services = addresses.iter().enumerate().map(|(index, address)| {
                    format!(
                        "service ftp-{index}\n{{\ntype = UNLISTED\nprotocol = tcp\nport = {port}\nbind = {address}\n\
                         flags = {family}\nsocket_type = stream\nwait = no\nuser = root\nserver = {PROXY}\n\
                         server_args = {words}\n}}\n",
                        family = if address.is_ipv6() { "IPv6" } else { "IPv4" },
                    )
                });
                command = self.command("xinetd");
                command.args(["-dontfork", "-f"]);
                command.arg(self.config(port, addresses, &services.collect::<String>())?);
            }
            Launcher::Accept | Launcher::Activate | Launcher::Service => {
                command = self.command("systemd-socket-activate");
                if self.kind.launcher == Launcher::Accept {
                    command.args(["--accept", "--inetd"]);
                }
                for at in at {
                    command.args(["--listen", &at]);
                }
                command.arg(PROXY).args(words);
            }
        }
        self.listening += addresses.len();
        self.spawn(&mut command, port)
    }

    /// What the proxy is told about data.
    fn settings(&self) -> Vec<&'static str> {
        let mut words = match self.kind.path {
            DataPath::Auto => vec![],
            DataPath::Relay => vec!["--data-path", "relay"],
            DataPath::Redirect => vec!["--data-path", "redirect"],
            DataPath::Kernel => vec!["--data-path", "kernel"],
        };
        if self.kind.from_port_20 {
            words.push("--rewrite-source-port");
        }
        words
    }

    /// Writes a super-server's configuration for the proxy at `addresses`; its path.
    fn config(&self, port: u16, addresses: &[IpAddr], lines: &str) -> Result<String> {
        let path = format!("{ROOM}/{}-{}-{port}.conf", self.kind, addresses[0]);
        fs::write(&path, lines).map_err(|error| format!("{path}: {error}"))?;
        Ok(path)
    }

    /// Nobody ends it: it ends with the namespaces.
    fn spawn(&self, command: &mut Command, port: u16) -> Result<()> {
        let path = format!("{ROOM}/log/{}-{}.output", self.kind, self.listening);
        let output = fs::File::create(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(|error| error.to_string())?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        net::wait_for_listeners(&mut child, port, self.listening).map_err(|why| {
            format!(
                "{command:?}: {why}\n{}",
                fs::read_to_string(&path).unwrap_or_default()
            )
        })
    }
}

/// Every address of the machine, in both families.
pub const ANY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// What the units in contrib/systemd/ leave to the proxy: setpriv(1) can do the part of it that is about rights.
fn as_in_the_unit(path: &str) -> Result<Vec<String>> {
    let capabilities = |key| -> Result<Vec<String>> {
        let named = settings(path, key)?;
        Ok(named
            .iter()
            .map(|name| name.trim_start_matches("CAP_").to_lowercase())
            .collect())
    };
    let bounding = capabilities("CapabilityBoundingSet=")?;
    let ambient = capabilities("AmbientCapabilities=")?;
    let user = settings(path, "User=")?.concat();
    let mut arguments = vec![
        format!("--reuid={user}"),
        format!("--regid={user}"),
        "--clear-groups".to_owned(),
    ];
    let set = |option: &str, nothing: &[&str], names: &[String]| {
        let nothing = nothing.iter().map(|&word| word.to_owned());
        let names = names.iter().map(|name| format!("+{name}"));
        let all: Vec<String> = nothing.chain(names).collect();
        format!("--{option}={}", all.join(","))
    };
    arguments.push(set("bounding-set", &["-all"], &bounding));
    if !ambient.is_empty() {
        arguments.push(set("inh-caps", &[], &ambient));
        arguments.push(set("ambient-caps", &[], &ambient));
    }
    arguments.push("--no-new-privs".to_owned());
    Ok(arguments)
}

/// A file that is shipped for administrators.
pub fn shipped(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// The values of the lines of the unit `path` that begin with `key`.
fn settings(path: &str, key: &str) -> Result<Vec<String>> {
    let unit = fs::read_to_string(shipped(path)).map_err(|error| format!("{path}: {error}"))?;
    Ok(unit
        .lines()
        .filter_map(|line| line.strip_prefix(key))
        .map(str::to_owned)
        .collect())
}

/// The words that a unit starts.
fn exec_start(path: &str) -> Result<Vec<String>> {
    let line = settings(path, "ExecStart=")?.concat();
    Ok(line
        .trim_start_matches('-')
        .split_whitespace()
        .map(str::to_owned)
        .collect())
}

/// Puts the proxy where the examples expect it. Nothing else of this machine is needed from there.
pub fn install() -> std::io::Result<()> {
    fs::copy(BUILT, PROXY).map(|_| ())
}
