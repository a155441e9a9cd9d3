//! The gateways: one machine with a client behind it for each way of being sent through the proxy, built when the first
//! trial asks for it.
//!
//! Only the direct gateway, and those with `-n`, forward packets as they come. With the kernel data path a filter lets
//! nothing pass that was not granted; behind any other gateway nothing arrives that the proxy has not carried itself.

use std::fmt;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Mutex;

use crate::clients::Style;
use crate::launch::ANY;
use crate::net::{self, Family, Namespace, Result, bracketed};
use crate::servers::Server;
use crate::world::USER;

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

/// Which way data is told to travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataPath {
    /// Nothing is said. In the transparent modes that is redirect, where the proxy is started as root.
    Auto,
    Relay,
    Redirect,
    Kernel,
}

/// What a gateway is built for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    pub mode: Mode,
    pub path: DataPath,
    /// With `--rewrite-source-port`.
    pub from_port_20: bool,
    pub launcher: Launcher,
}

impl Kind {
    /// Whether the client, who dialled the server, has its data connections with the gateway.
    fn stands_in_openly(self) -> bool {
        let transparent = matches!(
            self.mode,
            Mode::Transparent | Mode::TransparentNat | Mode::Diverted
        );
        transparent && self.path == DataPath::Relay
    }

    /// Whether active data must come from port 20 (RFC 959 §5.2).
    pub fn calls_from_port_20(self) -> bool {
        self.from_port_20 || self.launcher == Launcher::ListenAsRoot
    }
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
        f.write_str(match self.path {
            DataPath::Auto => "",
            DataPath::Relay => "_relay",
            DataPath::Redirect => "_redirect",
            DataPath::Kernel => "_kernel",
        })?;
        f.write_str(if self.from_port_20 {
            "_from_port_20"
        } else {
            ""
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
    pub kind: Kind,
    number: u8,
    pub client: Namespace,
    own: Namespace,
    /// How many sockets listen on it.
    pub listening: usize,
}

/// The gateway of that kind, built now unless it was.
pub fn gateway(kind: Kind) -> Result<&'static Gateway> {
    static BUILT: Mutex<Vec<(Kind, Result<&'static Gateway>)>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().map_err(|error| error.to_string())?;
    if let Some((_, gateway)) = built.iter().find(|(of, _)| *of == kind) {
        return gateway.clone();
    }
    let number = match kind.mode {
        Mode::Direct => net::DIRECT_GATEWAY,
        _ => {
            net::DIRECT_GATEWAY
                + 1
                + u8::try_from(built.len()).map_err(|error| error.to_string())?
        }
    };
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
            Mode::Reverse => {
                if kind.path == DataPath::Kernel {
                    gateway.forward_what_is_granted()?;
                }
                gateway.publish()?;
            }
            Mode::Forward => gateway.serve(&["--forward"], &gateway.at(1), 21)?,
            Mode::Transparent => gateway.redirect()?,
            Mode::TransparentNat => {
                gateway.forward_packets()?;
                gateway.masquerade()?;
                gateway.load_table()?;
                gateway.serve(&["--netfilter", "-n"], &ANY, 8021)?;
            }
            Mode::Diverted => {
                gateway.load_table_with_tproxy()?;
                gateway.forward_packets()?;
                gateway.serve(&["--diverted"], &ANY, 8021)?;
            }
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
            // Elsewhere one address, so that it is certain which of them a connection is redirected to.
            let hosts: &[u8] = match self.kind.mode {
                Mode::Reverse => &[1, 11, 12, 13, 21, 22, 23],
                _ => &[1],
            };
            for &host in hosts {
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

    /// Whom the client must find at the other end of a data connection.
    pub fn seen_by_client(
        &self,
        server: Server,
        style: Style,
        to_gateway: Family,
        to_server: Family,
    ) -> IpAddr {
        let passed_by = self.kind.mode == Mode::TransparentNat && style == Style::Passive;
        if self.kind.stands_in_openly() && !passed_by {
            self.inside(to_gateway, 1)
        } else {
            self.way_to(server, to_gateway, to_server).0
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

    /// Redirects what passes, by the rules that administrators are given.
    fn redirect(&mut self) -> Result<()> {
        if self.kind.path == DataPath::Kernel {
            self.forward_what_is_granted()?;
        } else {
            self.load_table()?;
        }
        match self.kind.launcher {
            Launcher::Listen | Launcher::ListenAsRoot | Launcher::Activate => {
                self.serve(&["--netfilter"], &ANY, 8021)
            }
            _ => self.serve_as_shipped(),
        }
    }

    fn forward_what_is_granted(&self) -> Result<()> {
        self.load_table_with_filter()?;
        self.forward_packets()
    }

    fn forward_packets(&self) -> Result<()> {
        self.sh(
            "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
        )
    }

    /// `program`, to be run on the gateway.
    pub fn command(&self, program: &str) -> Command {
        self.own.command(program)
    }

    /// Runs a line of shell on the gateway.
    pub fn sh(&self, script: &str) -> Result<()> {
        self.own.sh(script)
    }

    /// What any gateway to the Internet does for its clients.
    fn masquerade(&self) -> Result<()> {
        let rules = "table inet nat {\nchain postrouting {\ntype nat hook postrouting priority srcnat\n\
                     oifname outside masquerade\n}\n}\n";
        net::feed(self.command("nft").args(["-f", "-"]), rules).map(|_| ())
    }
}

/// The inside host number at which a server's address is published.
fn published(server: Server, family: Family) -> u8 {
    match family {
        Family::V4 => 10 + server.number(),
        Family::V6 => 20 + server.number(),
    }
}
