//! The recipe of `docs/scale-out.md` for a container on a bridge, with the rules that podman and docker load for it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command};

use crate::gateway::{Machines, PROXY, Setting};
use crate::machines::daemons;
use crate::net::{Namespace, feed};
use crate::visit::{Server, Visit, Ways};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale-out.md");
const IMAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/contrib/container/Containerfile"
);

/// The words of the document's command: the ports that it publishes, and what the image's program is given.
fn recipe() -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let line = text.lines().find(|l| l.starts_with("    podman run "));
    let (engine, program) = line.unwrap().split_once(" ftp-proxy ").unwrap();
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let engine = words(engine);
    let ports = engine.windows(2).filter(|pair| pair[0] == "-p");
    let ports = ports.map(|pair| pair[1].clone()).collect();
    (ports, words(program))
}

/// What the image starts, without the program.
fn entrypoint() -> Vec<String> {
    let text = fs::read_to_string(IMAGE).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("ENTRYPOINT ["));
    let words = line.unwrap().trim_end_matches(']').split(", ").skip(1);
    words
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

/// A container on the gateway, which publishes the recipe's ports.
#[track_caller]
fn container(machines: &Machines, options: &[String]) -> (Namespace, Child) {
    let gateway = machines.gateway.name();
    let container = Namespace::new(&format!("container-{gateway}")).unwrap();
    let name = container.name();
    let link = format!("link add podman0 netns {gateway} type veth peer name eth0 netns {name}\n");
    feed(Command::new("ip").args(["-batch", "-"]), &link).unwrap();
    machines
        .gateway
        .ip("link set podman0 up\naddress add 10.88.0.1/16 dev podman0\n")
        .unwrap();
    container
        .ip("link set eth0 up\naddress add 10.88.0.2/16 dev eth0\nroute add default via 10.88.0.1\n")
        .unwrap();
    let mut rules = String::from("chain prerouting { type nat hook prerouting priority dstnat;\n");
    for published in recipe().0 {
        let (outside, inside) = published.split_once(':').unwrap();
        let to = if inside == outside {
            "10.88.0.2".to_owned()
        } else {
            format!("10.88.0.2:{inside}")
        };
        rules += &format!("fib daddr type local tcp dport {outside} dnat ip to {to}\n");
    }
    rules += "}\nchain postrouting { type nat hook postrouting priority srcnat;\n\
              ip saddr 10.88.0.0/16 ip daddr != 10.88.0.0/16 masquerade\n}\n";
    machines.load(&format!("table ip netavark {{\n{rules}}}\n"));
    machines
        .gateway
        .sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
        .unwrap();
    let mut command = container.command("setpriv");
    command
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--bounding-set=-all",
        ])
        .args(["--no-new-privs", PROXY])
        .args(entrypoint())
        .args(options);
    let proxy = daemons::start(&mut command, 2121, 1);
    (container, proxy)
}

fn ways() -> Ways {
    let ends = Setting::REDIRECT_V4;
    Ways {
        ends,
        door: SocketAddr::new(ends.inside(), 21),
        data: ends.inside(),
    }
}

pub fn the_recipe_for_a_container_carries_passive_data() {
    let machines = Machines::bare();
    let server = Server::of(&machines, ways().ends);
    let _container = container(&machines, &recipe().1);
    let mut visit = Visit::begins(&machines, ways(), &server);
    assert!(visit.transfers_passively());
    visit.is_told_where_it_is();
    visit.is_refused("EPRT |1|10.0.1.2|50000|", "500 ");
    visit.is_refused("PORT 10,0,1,2,195,80", "500 ");
    visit.quits();
}

/// Why the recipe denies active mode.
pub fn a_server_is_told_the_address_of_a_container() {
    let machines = Machines::bare();
    let server = Server::of(&machines, ways().ends);
    let mut options = recipe().1;
    options.truncate(
        options
            .iter()
            .position(|word| word == "--deny-command")
            .unwrap(),
    );
    let _container = container(&machines, &options);
    let mut visit = Visit::begins(&machines, ways(), &server);
    assert_eq!(visit.server_sees(), ways().ends.outside());
    assert!(
        visit
            .server_is_told("EPRT |1|10.0.1.2|50000|")
            .contains("|10.88.0.2|")
    );
}
