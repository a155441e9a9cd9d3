//! What the program does at its start where the table or the right to change it is lacking.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use crate::common::eventually;
use crate::common::fake::{Control, dial};
use crate::gateway::{FRONT_PORT, Machines, PROXY, REDIRECTION, Setting, on};
use crate::processes::log_of;
use crate::talk::{Talk, accept, as_inetd, bound};

/// EX_CONFIG of sysexits(3).
const CONFIG: Option<i32> = Some(78);

const RELAY: Setting = Setting {
    path: "relay",
    v6: false,
};

/// Another user, and no way to any right.
const NOBODY: [&str; 5] = [
    "setpriv",
    "--reuid=proxy",
    "--regid=proxy",
    "--clear-groups",
    "--bounding-set=-all",
];

pub fn a_missing_table_ends_the_program_with_the_line_to_run() {
    for path in ["redirect", "kernel"] {
        let machines = Machines::bare();
        let (status, log) = starts(&machines, &[PROXY], path);
        assert_eq!(status.code(), CONFIG, "{log}");
        assert!(log.contains("nft -f nftables.conf.example"), "{log}");

        let heard = turned_away(&machines, path);
        assert!(heard.is_empty() || heard.starts_with("421 "), "{heard:?}");
    }
}

pub fn a_table_that_lacks_a_set_ends_the_program() {
    let machines = Machines::bare();
    machines.load("table inet ftp_proxy {\nset once4 { type ipv4_addr; }\n}\n");
    let (status, log) = starts(&machines, &[PROXY], "kernel");
    assert_eq!(status.code(), CONFIG, "{log}");
    assert!(log.contains("nft -f nftables.conf.example"), "{log}");
}

pub fn auto_relays_without_a_table_and_says_why() {
    let machines = Machines::bare();
    machines.load(REDIRECTION);
    let mut talk = Talk::over(Arc::new(machines), RELAY, &[PROXY], &[]);
    is_relayed(&mut talk, "nft -f nftables.conf.example");
    talk.quits();
}

pub fn without_the_right_to_it_the_program_ends() {
    let machines = Machines::with_table();
    let program = [&NOBODY[..], &[PROXY]].concat();
    let root = ["setpriv", "--bounding-set=-net_admin", PROXY];
    for program in [&program[..], &root] {
        let (status, log) = starts(&machines, program, "kernel");
        assert_eq!(status.code(), CONFIG, "{log}");
        assert!(log.contains("CAP_NET_ADMIN"), "{log}");
    }
}

pub fn auto_relays_without_the_right_to_more_and_says_why() {
    let machines = Arc::new(Machines::with_table());
    let program = [&NOBODY[..], &[PROXY]].concat();
    let mut talk = Talk::over(machines, RELAY, &program, &[]);
    is_relayed(&mut talk, "CAP_NET_ADMIN");
    talk.quits();
}

/// The gateway stands in by its own address, and tells the client so; 229 could not.
#[track_caller]
fn is_relayed(talk: &mut Talk, why: &str) {
    let (to, listener) = talk.passive("PASV");
    assert_eq!(to.ip(), RELAY.inside());
    let data = talk.client_dials(to, &listener);
    talk.exchange("RETR a", "150 here it comes");
    data.downloads();
    talk.reply("226 done");
    talk.client.says("EPSV");
    talk.client.hears_code("500 ");
    logs(talk.session().0, &["data path: relay", why]);
}

pub fn a_capability_is_enough_in_place_of_root() {
    let mut program = NOBODY[..4].to_vec();
    program.extend([
        "--inh-caps=-all,+net_admin",
        "--ambient-caps=-all,+net_admin",
    ]);
    program.extend(["--no-new-privs", PROXY]);
    for setting in [Setting::KERNEL_V4, Setting::REDIRECT_V6] {
        let machines = Arc::new(Machines::with_table());
        let mut talk = Talk::over(machines, setting, &program, &["--data-path", setting.path]);
        assert_ne!(talk.session().user(), 0);
        assert_eq!(talk.session().status("CapEff"), "0000000000000000");
        talk.downloads_by("EPSV");
        talk.downloads_by("EPRT");
        talk.quits();
    }
}

/// No filter turns one family into the other.
pub fn between_the_families_the_kernel_path_relays_and_says_why() {
    let (near, far) = (Setting { v6: true, ..RELAY }, RELAY);
    let machines = Machines::with_table();
    let there = on(&machines.server, || bound(far.server(), 21));
    let front = on(&machines.gateway, || bound(near.inside(), FRONT_PORT));
    let to = front.local_addr().unwrap();
    let client = on(&machines.clients, || dial(near.client(), to)).unwrap();
    let server = far.server().to_string();
    let options = ["-R", &server, "--data-path", "kernel"];
    let mut proxy = as_inetd(&machines, &front, &[PROXY], &options);
    let mut server = Control::over(accept(&there), "server");
    let mut client = Control::over(client, "client");
    server.says("220 ready");
    client.hears("220 ready");
    client.says("EPSV");
    server.hears("EPSV");
    server.says("229 Entering Extended Passive Mode (|||40000|)");
    client.hears_code("229 ");
    assert_eq!(machines.granted(), Vec::<String>::new());
    logs(proxy.id(), &["data path: relay (", "between IPv4 and IPv6"]);
    server.shuts_down();
    client.hears_code("421 ");
    assert!(proxy.wait().unwrap().success());
}

pub fn no_broker_is_started_where_nothing_needs_one() {
    let machines = Arc::new(Machines::with_table());
    let mut talk = Talk::over(machines, RELAY, &[PROXY], &["--data-path", "relay"]);
    assert_eq!(talk.session().children(), []);
    talk.quits();
}

pub fn relayed_active_data_comes_from_port_20_without_root() {
    for v6 in [false, true] {
        let setting = Setting { v6, ..RELAY };
        let machines = Arc::new(Machines::with_table());
        let options = ["--data-path", "relay", "--rewrite-source-port"];
        let mut talk = Talk::over(machines, setting, &[PROXY], &options);
        assert_ne!(talk.session().user(), 0);
        for _ in 0..2 {
            let (listener, to) = talk.active("EPRT");
            talk.client.says("RETR a");
            talk.server.hears("RETR a");
            let data = talk.server_dials(&listener, to);
            let from = data.client.peer_addr().unwrap();
            assert_eq!(from, SocketAddr::new(setting.inside(), 20));
            talk.reply("150 here it comes");
            data.downloads();
            talk.reply("226 done");
        }
        assert_eq!(talk.machines.granted(), Vec::<String>::new());
        talk.quits();
    }
}

/// The program told to listen on the gateway: how it ended, and what it said.
#[track_caller]
fn starts(machines: &Machines, program: &[&str], path: &str) -> (ExitStatus, String) {
    let mut child = machines
        .gateway
        .command(program[0])
        .args(&program[1..])
        .args(["--netfilter", "--data-path", path, "--listen", "[::]:8021"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let status = eventually("the program ends", || child.try_wait().unwrap());
    let log = logs(child.id(), &["--data-path: "]);
    (status, log)
}

/// What a client hears whom inetd hands to a program that cannot begin.
#[track_caller]
fn turned_away(machines: &Machines, path: &str) -> String {
    let at = RELAY.inside();
    let front = on(&machines.gateway, || bound(at, FRONT_PORT));
    let to = SocketAddr::new(at, FRONT_PORT);
    let mut client = on(&machines.clients, || dial(RELAY.client(), to)).unwrap();
    let options = ["--netfilter", "--data-path", path];
    let mut child = as_inetd(machines, &front, &[PROXY], &options);
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    let status = eventually("the program ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), CONFIG);
    heard
}

/// Waits for a line of this process that has all of these words in it.
#[track_caller]
fn logs(pid: u32, words: &[&str]) -> String {
    eventually("the program says so", || {
        let has_all = |line: &String| words.iter().all(|word| line.contains(word));
        log_of(pid).into_iter().find(has_all)
    })
}
