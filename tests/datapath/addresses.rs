//! Whom the two ends of a data connection see. The client knows nothing of a gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::common::fake::dial;
use crate::gateway::{Machines, PROXY, Setting, on};
use crate::talk::{Data, Talk};

pub fn passive_data_is_with_the_address_that_was_dialled(setting: Setting) {
    let mut talk = Talk::begin(setting, &["-m", "50000", "-M", "50999"]);
    let verbs: &[&str] = if setting.v6 {
        &["EPSV"]
    } else {
        &["PASV", "EPSV"]
    };
    for verb in verbs {
        let (to, listener) = talk.passive(verb);
        assert_eq!(to.ip(), setting.server(), "what a 227 names");
        assert!((50000..=50999).contains(&to.port()), "{to}");
        let client = on(&talk.machines.clients, || dial(setting.client(), to)).unwrap();
        let (server, seen) = listener.accepts_from();
        assert_eq!(client.peer_addr().unwrap(), to, "whom the client sees");
        assert_eq!(seen.ip(), setting.outside(), "whom the server sees");
        let control = talk.server.stream().peer_addr().unwrap();
        assert_eq!(control.ip(), seen.ip(), "as at the control connection");
        talk.exchange("RETR a", "150 here it comes");
        Data { client, server }.downloads();
        talk.reply("226 done");
    }
    talk.uploads();
    talk.quits();
}

pub fn active_data_comes_from_the_address_that_was_dialled(setting: Setting) {
    let mut talk = Talk::begin(setting, &["-m", "50000", "-M", "50999"]);
    let verbs: &[&str] = if setting.v6 {
        &["EPRT"]
    } else {
        &["PORT", "EPRT"]
    };
    for verb in verbs {
        let seen = active(&mut talk, verb);
        assert_eq!(seen.ip(), setting.server(), "whom the client sees");
    }
    talk.quits();
}

pub fn active_data_comes_from_port_20_on_request(setting: Setting) {
    let mut talk = Talk::begin(
        setting,
        &["-m", "50000", "-M", "50999", "--rewrite-source-port"],
    );
    for _ in 0..2 {
        let seen = active(&mut talk, "EPRT");
        assert_eq!(seen, SocketAddr::new(setting.server(), 20));
    }
    talk.quits();
}

pub fn the_server_sees_the_address_that_was_given_for_it(setting: Setting) {
    let machines = Machines::with_table();
    let given = setting.second_outside();
    let nodad = if setting.v6 { "nodad" } else { "" };
    let add = format!("address add {given} dev wan0 {nodad}");
    machines.gateway.ip(&add).unwrap();
    let given = given.to_string();
    let options = ["--data-path", setting.path, "-a", &given];
    let mut talk = Talk::over(Arc::new(machines), setting, &[PROXY], &options);
    let seen = talk.server.stream().peer_addr().unwrap();
    assert_eq!(seen.ip().to_string(), given);
    let (to, listener) = talk.passive("EPSV");
    let data = talk.client_dials(to, &listener);
    let seen = data.server.peer_addr().unwrap();
    assert_eq!(seen.ip().to_string(), given);
    talk.exchange("RETR a", "150 here it comes");
    data.downloads();
    talk.reply("226 done");
    let (listener, to) = talk.active("EPRT");
    assert_eq!(to.ip().to_string(), given);
    talk.client.says("RETR a");
    talk.server.hears("RETR a");
    let data = talk.server_dials(&listener, to);
    assert_eq!(data.client.peer_addr().unwrap().ip(), setting.server());
    talk.reply("150 here it comes");
    data.downloads();
    talk.reply("226 done");
    talk.quits();
}

/// A whole upload by PORT or EPRT: whom the client sees.
#[track_caller]
fn active(talk: &mut Talk, verb: &str) -> SocketAddr {
    let setting = talk.setting;
    let (listener, to) = talk.active(verb);
    assert_eq!(to.ip(), setting.outside(), "whom the server is to dial");
    assert!((50000..=50999).contains(&to.port()), "{to}");
    talk.client.says("STOR a");
    talk.server.hears("STOR a");
    let server = on(&talk.machines.server, || dial(setting.server(), to)).unwrap();
    let (client, seen) = listener.accepts_from();
    assert_eq!(server.peer_addr().unwrap(), to, "whom the server sees");
    talk.reply("150 send it");
    Data { client, server }.uploads();
    talk.reply("226 done");
    seen
}
