//! Three machines: clients, their gateway, a server that knows no way to the clients.
//!
//! ```text
//! client .2 and stranger .3 ── 10.0.1.0/24 ── .1 gateway .1 ── 10.0.2.0/24 ── server .2, neighbour .3
//!                              fd00:1::/64                    fd00:2::/64
//! ```

use std::fmt;
use std::fs::{self, File};
use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::net::{Namespace, feed, run};

/// Where everybody may run it, whatever its folder is.
pub const PROXY: &str = "/usr/local/sbin/ftp-proxy";
const BUILT: &str = env!("CARGO_BIN_EXE_ftp-proxy");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/nftables.conf.example");

/// The port that nftables.conf.example redirects to.
pub const FRONT_PORT: u16 = 8021;

/// The redirection alone, by a table of somebody else's.
pub const REDIRECTION: &str = "table inet mine {\nchain prerouting {\n\
    type nat hook prerouting priority dstnat; policy accept;\n\
    iifname lan0 tcp dport 21 redirect to :8021\n}\n}\n";

/// What a claim is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The argument of `--data-path`.
    pub path: &'static str,
    pub v6: bool,
}

impl Setting {
    pub const RELAY_V4: Setting = Setting::new("relay", false);
    pub const REDIRECT_V4: Setting = Setting::new("redirect", false);
    pub const REDIRECT_V6: Setting = Setting::new("redirect", true);
    pub const KERNEL_V4: Setting = Setting::new("kernel", false);
    pub const KERNEL_V6: Setting = Setting::new("kernel", true);
    pub const ALL: [Setting; 4] = [
        Setting::REDIRECT_V4,
        Setting::REDIRECT_V6,
        Setting::KERNEL_V4,
        Setting::KERNEL_V6,
    ];

    const fn new(path: &'static str, v6: bool) -> Setting {
        Setting { path, v6 }
    }

    pub fn kernel(self) -> bool {
        self.path == "kernel"
    }

    fn host(self, net: u8, host: u8) -> IpAddr {
        if self.v6 {
            IpAddr::from([0xfd00, net.into(), 0, 0, 0, 0, 0, u16::from(host)])
        } else {
            IpAddr::from([10, 0, net, host])
        }
    }

    pub fn client(self) -> IpAddr {
        self.host(1, 2)
    }

    /// Another client on the same wire.
    pub fn stranger(self) -> IpAddr {
        self.host(1, 3)
    }

    /// The gateway as the clients see it, if they look.
    pub fn inside(self) -> IpAddr {
        self.host(1, 1)
    }

    /// The gateway as the server sees it.
    pub fn outside(self) -> IpAddr {
        self.host(2, 1)
    }

    /// Another address there, which it has when a trial gives it.
    pub fn second_outside(self) -> IpAddr {
        self.host(2, 9)
    }

    pub fn server(self) -> IpAddr {
        self.host(2, 2)
    }

    /// Another host on the server's wire.
    pub fn neighbour(self) -> IpAddr {
        self.host(2, 3)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.v6 { "v6" } else { "v4" };
        write!(f, "{}_{family}", self.path)
    }
}

/// The three machines of one trial.
pub struct Machines {
    pub clients: Namespace,
    pub gateway: Namespace,
    pub server: Namespace,
}

impl Machines {
    /// Wired, and with no rules.
    #[track_caller]
    pub fn bare() -> Machines {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let machine = |name| Namespace::new(&format!("{name}{number}")).unwrap();
        let machines = Machines {
            clients: machine("clients"),
            gateway: machine("gateway"),
            server: machine("server"),
        };
        let (clients, gateway, server) = (
            machines.clients.name(),
            machines.gateway.name(),
            machines.server.name(),
        );
        // client_if of nftables.conf.example is lan0.
        feed(
            Command::new("ip").args(["-batch", "-"]),
            &format!(
                "link add lan0 netns {gateway} type veth peer name eth0 netns {clients}\n\
                 link add wan0 netns {gateway} type veth peer name eth0 netns {server}\n"
            ),
        )
        .unwrap();
        let address = |own: &Namespace, device, net: u8, host: u8| {
            own.ip(&format!(
                "link set {device} up\naddress add 10.0.{net}.{host}/24 dev {device}\n\
                 address add fd00:{net}::{host}/64 dev {device} nodad\n"
            ))
            .unwrap();
        };
        address(&machines.gateway, "lan0", 1, 1);
        address(&machines.gateway, "wan0", 2, 1);
        address(&machines.clients, "eth0", 1, 2);
        address(&machines.clients, "eth0", 1, 3);
        address(&machines.server, "eth0", 2, 2);
        address(&machines.server, "eth0", 2, 3);
        let ways = "route add default via 10.0.1.1\nroute add default via fd00:1::1\n";
        machines.clients.ip(ways).unwrap();
        machines
    }

    /// The gateway forwards, by the shipped table with its commented filter: nothing passes that was not granted.
    #[track_caller]
    pub fn with_table() -> Machines {
        let machines = Machines::bare();
        machines
            .gateway
            .sh("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
            .unwrap();
        machines.load(&table_with_filter());
        machines
    }

    /// Gives nft(8) these lines on the gateway.
    #[track_caller]
    pub fn load(&self, rules: &str) {
        feed(self.gateway.command("nft").args(["-f", "-"]), rules).unwrap();
    }

    /// Every element that is in a set or map of the table at the moment.
    #[track_caller]
    pub fn granted(&self) -> Vec<String> {
        let list = ["list", "table", "inet", "ftp_proxy"];
        let table = run(self.gateway.command("nft").args(list)).unwrap();
        let mut elements = Vec::new();
        for part in table.split("elements = {").skip(1) {
            let (inner, _) = part.split_once('}').unwrap();
            elements.extend(inner.split(',').map(|one| one.trim().to_owned()));
        }
        elements
    }
}

/// Does `act` on this machine. A socket stays on the machine on which it was made.
#[track_caller]
pub fn on<T: Send>(machine: &Namespace, act: impl FnOnce() -> T + Send) -> T {
    let there = File::open(format!("/run/netns/{}", machine.name())).unwrap();
    let done = thread::scope(|scope| {
        let thread = scope.spawn(move || {
            enter(there);
            act()
        });
        thread.join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(target_os = "linux")]
fn enter(machine: File) {
    nix::sched::setns(machine, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn enter(_: File) {
    unreachable!("every trial is ignored on a system without namespaces");
}

/// The shipped table, the chain `forward` uncommented.
pub fn table_with_filter() -> String {
    let example = fs::read_to_string(TABLE).unwrap();
    let mut table = String::new();
    let mut inside = false;
    for line in example.lines() {
        let bare = line.trim_start().trim_start_matches('#').trim_start();
        inside |= bare == "chain forward {";
        table += if inside { bare } else { line };
        table.push('\n');
        inside &= bare != "}";
    }
    assert!(table.contains("\nchain forward {\n"), "{table}");
    table
}

/// What keeps the machines from being made here, if anything does.
pub fn hindrance() -> Option<String> {
    ["ip", "nft", "nsenter", "setpriv"]
        .into_iter()
        .find(|program| Command::new(program).arg("-V").output().is_err())
        .map(|program| format!("needs {program}: run tests/setup/peers"))
}

/// Puts the proxy where everybody may run it.
pub fn install() -> std::io::Result<()> {
    fs::copy(BUILT, PROXY).map(|_| ())
}
