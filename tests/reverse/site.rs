//! A site: a translator, the proxy in the place of the server behind it, a client inside and one outside.
//!
//! ```text
//! outside 203.0.113.7 ──────── translator ── lan ── proxy ── 10.77.2.0/24 (the wire) ── vsftpd, proftpd, pure-ftpd
//!                     its public          │
//!                     address             └── inside
//! ```

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::gateway::table_with_filter;
use crate::net::{self, Family, Namespace, Result};
use crate::servers::Server;
use crate::world::ROOM;

const PROXY: &str = "/usr/local/sbin/ftp-proxy";
const BUILT: &str = env!("CARGO_BIN_EXE_ftp-proxy");
/// The client out there.
pub const OUTSIDE: &str = "203.0.113.7";

/// Addresses of a site, and which ports its translator brings to which.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Of its machines' names, which are short.
    pub tag: &'static str,
    /// The translator's own, out there.
    pub public: &'static str,
    /// The translator's, the proxy's and the inside client's, in the local net.
    pub lan: [&'static str; 3],
    pub prefix: u8,
    /// The data ports outside, and how far those inside lie above.
    pub ports: (u16, u16),
    pub shift: u16,
}

/// The machines of one site.
pub struct Site {
    pub plan: Plan,
    pub inside: Namespace,
    pub outside: Namespace,
    pub proxy: Namespace,
    name: String,
}

impl Site {
    /// Wires it; host `number` of the wire is the proxy's address toward the servers.
    pub fn build(plan: Plan, number: u8) -> Result<Site> {
        let name = format!("{}{number}", plan.tag);
        let machine = |what: &str| Namespace::new(&format!("{what}{name}"));
        let translator = machine("nat")?;
        let site = Site {
            plan,
            inside: machine("in")?,
            outside: machine("out")?,
            proxy: machine("px")?,
            name: name.clone(),
        };
        let (nat, proxy) = (translator.name(), site.proxy.name());
        let (inside, outside) = (site.inside.name(), site.outside.name());
        net::feed(
            Command::new("ip").args(["-batch", "-"]),
            &format!(
                "link add wire{name} master wire up type veth peer name servers netns {proxy}\n\
                 link add public netns {nat} type veth peer name eth0 netns {outside}\n\
                 link add toproxy netns {nat} type veth peer name eth0 netns {proxy}\n\
                 link add toinside netns {nat} type veth peer name eth0 netns {inside}\n"
            ),
        )?;
        let Plan {
            public,
            prefix,
            lan: [router, served, local],
            ..
        } = plan;
        translator.ip(&format!(
            "link add lan type bridge\nlink set toproxy master lan up\nlink set toinside master lan up\n\
             link set lan up\naddress add {router}/{prefix} dev lan\nlink set public up\n\
             address add {public}/32 dev public\nroute add {OUTSIDE}/32 dev public\n"
        ))?;
        let wire = net::with_prefix(net::outside(Family::V4, number));
        site.proxy.ip(&format!(
            "link set eth0 up\naddress add {served}/{prefix} dev eth0\nroute add default via {router}\n\
             link set servers up\naddress add {wire} dev servers\n"
        ))?;
        site.inside.ip(&format!(
            "link set eth0 up\naddress add {local}/{prefix} dev eth0\nroute add default via {router}\n"
        ))?;
        site.outside.ip(&format!(
            "link set eth0 up\naddress add {OUTSIDE}/32 dev eth0\nroute add {public}/32 dev eth0\n"
        ))?;
        translator.sh("echo 1 >/proc/sys/net/ipv4/ip_forward")?;
        translate(&translator, plan)?;
        Ok(site)
    }

    /// Starts the proxy on port 21 of its machine for `server`, an address or a name.
    pub fn publish(&self, server: &str, options: &[&str]) -> Result<()> {
        let path = format!("{ROOM}/log/{}.output", self.name);
        let output = fs::File::create(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut command = self.proxy.command(PROXY);
        command
            .args(["-V", "-D", "1", "-R", server, "--listen", "0.0.0.0:21"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(|error| error.to_string())?)
            .stderr(output);
        // Nobody ends it: it ends with the namespaces.
        let mut child = command
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        net::wait_for_listeners(&mut child, 21, 1)
            .map_err(|why| format!("{why}\n{}", fs::read_to_string(&path).unwrap_or_default()))
    }

    /// The same for a server of Debian's, which is started if it does not run.
    pub fn publish_server(&self, server: Server, options: &[&str]) -> Result<()> {
        server.start()?;
        self.publish(&server.address(Family::V4).to_string(), options)
    }

    /// Has the proxy's machine forward what the broker has granted, and nothing else: the shipped table with its filter.
    pub fn forwards_what_is_granted(&self) -> Result<()> {
        let table = table_with_filter();
        net::feed(self.proxy.command("nft").args(["-f", "-"]), &table)?;
        self.proxy.sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
    }
}

/// Port 21 and the data ports come to the proxy, and who goes out has the public address.
fn translate(translator: &Namespace, plan: Plan) -> Result<()> {
    let (public, served) = (plan.public, plan.lan[1]);
    let (low, high) = plan.ports;
    // nftables does not shift a range as a whole.
    let pair = |port: u16| format!("{port} : {}", port + plan.shift);
    let inside_ports = match plan.shift {
        0 => served.to_owned(),
        _ => {
            let pairs: Vec<String> = (low..=high).map(pair).collect();
            format!("{served} : tcp dport map {{ {} }}", pairs.join(", "))
        }
    };
    let rules = format!(
        "table ip nat {{\nchain prerouting {{\ntype nat hook prerouting priority dstnat\n\
         iifname public ip daddr {public} tcp dport 21 dnat to {served}\n\
         iifname public ip daddr {public} tcp dport {low}-{high} dnat to {inside_ports}\n}}\n\
         chain postrouting {{\ntype nat hook postrouting priority srcnat\noifname public masquerade\n}}\n}}\n"
    );
    net::feed(translator.command("nft").args(["-f", "-"]), &rules).map(drop)
}

/// The names of the sites, and what they have for an address at first.
const NAMES: [(&str, &str); 5] = [
    ("my.domain.com", "123.45.67.89"),
    ("dynamic.example", "192.0.2.77"),
    // A server that answers, a machine where nobody listens, and the proxy's own.
    ("backend.example", "10.77.2.11"),
    ("backend.example", "192.168.0.20"),
    ("backend.example", "192.168.0.10"),
];

/// Puts the proxy where everybody may run it, and gives the world a hosts(5) of its own.
pub fn furnish() -> std::io::Result<()> {
    fs::copy(BUILT, PROXY)?;
    let lines = NAMES.map(|(name, address)| line(name, address));
    fs::write(hosts(), format!("127.0.0.1 localhost\n{}", lines.concat()))?;
    let bound = Command::new("mount")
        .args(["--bind", &hosts(), "/etc/hosts"])
        .status()?;
    if bound.success() {
        return Ok(());
    }
    Err(std::io::Error::other("cannot mount a hosts file"))
}

fn hosts() -> String {
    format!("{ROOM}/hosts")
}

/// All of one length, so that one can take another's place while others are read.
fn line(name: &str, address: &str) -> String {
    format!("{address:<15} {name}\n")
}

/// Says in hosts(5) that `name` has another address from now on.
pub fn moves(name: &str, from: &str, to: &str) -> Result<()> {
    let rewrite = || {
        let before = fs::read_to_string(hosts())?;
        let after = before.replace(&line(name, from), &line(name, to));
        // In place: another file there would not be the one that is mounted.
        let mut file = fs::File::options().write(true).open(hosts())?;
        file.write_all(after.as_bytes())
    };
    rewrite().map_err(|error: std::io::Error| error.to_string())
}
