//! The process that stays privileged: what it has, and what it is to its session.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::common::eventually;
use crate::gateway::Setting;
use crate::processes::{Process, tcp_of};
use crate::talk::Talk;

/// linux/capability.h: CAP_NET_ADMIN.
const NET_ADMIN: u64 = 1 << 12;
/// linux/capability.h: CAP_NET_BIND_SERVICE.
const NET_BIND_SERVICE: u64 = 1 << 10;

pub fn the_broker_holds_nothing_but_its_own(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let _grant = talk.passive("EPSV");
    let (session, broker) = (talk.session(), talk.broker());
    assert_ne!(broker.user(), 0);
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(capabilities(broker, set), NET_ADMIN, "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(capabilities(broker, set), 0, "{set}");
    }
    assert_eq!(broker.status("NoNewPrivs"), "1");
    assert_eq!(broker.status("Seccomp"), "2", "a filter of system calls");

    assert_ne!(session.user(), 0);
    assert_eq!(capabilities(session, "CapEff"), 0);
    assert_eq!(capabilities(session, "CapPrm"), 0);

    let (_, tcp) = tcp_of(session);
    let (its, ours) = (sockets(broker), sockets(session));
    assert!(!its.is_empty(), "it hears its session");
    assert!(
        ours.iter().any(|one| tcp.contains(one)),
        "the session has them"
    );
    for socket in &its {
        assert!(!tcp.contains(socket), "a connection of the session's");
        assert!(!ours.contains(socket), "a socket of the session's");
    }
    talk.quits();
}

pub fn the_broker_may_bind_port_20_only_on_request(setting: Setting) {
    let mut talk = Talk::begin(setting, &["--rewrite-source-port"]);
    let _grant = talk.passive("EPSV"); // so that the broker is what it wants to be
    let more = capabilities(talk.broker(), "CapEff") & !NET_ADMIN;
    assert_eq!(more & !NET_BIND_SERVICE, 0);
    talk.quits();
}

/// The kernel takes up again what it was waiting for by a call of its own (restart_syscall(2)).
pub fn a_broker_that_was_stopped_for_a_while_serves_on(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let _grant = talk.passive("EPSV"); // while there is one, it waits with a time-out
    let broker = talk.broker();
    let is = |state: &str| {
        eventually("the broker is there", || {
            broker.status("State").starts_with(state).then_some(())
        });
    };
    is("S");
    broker.gets(Signal::SIGSTOP);
    is("T");
    broker.gets(Signal::SIGCONT);
    is("S");
    talk.downloads_by("EPSV");
    talk.quits();
}

/// Without grants there is no data, but the session can say so.
pub fn a_session_without_its_broker_goes_on(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    talk.downloads_by("EPSV");
    talk.broker().gets(Signal::SIGKILL);
    let real = "229 Entering Extended Passive Mode (|||40000|)";
    talk.client.says("EPSV");
    talk.server.hears("EPSV");
    talk.server.says(real);
    talk.client.hears_code("500 ");
    talk.exchange("NOOP", "200 yes");
    talk.quits();
}

#[track_caller]
fn capabilities(process: Process, set: &str) -> u64 {
    u64::from_str_radix(&process.status(set), 16).unwrap()
}

fn sockets(process: Process) -> Vec<String> {
    let names = process.descriptors().into_iter();
    names
        .filter_map(|name: PathBuf| name.to_str().map(str::to_owned))
        .filter(|name| name.starts_with("socket:"))
        .collect()
}
