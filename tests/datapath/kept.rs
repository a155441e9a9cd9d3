//! What a silent connection meets on its way: a firewall that forgets it.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::{eventually, readable};
use crate::gateway::{Machines, PROXY, Setting};
use crate::net::{feed, run};
use crate::talk::{MOMENT, Talk};

/// The server's firewall: a connection that it does not know is begun by a SYN or not at all.
const FIREWALL: &str = "table inet firewall {\n\
    chain in {\ntype filter hook input priority filter; policy drop;\n\
    ct state established accept\ntcp flags & (fin | syn | rst | ack) == syn accept\nmeta l4proto icmpv6 accept\n}\n\
    chain out {\ntype filter hook output priority filter; policy accept;\nct state invalid drop\n}\n}\n";

/// After this time of silence it forgets a connection.
const FORGETS: &str = "4";

/// Silence of so long is forgotten, even by a clock that is late.
const SILENCE: Duration = Duration::from_secs(9);

/// A session whose server is behind the firewall.
#[track_caller]
fn behind_a_firewall(setting: Setting, options: &[&str]) -> Talk {
    let machines = Machines::with_table();
    feed(machines.server.command("nft").args(["-f", "-"]), FIREWALL).unwrap();
    for (name, value) in [("timeout_established", FORGETS), ("loose", "0")] {
        let setting = format!("net.netfilter.nf_conntrack_tcp_{name}={value}");
        machines
            .server
            .sh(&format!("sysctl -qw {setting}"))
            .unwrap();
    }
    let path = [&["--data-path", setting.path], options].concat();
    Talk::over(Arc::new(machines), setting, &[PROXY], &path)
}

/// A transfer during which nothing is said for a long time, and its last words: data as well if there is any to come.
#[track_caller]
fn after_silence(talk: &mut Talk, data: &str) {
    let verb = if talk.setting.v6 { "EPSV" } else { "PASV" };
    let (to, listener) = talk.passive(verb);
    let mut ends = talk.client_dials(to, &listener);
    talk.exchange("RETR a", "150 here it comes");
    if data.is_empty() {
        ends.server.shutdown(Shutdown::Write).unwrap();
        ends.client.read_exact(&mut [0]).unwrap_err();
    }
    thread::sleep(SILENCE);
    if !data.is_empty() {
        ends.server.write_all(data.as_bytes()).unwrap();
        ends.server.shutdown(Shutdown::Write).unwrap();
        let mut came = String::new();
        ends.client.read_to_string(&mut came).unwrap();
        assert_eq!(came, data);
    }
}

pub fn a_session_that_is_probed_is_not_forgotten(setting: Setting) {
    let mut talk = behind_a_firewall(setting, &["--keepalive", "1"]);
    // Who carries the data has to keep it.
    after_silence(&mut talk, if setting.kernel() { "" } else { "late" });
    talk.reply("226 done");
    talk.quits();
}

pub fn a_session_that_is_not_probed_is_forgotten() {
    let mut talk = behind_a_firewall(Setting::RELAY_V4, &["--keepalive", "0"]);
    after_silence(&mut talk, "");
    talk.server.says("226 done");
    assert!(!readable(talk.client.stream(), 4 * MOMENT));
}

pub fn both_control_connections_and_lasting_data_are_probed() {
    for (option, probed) in [("60", 4), ("0", 0)] {
        let mut talk = behind_a_firewall(Setting::RELAY_V4, &["--keepalive", option]);
        let (to, listener) = talk.passive("PASV");
        let _data = talk.client_dials(to, &listener);
        talk.exchange("RETR a", "150 here it comes");
        let timers = || {
            let shown = run(talk.machines.gateway.command("ss").args(["-tnoH"])).unwrap();
            (shown.matches("timer:(keepalive").count(), shown)
        };
        if probed == 0 {
            thread::sleep(Duration::from_secs(2));
            assert_eq!(timers().0, 0, "{}", timers().1);
        } else {
            eventually("probes", || (timers().0 == probed).then_some(()));
        }
    }
}
