//! The machines of `docs/scale-out.md`, with its addresses and its command lines:
//!
//! ```text
//! client ── balancer ──┬── gateway 1 ──┬── server
//!                      └── gateway 2 ──┘
//! ```

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::eventually;
use crate::daemons::start;
use crate::document::{self, file};
use crate::gateway::{PROXY, on};
use crate::net::{Family, Namespace, feed};
use crate::processes::{self, Process};
use crate::servers;

/// How long to wait for the answer of one try.
const A_TRY: Duration = Duration::from_secs(1);

/// The document's block for HAProxy.
const HAPROXY: &str = "/etc/haproxy/haproxy.cfg";

/// One balancer, two gateways, and who is on both sides of them.
pub struct Scene {
    number: usize,
    pub family: Family,
    /// How clients ask for passive data.
    pub verb: &'static str,
    pub clients: Namespace,
    pub balancer: Namespace,
    pub gateways: [Gateway; 2],
    daemons: Vec<Child>,
}

/// How the proxy of gateway 1 or 2 is started on its machine.
type Start = dyn Fn(&Namespace, usize) -> Proxy + Send + Sync;

/// A gateway and its listening proxy.
pub struct Gateway {
    pub machine: Namespace,
    number: usize,
    proxy: Mutex<Proxy>,
    start: Arc<Start>,
}

/// A proxy that listens.
pub struct Proxy {
    /// The proxy, or what runs it.
    pub child: Child,
    /// The proxy itself.
    pub process: Process,
}

impl Scene {
    /// Everything but the balancer's work. The gateways are started by the document's lines that hold `words`.
    #[track_caller]
    pub fn new(family: Family, words: &[&str]) -> Scene {
        let lines = [1, 2].map(|number| {
            let door = format!("10.0.1.2{number}:2121");
            document::proxy_line(&[words, &[door.as_str()]].concat())
        });
        Scene::of(family, move |machine, number| {
            let mut proxy = machine.command(PROXY);
            proxy.args(&lines[number - 1]).args(["-V", "-D", "1"]);
            let child = start(&mut proxy, 2121, 2);
            let process = Process(child.id());
            Proxy { child, process }
        })
    }

    /// The same, the gateways started like this.
    #[track_caller]
    pub fn of(
        family: Family,
        start_gateway: impl Fn(&Namespace, usize) -> Proxy + Send + Sync + 'static,
    ) -> Scene {
        let start_gateway: Arc<Start> = Arc::new(start_gateway);
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let machine = |name| Namespace::new(&format!("{name}-{number}")).unwrap();
        let (clients, balancer, server) =
            (machine("clients"), machine("balancer"), machine("server"));
        let machines = [machine("gateway1"), machine("gateway2")];
        wire(&clients, &balancer, &machines, &server);
        reach_one_another(&clients, &balancer, &machines);
        let conf = file(&format!("scale-{number}.vsftpd"), &servers::vsftpd_conf());
        let mut daemons = Vec::new();
        let mut vsftpd = server.command("vsftpd");
        daemons.push(start(vsftpd.arg(conf), 21, 1));
        let mut last = 0;
        let gateways = machines.map(|machine| {
            last += 1;
            let proxy = Mutex::new(start_gateway(&machine, last));
            Gateway {
                machine,
                number: last,
                proxy,
                start: Arc::clone(&start_gateway),
            }
        });
        Scene {
            number,
            family,
            verb: "EPSV",
            clients,
            balancer,
            gateways,
            daemons,
        }
    }

    /// With the document's HAProxy in front, which says whom it brings.
    #[track_caller]
    pub fn behind_haproxy(family: Family) -> Scene {
        let scene = Scene::new(family, &["--data-proxy-protocol"]);
        scene.load("/etc/nftables-ftp-active.conf");
        scene.with_haproxy(&document::block("haproxy", HAPROXY))
    }

    /// The same in its plain form, as the document tells: no header, and nobody who expects one.
    #[track_caller]
    pub fn behind_plain_haproxy(family: Family) -> Scene {
        let block = document::block("haproxy", HAPROXY);
        assert_eq!(block.matches(" send-proxy-v2").count(), 3);
        Scene::new(family, &[]).with_haproxy(&block.replace(" send-proxy-v2", ""))
    }

    #[track_caller]
    fn with_haproxy(self, configuration: &str) -> Scene {
        let mut scene = self;
        let path = scene.file("haproxy", configuration);
        let mut haproxy = scene.balancer.command("haproxy");
        scene
            .daemons
            .push(start(haproxy.args(["-db", "-f", &path]), 21, 2));
        scene
    }

    /// With the document's nftables in front.
    #[track_caller]
    pub fn behind_nftables(self) -> Scene {
        self.load("/etc/nftables-ftp-balance.conf");
        self
    }

    /// With the document's nftables in front, and a public address for the data of each gateway.
    #[track_caller]
    pub fn with_an_address_for_each() -> Scene {
        let mut scene = Scene::new(Family::V4, &["--no-epsv"]).behind_nftables();
        scene.verb = "PASV";
        scene.load("a public address for each gateway");
        scene
            .balancer
            .ip("address add 192.0.2.21/24 dev eth0\naddress add 192.0.2.22/24 dev eth0\n")
            .unwrap();
        scene
    }

    /// Which gateway's data is dialled there: 0 or 1.
    #[track_caller]
    pub fn gateway_at(&self, data: SocketAddr) -> usize {
        let published = data.ip() == self.public();
        let host = data.ip().to_string();
        match (host.as_str(), data.port()) {
            ("192.0.2.21", 50000..=50999) => 0,
            ("192.0.2.22", 50000..=50999) => 1,
            (_, 50000..=50099) if published => 0,
            (_, 50100..=50199) if published => 1,
            _ => panic!("{data} is no gateway's"),
        }
    }

    /// Gives nft(8) the document's block of this name on the balancer.
    #[track_caller]
    pub fn load(&self, name: &str) {
        self.rules(&document::block("nft", name));
    }

    /// Gives nft(8) these lines on the balancer.
    #[track_caller]
    pub fn rules(&self, rules: &str) {
        feed(self.balancer.command("nft").args(["-f", "-"]), rules).unwrap();
    }

    fn file(&self, name: &str, content: &str) -> String {
        file(&format!("scale-{}.{name}", self.number), content)
    }

    /// The client's own address.
    pub fn client(&self) -> IpAddr {
        self.either("198.51.100.2", "2001:db8:2::2")
    }

    /// The address that is published.
    pub fn public(&self) -> IpAddr {
        self.either("192.0.2.10", "2001:db8::10")
    }

    /// Where clients go.
    pub fn door(&self) -> SocketAddr {
        SocketAddr::new(self.public(), 21)
    }

    fn either(&self, v4: &str, v6: &str) -> IpAddr {
        let text = match self.family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        text.parse().unwrap()
    }
}

impl Gateway {
    /// Every process of the proxy: the one that listens, and its sessions.
    pub fn processes(&self) -> Vec<Process> {
        let all = processes::all().into_iter();
        all.filter(|one| one.lives() && one.is_on(&self.machine))
            .collect()
    }

    /// The proxy that listens.
    pub fn proxy(&self) -> Process {
        self.proxy.lock().unwrap().process
    }

    /// Every process is gone from one moment to the next.
    #[track_caller]
    pub fn is_killed(&self) {
        for process in self.processes() {
            process.gets(Signal::SIGKILL);
        }
        eventually("the gateway's processes are gone", || {
            self.processes().is_empty().then_some(())
        });
    }

    /// The machine is heard of no more.
    #[track_caller]
    pub fn vanishes(&self) {
        self.machine
            .ip("link set eth0 down\nlink set eth1 down\n")
            .unwrap();
    }

    /// Takes no more clients, and keeps those that it has.
    #[track_caller]
    pub fn is_drained(&self) {
        let proxy = self.proxy();
        proxy.gets(Signal::SIGHUP);
        eventually("the gateway listens no more", || {
            let table = fs::read_to_string(format!("/proc/{}/net/tcp", proxy.0)).unwrap();
            let door = format!(":{:04X}", 2121);
            let listens = table.lines().any(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                fields[1].ends_with(&door) && fields[3] == "0A"
            });
            (!listens).then_some(())
        });
    }

    /// How it ended, which must be soon.
    #[track_caller]
    pub fn ends(&self) -> ExitStatus {
        let mut proxy = self.proxy.lock().unwrap();
        eventually("the proxy ends", || proxy.child.try_wait().unwrap())
    }

    /// The next proxy beside one that still has sessions.
    #[track_caller]
    pub fn is_started_anew(&self) -> Proxy {
        let next = (self.start)(&self.machine, self.number);
        std::mem::replace(&mut self.proxy.lock().unwrap(), next)
    }
}

/// Waits until every wire carries: the kernel sets links to work later than it says, on a busy machine by seconds, and a
/// balancer that finds nobody at its start waits for its next check.
#[track_caller]
fn reach_one_another(clients: &Namespace, balancer: &Namespace, gateways: &[Namespace; 2]) {
    // Nobody listens there: a refusal is an answer.
    let answers = |machine: &Namespace, address: &str| {
        let at = SocketAddr::new(address.parse().unwrap(), 9);
        eventually("an answer from the other end of a wire", || {
            let answer = on(machine, || TcpStream::connect_timeout(&at, A_TRY));
            let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
            answer.map_or_else(refused, |_| true).then_some(())
        });
    };
    for address in ["192.0.2.10", "2001:db8::10"] {
        answers(clients, address);
    }
    for address in ["10.0.1.21", "10.0.1.22", "fd00:1::21", "fd00:1::22"] {
        answers(balancer, address);
    }
    for address in ["198.51.100.2", "2001:db8:2::2"] {
        answers(balancer, address);
    }
    for gateway in gateways {
        answers(gateway, "10.0.2.80");
    }
}

fn wire(clients: &Namespace, balancer: &Namespace, gateways: &[Namespace; 2], server: &Namespace) {
    let pair = |one: &str, here: &Namespace, other: &str, there: &Namespace| {
        format!(
            "link add {one} netns {} type veth peer name {other} netns {}\n",
            here.name(),
            there.name()
        )
    };
    let [one, two] = gateways;
    let links = pair("eth0", balancer, "eth0", clients)
        + &pair("in1", balancer, "eth0", one)
        + &pair("in2", balancer, "eth0", two)
        + &pair("in1", server, "eth1", one)
        + &pair("in2", server, "eth1", two);
    feed(Command::new("ip").args(["-batch", "-"]), &links).unwrap();
    let inside = "link add eth1 type bridge\nlink set in1 master eth1 up\nlink set in2 master eth1 up\n\
                  link set eth1 up\n";
    balancer
        .ip(&(inside.to_owned()
            + "address add 10.0.1.1/24 dev eth1\naddress add fd00:1::1/64 dev eth1 nodad\n\
               link set eth0 up\naddress add 192.0.2.10/24 dev eth0\n\
               address add 2001:db8::10/64 dev eth0 nodad\n\
               route add 198.51.100.0/24 dev eth0\nroute add 2001:db8:2::/64 dev eth0\n"))
        .unwrap();
    balancer
        .sh("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        .unwrap();
    clients
        .ip("link set eth0 up\naddress add 198.51.100.2/24 dev eth0\n\
             address add 2001:db8:2::2/64 dev eth0 nodad\n\
             route add default dev eth0\nroute add ::/0 dev eth0\n")
        .unwrap();
    server
        .ip(&(inside.to_owned() + "address add 10.0.2.80/24 dev eth1\n"))
        .unwrap();
    for (number, gateway) in (1..).zip(gateways) {
        gateway
            .ip(&format!(
                "link set eth0 up\naddress add 10.0.1.2{number}/24 dev eth0\n\
                 address add fd00:1::2{number}/64 dev eth0 nodad\n\
                 link set eth1 up\naddress add 10.0.2.2{number}/24 dev eth1\n\
                 route add default via 10.0.1.1\nroute add default via fd00:1::1\n"
            ))
            .unwrap();
    }
}
