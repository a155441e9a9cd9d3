//! What a session does while data moves elsewhere, and what it leaves behind, however it ends.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::fake::{Control, dial};
use crate::common::{eventually, now};
use crate::gateway::{FRONT_PORT, Machines, PROXY, Setting, on};
use crate::processes::{Process, all, tcp_of};
use crate::talk::{MUCH, Talk, accept, bound};

pub fn a_session_leaves_nothing_behind(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let broker = talk.broker();
    for verb in ["EPSV", "EPRT"] {
        talk.downloads_by(verb);
        talk.grants_nothing();
    }
    // One grant is never used.
    let _unused = talk.passive("EPSV");
    assert!(!talk.machines.granted().is_empty());
    talk.quits();
    talk.grants_nothing();
    eventually("the broker ends", || (!broker.lives()).then_some(()));
    let log = eventually("the session's totals", || {
        let log = talk.log().join("\n");
        log.contains("session ended: ").then_some(log)
    });
    let totals = if setting.kernel() {
        "session ended: 3 data connections left to the packet filter, 0 transfers, "
    } else {
        "session ended: 2 transfers, "
    };
    assert!(log.contains(totals), "{log}");
}

pub fn a_listening_proxy_has_no_child_left(setting: Setting) {
    let machines = Machines::with_table();
    let server = on(&machines.server, || bound(setting.server(), 21));
    let at = SocketAddr::new(setting.inside(), FRONT_PORT);
    let mut listening = machines
        .gateway
        .command(PROXY)
        .args(["--netfilter", "--data-path", setting.path])
        .args(["--listen", &at.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let proxy = Process(listening.id());
    for _ in 0..3 {
        // The proxy may not listen yet.
        let client = eventually("a session", || {
            let to = SocketAddr::new(setting.server(), 21);
            on(&machines.clients, || dial(setting.client(), to)).ok()
        });
        let mut client = Control::over(client, "client");
        let mut server = Control::over(accept(&server), "server");
        server.says("220 ready");
        client.hears("220 ready");
        client.says("EPSV");
        server.hears("EPSV");
        server.says("229 Entering Extended Passive Mode (|||40000|)");
        client.hears_code("229 ");
        assert!(!machines.granted().is_empty());
        server.shuts_down();
        client.rest().unwrap();
    }
    eventually("nobody but who listens and who waits is left", || {
        let left = all().into_iter().filter(|one| one.is_on(&machines.gateway));
        let alone = left.count() == 2 && proxy.children().len() == 1 && proxy.sessions().is_empty();
        (alone && machines.granted().is_empty()).then_some(())
    });
    listening.kill().unwrap();
    listening.wait().unwrap();
}

pub fn a_killed_session_leaves_no_grant(setting: Setting) {
    for under_way in [false, true] {
        let mut talk = Talk::begin(setting, &[]);
        let broker = talk.broker();
        let (to, listener) = talk.passive("EPSV");
        assert!(!talk.machines.granted().is_empty());
        let data = under_way.then(|| talk.client_dials(to, &listener));
        talk.kills();
        talk.grants_nothing();
        eventually("the broker ends", || (!broker.lives()).then_some(()));
        drop(data);
    }
}

pub fn a_grant_goes_with_its_session_however_that_ends(setting: Setting) {
    let endings: [fn(&mut Talk); 3] = [
        |talk| talk.session().gets(Signal::SIGTERM),
        |talk| talk.server.shuts_down(),
        |talk| talk.client.shuts_down(),
    ];
    for end in endings {
        let mut talk = Talk::begin(setting, &[]);
        let broker = talk.broker();
        let _unused = talk.passive("EPSV");
        assert!(!talk.machines.granted().is_empty());
        end(&mut talk);
        talk.grants_nothing();
        eventually("the broker ends", || (!broker.lives()).then_some(()));
    }
}

pub fn what_a_killed_session_and_a_killed_broker_leave_expires(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let (to, _listener) = talk.passive("EPSV");
    talk.broker().gets(Signal::SIGKILL);
    talk.kills();
    let begun = now();
    assert!(!talk.machines.granted().is_empty(), "{to} is not granted");
    while !talk.machines.granted().is_empty() {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(35), "still there: {waited:?}");
        thread::sleep(Duration::from_millis(500));
    }
    let left = all().into_iter();
    assert_eq!(
        left.filter(|one| one.is_on(&talk.machines.gateway)).count(),
        0
    );
}

/// The same look tells that in the redirect path it does end there.
pub fn data_ends_at_the_gateway_in_redirect_only(setting: Setting) {
    let mut talk = Talk::begin(setting, &[]);
    let session = talk.session();
    let (control, data_too) = (2, 4);
    assert_eq!(tcp_of(session).0, control);
    for verb in ["EPSV", "EPRT"] {
        let mut data = if verb == "EPSV" {
            let (to, listener) = talk.passive(verb);
            talk.client_dials(to, &listener)
        } else {
            let (listener, to) = talk.active(verb);
            talk.server_dials(&listener, to)
        };
        talk.exchange("RETR a", "150 here it comes");
        data.server.write_all(b"some").unwrap();
        data.client.read_exact(&mut [0; 4]).unwrap();
        let expected = if setting.kernel() { control } else { data_too };
        assert_eq!(tcp_of(session).0, expected, "{verb}");
        data.downloads();
        talk.reply("226 done");
    }
    if setting.kernel() {
        let copied = session.copied();
        assert!(
            copied < (MUCH / 10) as u64,
            "{copied} bytes went through it"
        );
    }
    talk.quits();
}

/// Nobody here sees whether anything moves, so a transfer has all the time it wants; then time counts again.
pub fn a_transfer_that_rests_is_not_idle(setting: Setting) {
    let mut talk = Talk::begin(setting, &["-t", "4"]);
    let (to, listener) = talk.passive("EPSV");
    let mut data = talk.client_dials(to, &listener);
    talk.exchange("RETR a", "150 here it comes");
    data.server.write_all(b"some").unwrap();
    data.client.read_exact(&mut [0; 4]).unwrap();
    thread::sleep(Duration::from_secs(7));
    data.downloads();
    talk.reply("226 done");
    talk.client.hears_code("421 ");
    talk.client.hears_end();
}
