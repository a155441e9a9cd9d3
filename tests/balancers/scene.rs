//! The machines of the manual's example, and one more before the server:
//!
//! ```text
//! client .9, stranger .66 ── 203.0.113.0/24 ── .5 balancer .1 ── 10.0.0.0/24 ──┬── .2 gateway
//!                            2001:db8:5::/64   (HAProxy)                       └── .5 server, or inner ── 10.0.3.2 server
//! ```

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::fake::{Control, dial};
use crate::daemons;
use crate::gateway::{PROXY, on};
use crate::manual;
use crate::net::{Family, Namespace, feed, run};
use crate::servers;
use crate::world::{PASSWORD, ROOM, SERVED, USER};

/// What stands between proxy and server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inner {
    /// Nothing: the server is at 10.0.0.5.
    Nothing,
    /// HAProxy, which takes our header off.
    HaProxy(Server),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Vsftpd,
    Proftpd,
}

/// How everything is set up.
#[derive(Clone, Copy)]
pub struct Plan {
    pub family: Family,
    /// Of the header that HAProxy sends.
    pub version: u8,
    pub inner: Inner,
    /// Beside those of the manual's command.
    pub options: &'static [&'static str],
}

pub struct Scene {
    family: Family,
    pub clients: Namespace,
    _others: Vec<Namespace>,
}

impl Scene {
    #[track_caller]
    pub fn new(plan: Plan) -> Scene {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let machine = |name| Namespace::new(&format!("{name}-{number}")).unwrap();
        let (clients, balancer, gateway) =
            (machine("clients"), machine("balancer"), machine("gateway"));
        let last = machine("last");
        wire(&clients, &balancer, &gateway, &last);
        let server = serve(plan.inner, &last, number);
        let mut proxy = gateway.command(PROXY);
        proxy
            .args(manual::command())
            .args(["-V", "-D", "1"])
            .args(plan.options);
        start(&mut proxy, 2121, 1);
        let mut front = manual::haproxy();
        if plan.family == Family::V6 {
            front = front.replace("203.0.113.5", "2001:db8:5::5");
        }
        if plan.version == 1 {
            front = front.replace("send-proxy-v2", "send-proxy");
        }
        let conf = file(number, "front", &front);
        start(
            balancer.command("haproxy").args(["-db", "-f", &conf]),
            21,
            1,
        );
        let others = [balancer, gateway, last].into_iter().chain(server);
        Scene {
            family: plan.family,
            clients,
            _others: others.collect(),
        }
    }

    fn either(&self, v4: &str, v6: &str) -> IpAddr {
        let text = match self.family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        text.parse().unwrap()
    }

    pub fn client(&self) -> IpAddr {
        self.either("203.0.113.9", "2001:db8:5::9")
    }

    /// On the client's machine, and somebody else.
    pub fn stranger(&self) -> IpAddr {
        self.either("203.0.113.66", "2001:db8:5::66")
    }

    /// What clients dial.
    pub fn published(&self) -> IpAddr {
        self.either("203.0.113.5", "2001:db8:5::5")
    }

    /// curl from the client's address; what it printed.
    #[track_caller]
    pub fn curl(&self, arguments: &[&str], path: &str) -> String {
        let url = format!("ftp://{}/{path}", crate::net::bracketed(self.published()));
        let mut curl = self.clients.command("curl");
        curl.args(["-sS", "-v", "--max-time", "30", "--no-ftp-skip-pasv-ip"]);
        curl.args(["--interface", &self.client().to_string()]);
        curl.args(["-u", &format!("{USER}:{PASSWORD}")]);
        let shown = run(curl.args(arguments).arg(url));
        shown.unwrap_or_else(|why| panic!("{why}"))
    }

    /// A control connection by way of the balancer, greeted.
    #[track_caller]
    pub fn dials(&self, from: IpAddr) -> Control {
        let door = SocketAddr::new(self.published(), 21);
        let stream = on(&self.clients, || dial(from, door)).expect("a session");
        Control::over(stream, "client")
    }
}

/// The other end of `--send-proxy-protocol`. As vsftpd and proftpd bind what they listen at, so does this.
const INNER: &str = "\
defaults
    mode tcp
    timeout connect 10s
    timeout client 1m
    timeout server 1m
    log /dev/log local0
    log-format \"inner: %ci:%cp to %fi:%fp, %B bytes, %U bytes\"
listen control
    bind 10.0.0.5:21 accept-proxy
    server server 10.0.3.2:21
listen data
    bind 10.0.0.5:40000-40009 accept-proxy
    server server 10.0.3.2
";

/// Starts the server, and what is before it, on the last machine; the server's own, if it has one.
#[track_caller]
fn serve(inner: Inner, last: &Namespace, number: usize) -> Option<Namespace> {
    let Inner::HaProxy(server) = inner else {
        let conf = file(number, "vsftpd", &servers::vsftpd_conf());
        start(last.command("vsftpd").arg(conf), 21, 1);
        return None;
    };
    let behind = Namespace::new(&format!("server-{number}")).unwrap();
    wire_server(last, &behind);
    match server {
        Server::Vsftpd => {
            let ports = "pasv_min_port=40000\npasv_max_port=40009\n";
            let conf = file(number, "vsftpd", &(servers::vsftpd_conf() + ports));
            start(behind.command("vsftpd").arg(conf), 21, 1);
        }
        Server::Proftpd => {
            let conf = file(number, "proftpd", &proftpd_conf(number));
            let arguments = ["--nodaemon", "--quiet", "--config", &conf];
            start(behind.command("proftpd").args(arguments), 21, 1);
        }
    }
    let conf = file(number, "inner", INNER);
    start(last.command("haproxy").args(["-db", "-f", &conf]), 21, 1);
    Some(behind)
}

/// A file of this scene's, for a program to read; its path.
fn file(number: usize, name: &str, content: &str) -> String {
    let path = format!("{ROOM}/balancers-{number}.{name}");
    fs::write(&path, content).unwrap();
    path
}

fn proftpd_conf(number: usize) -> String {
    format!(
        "ServerType standalone\nDefaultAddress 10.0.3.2\nSocketBindTight on\nPort 21\nUseIPv6 off\n\
         ModulePath {modules}\nPassivePorts 40000 40009\n\
         User nobody\nGroup nogroup\nAuthOrder mod_auth_unix.c\nRequireValidShell off\nDefaultRoot {SERVED}\n\
         UseReverseDNS off\nWtmpLog off\nPidFile {ROOM}/balancers-{number}.pid\n\
         ScoreboardFile {ROOM}/balancers-{number}.scoreboard\nAllowOverwrite on\n\
         SystemLog {ROOM}/log/balancers-{number}.system\n",
        modules = std::env::var("PROFTPD_MODULES").unwrap_or_default(),
    )
}

/// Starts it, and waits until it listens. It ends with the namespaces.
#[track_caller]
fn start(command: &mut Command, port: u16, count: usize) {
    drop(daemons::start(command, port, count));
}

fn pair(one: &str, here: &Namespace, other: &str, there: &Namespace) {
    let line = format!(
        "link add {one} netns {} type veth peer name {other} netns {}\n",
        here.name(),
        there.name()
    );
    feed(Command::new("ip").args(["-batch", "-"]), &line).unwrap();
}

fn wire(clients: &Namespace, balancer: &Namespace, gateway: &Namespace, last: &Namespace) {
    pair("eth0", balancer, "eth0", clients);
    pair("in1", balancer, "eth0", gateway);
    pair("in2", balancer, "eth0", last);
    balancer
        .ip(
            "link add lan type bridge\nlink set in1 master lan up\nlink set in2 master lan up\n\
             link set lan up\naddress add 10.0.0.1/24 dev lan\n\
             link set eth0 up\naddress add 203.0.113.5/24 dev eth0\n\
             address add 2001:db8:5::5/64 dev eth0 nodad\n",
        )
        .unwrap();
    balancer
        .sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
        .unwrap();
    clients
        .ip("link set eth0 up\naddress add 203.0.113.9/24 dev eth0\naddress add 203.0.113.66/24 dev eth0\n\
             address add 2001:db8:5::9/64 dev eth0 nodad\naddress add 2001:db8:5::66/64 dev eth0 nodad\n\
             route add default via 203.0.113.5\n")
        .unwrap();
    gateway
        .ip("link set eth0 up\naddress add 10.0.0.2/24 dev eth0\nroute add default via 10.0.0.1\n")
        .unwrap();
    last.ip("link set eth0 up\naddress add 10.0.0.5/24 dev eth0\n")
        .unwrap();
}

fn wire_server(inner: &Namespace, server: &Namespace) {
    pair("eth1", inner, "eth0", server);
    inner
        .ip("link set eth1 up\naddress add 10.0.3.1/24 dev eth1\n")
        .unwrap();
    server
        .ip("link set eth0 up\naddress add 10.0.3.2/24 dev eth0\n")
        .unwrap();
}
