//! The gateways: one machine with a client behind it for each way of being sent through the proxy, built when the first
//! trial asks for it.
//!
//! Only the direct gateway forwards packets. Behind any other nothing arrives that the proxy has not carried itself.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::net::{self, Family, GATEWAYS, Namespace, Result, bracketed};
use crate::servers::Server;
use crate::world::{ROOM, USER};

/// Where the shipped examples expect it.
const PROXY: &str = "/usr/local/sbin/ftp-proxy";
const BUILT: &str = env!("CARGO_BIN_EXE_ftp-proxy");
const SETTINGS: [&str; 3] = ["-V", "-D", "1"];

/// How the client comes to its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Without a proxy. A trial that fails like this is not the proxy's fault.
    Direct,
    /// The client dials the gateway, which publishes the server.
    Reverse,
    /// The client dials the gateway and says `USER user@server`.
    Forward,
    /// The client dials the server; the gateway's nftables redirect the connection.
    Transparent,
    /// The same with `-n`: the gateway forwards and translates addresses, passive data does not pass the proxy.
    TransparentNat,
    /// The client dials the server; the gateway's TPROXY rule diverts the connection.
    Diverted,
}

/// Who starts the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Launcher {
    /// The proxy's own `--listen`.
    Listen,
    /// The same with `-u root`.
    ListenAsRoot,
    Inetd,
    Xinetd,
    /// systemd-socket-activate, one process a connection, as by a unit with `Accept=yes`.
    Accept,
    /// systemd-socket-activate, the listening socket handed over, as by a unit with `Accept=no`.
    Activate,
    /// As the unit without a socket does it.
    Service,
}

/// What a gateway is built for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    pub mode: Mode,
    pub launcher: Launcher,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            Mode::Direct => "direct",
            Mode::Reverse => "reverse",
            Mode::Forward => "forward",
            Mode::Transparent => "transparent",
            Mode::TransparentNat => "transparent_nat",
            Mode::Diverted => "diverted",
        })?;
        f.write_str(match self.launcher {
            Launcher::Listen => "",
            Launcher::ListenAsRoot => "_by_root",
            Launcher::Inetd => "_by_inetd",
            Launcher::Xinetd => "_by_xinetd",
            Launcher::Accept => "_by_systemd_accept",
            Launcher::Activate => "_by_systemd_listen",
            Launcher::Service => "_by_systemd_service",
        })
    }
}

/// A gateway and the client's machine behind it.
pub struct Gateway {
    kind: Kind,
    number: u8,
    pub client: Namespace,
    own: Namespace,
    /// How many sockets listen on it.
    listening: usize,
}

/// The gateway of that kind, built now unless it was.
pub fn gateway(kind: Kind) -> Result<&'static Gateway> {
    static BUILT: Mutex<Vec<(Kind, Result<&'static Gateway>)>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().map_err(|error| error.to_string())?;
    if let Some((_, gateway)) = built.iter().find(|(of, _)| *of == kind) {
        return gateway.clone();
    }
    let number = u8::try_from(built.len() + 1).map_err(|error| error.to_string())?;
    assert!(
        number <= GATEWAYS,
        "the servers know no way to so many gateways"
    );
    let gateway = Gateway::build(kind, number)
        .map(|gateway| &*Box::leak(Box::new(gateway)))
        .map_err(|why| format!("gateway {kind}: {why}"));
    built.push((kind, gateway.clone()));
    gateway
}

impl Gateway {
    fn build(kind: Kind, number: u8) -> Result<Gateway> {
        let client = Namespace::new(&format!("client{number}"))?;
        let own = Namespace::new(&format!("gateway{number}"))?;
        let mut gateway = Gateway {
            kind,
            number,
            client,
            own,
            listening: 0,
        };
        gateway.wire()?;
        match kind.mode {
            Mode::Direct => gateway.forward_packets()?,
            Mode::Reverse => gateway.publish()?,
            Mode::Forward => gateway.serve(&["--forward"], &gateway.at(1), 21)?,
            Mode::Transparent => gateway.redirect(&["--netfilter"])?,
            Mode::TransparentNat => {
                gateway.forward_packets()?;
                gateway.masquerade()?;
                gateway.redirect(&["--netfilter", "-n"])?;
            }
            Mode::Diverted => gateway.divert()?,
        }
        Ok(gateway)
    }

    /// Lays the wires: `lan0` to the client, `outside` to the servers.
    fn wire(&self) -> Result<()> {
        let (own, client, tag) = (self.own.name(), self.client.name(), self.number);
        net::feed(
            Command::new("ip").args(["-batch", "-"]),
            &format!(
                "link add gw{tag} master wire up type veth peer name outside netns {own}\n\
                 link add lan0 netns {own} type veth peer name eth0 netns {client}\n"
            ),
        )?;
        let mut hers = String::from("link set eth0 up\n");
        let mut ours = String::from("link set lan0 up\nlink set outside up\n");
        for family in [Family::V4, Family::V6] {
            hers += &format!(
                "address add {} dev eth0\n",
                net::with_prefix(self.client_address(family))
            );
            let outside = net::with_prefix(self.outside(family));
            ours += &format!("address add {outside} dev outside\n");
            for host in [1, 11, 12, 13, 21, 22, 23] {
                let address = net::with_prefix(self.inside(family, host));
                ours += &format!("address add {address} dev lan0\n");
            }
            hers += &format!("route add default via {}\n", self.inside(family, 1));
        }
        self.client.ip(&hers)?;
        self.own.ip(&ours)
    }

    /// Host `host` of the net that the client is in.
    pub fn inside(&self, family: Family, host: u8) -> IpAddr {
        net::inside(family, self.number, host)
    }

    /// The address with which the gateway meets the servers.
    pub fn outside(&self, family: Family) -> IpAddr {
        net::outside(family, net::gateway_host(self.number))
    }

    /// The address of the client's machine.
    pub fn client_address(&self, family: Family) -> IpAddr {
        self.inside(family, 2)
    }

    /// What the client dials, and as whom it logs in, to get from `to_gateway` to `server` at `to_server`.
    pub fn way_to(
        &self,
        server: Server,
        to_gateway: Family,
        to_server: Family,
    ) -> (IpAddr, String) {
        let there = server.address(to_server);
        match self.kind.mode {
            Mode::Direct | Mode::Transparent | Mode::TransparentNat | Mode::Diverted => {
                (there, USER.to_owned())
            }
            Mode::Reverse => (
                self.inside(to_gateway, published(server, to_server)),
                USER.to_owned(),
            ),
            Mode::Forward => (
                self.inside(to_gateway, 1),
                format!("{USER}@{}", bracketed(there)),
            ),
        }
    }

    /// The address that the server must have seen the control connection come from.
    pub fn seen_by_server(&self, family: Family) -> IpAddr {
        match self.kind.mode {
            Mode::Direct => self.client_address(family),
            _ => self.outside(family),
        }
    }

    /// Both addresses of host `host` on the inside.
    fn at(&self, host: u8) -> [IpAddr; 2] {
        [self.inside(Family::V4, host), self.inside(Family::V6, host)]
    }

    /// Publishes servers at inside addresses: all of them by `--listen`, one by each super-server.
    fn publish(&mut self) -> Result<()> {
        let servers: &[Server] = match self.kind.launcher {
            Launcher::Listen => &Server::ALL,
            _ => &[Server::Vsftpd],
        };
        for &server in servers {
            for family in [Family::V4, Family::V6] {
                let there = bracketed(server.address(family));
                self.serve(&["-R", &there], &self.at(published(server, family)), 21)?;
            }
        }
        Ok(())
    }

    /// Redirects what passes, by the rules that administrators are given. The super-servers are set up as they are told, too.
    fn redirect(&mut self, way: &[&str]) -> Result<()> {
        net::run(
            self.own
                .command("nft")
                .args(["-f", &shipped("nftables.conf.example")]),
        )?;
        let mut command = match self.kind.launcher {
            Launcher::Listen | Launcher::ListenAsRoot | Launcher::Activate => {
                return self.serve(way, &ANY, 8021);
            }
            Launcher::Inetd => {
                let mut command = self.own.command("inetd");
                command.args(["-i", &shipped("inetd.conf.example")]);
                command
            }
            Launcher::Xinetd => {
                let mut command = self.own.command("xinetd");
                command.args(["-dontfork", "-f", &shipped("contrib/xinetd/ftp-proxy")]);
                command
            }
            Launcher::Accept => {
                let mut command = self.own.command("setpriv");
                command.args(AS_IN_THE_UNITS);
                command.args(["systemd-socket-activate", "--accept", "--inetd"]);
                let socket = "contrib/systemd/ftp-proxy.socket";
                if !settings(socket, "BindIPv6Only=ipv6-only")?.is_empty() {
                    // systemd-socket-activate has no option for it.
                    self.own.sh("echo 1 >/proc/sys/net/ipv6/bindv6only")?;
                }
                for address in settings(socket, "ListenStream=")? {
                    command.args(["--listen", &address]);
                }
                command.args(exec_start("contrib/systemd/ftp-proxy@.service")?);
                command
            }
            Launcher::Service => {
                let mut command = self.own.command("setpriv");
                command.args(AS_IN_THE_UNITS);
                command.args(exec_start("contrib/systemd/ftp-proxy-listen.service")?);
                command
            }
        };
        self.listening += ANY.len();
        self.spawn(&mut command, 8021)
    }

    fn forward_packets(&self) -> Result<()> {
        self.own.sh(
            "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
        )
    }

    /// What any gateway to the Internet does for its clients.
    fn masquerade(&self) -> Result<()> {
        let rules = "table inet nat {\nchain postrouting {\ntype nat hook postrouting priority srcnat\n\
                     oifname outside masquerade\n}\n}\n";
        net::feed(self.own.command("nft").args(["-f", "-"]), rules).map(|_| ())
    }

    /// Diverts what passes, by the commented part of the same rules.
    fn divert(&mut self) -> Result<()> {
        let path = shipped("nftables.conf.example");
        let example = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let uncommented = |line: &str| {
            line.trim_start()
                .trim_start_matches('#')
                .trim_start()
                .to_owned()
        };
        let routes: Vec<_> = example
            .lines()
            .map(uncommented)
            .filter(|line| line.starts_with("ip "))
            .collect();
        self.own.sh(&routes.join("\n"))?;
        let client_if = example
            .lines()
            .find(|line| line.starts_with("define client_if"))
            .unwrap_or_default();
        let chain: Vec<_> = example
            .lines()
            .map(uncommented)
            .skip_while(|line| line != "chain divert {")
            .take_while(|line| line != "}")
            .collect();
        let rules = format!(
            "{client_if}\ntable inet ftp_proxy {{\n{}\n}}\n}}\n",
            chain.join("\n")
        );
        net::feed(self.own.command("nft").args(["-f", "-"]), &rules)?;
        self.serve(&["--diverted"], &ANY, 8021)
    }

    /// Has the proxy, which learns its destination in the given `way`, started at `addresses`; waits until they listen.
    fn serve(&mut self, way: &[&str], addresses: &[IpAddr], port: u16) -> Result<()> {
        let at: Vec<String> = addresses
            .iter()
            .map(|address| bracketed(*address) + &format!(":{port}"))
            .collect();
        let words = SETTINGS.iter().chain(way);
        let mut command;
        match self.kind.launcher {
            Launcher::Listen | Launcher::ListenAsRoot => {
                command = self.own.command(PROXY);
                command.args(words);
                if self.kind.launcher == Launcher::ListenAsRoot {
                    command.args(["-u", "root"]);
                }
                for at in at {
                    command.args(["--listen", &at]);
                }
            }
            Launcher::Inetd => {
                let words = words.copied().collect::<Vec<_>>().join(" ");
                let lines = at.iter().zip(addresses).map(|(at, address)| {
                    let tcp = if address.is_ipv6() { "tcp6" } else { "tcp" };
                    format!("{at} stream {tcp} nowait root {PROXY} ftp-proxy {words}\n")
                });
                command = self.own.command("inetd");
                command
                    .arg("-i")
                    .arg(self.config(port, addresses, &lines.collect::<String>())?);
            }
            Launcher::Xinetd => {
                let words = words.copied().collect::<Vec<_>>().join(" ");
                let services = addresses.iter().enumerate().map(|(index, address)| {
                    format!(
                        "service ftp-{index}\n{{\ntype = UNLISTED\nprotocol = tcp\nport = {port}\nbind = {address}\n\
                         flags = {family}\nsocket_type = stream\nwait = no\nuser = root\nserver = {PROXY}\n\
                         server_args = {words}\n}}\n",
                        family = if address.is_ipv6() { "IPv6" } else { "IPv4" },
                    )
                });
                command = self.own.command("xinetd");
                command.args(["-dontfork", "-f"]);
                command.arg(self.config(port, addresses, &services.collect::<String>())?);
            }
            Launcher::Accept | Launcher::Activate | Launcher::Service => {
                command = self.own.command("systemd-socket-activate");
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

const ANY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// What the units in contrib/systemd/ take from the proxy: setpriv(1) can do the part of it that is about rights.
const AS_IN_THE_UNITS: [&str; 5] = [
    "--reuid=proxy",
    "--regid=proxy",
    "--clear-groups",
    "--bounding-set=-all",
    "--no-new-privs",
];

/// A file that is shipped for administrators.
fn shipped(path: &str) -> String {
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

/// The inside host number at which a server's address is published.
fn published(server: Server, family: Family) -> u8 {
    match family {
        Family::V4 => 10 + server.number(),
        Family::V6 => 20 + server.number(),
    }
}
