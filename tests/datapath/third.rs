//! Hosts that are neither client nor server, where `--foreign-address` allows them: the broker knows none of them.

use crate::common::fake::Listener;
use crate::gateway::{Setting, on};
use crate::talk::Talk;

const ALLOWED: [&str; 2] = ["--foreign-address", "allow"];

pub fn a_third_host_is_dialled_from_our_own_address_and_nothing_is_granted(setting: Setting) {
    let mut talk = Talk::begin(setting, &ALLOWED);
    let (listener, to) = talk.active_of("EPRT", setting.stranger());
    assert!(talk.machines.granted().is_empty(), "a grant for somebody");
    talk.client.says("STOR a");
    talk.server.hears("STOR a");
    let data = talk.server_dials(&listener, to);
    let seen = data.client.peer_addr().unwrap().ip();
    assert_eq!(seen, setting.inside(), "whom the third host sees");
    talk.reply("150 send it");
    data.uploads();
    talk.reply("226 done");
    // The client's own data is granted as ever.
    talk.downloads_by("EPRT");
    talk.quits();
    talk.grants_nothing();
}

pub fn a_third_host_that_the_server_names_is_dialled_and_the_client_sees_whom_it_dialled(
    setting: Setting,
) {
    let mut talk = Talk::begin(setting, &ALLOWED);
    let neighbour = setting.neighbour();
    let listener = on(&talk.machines.server, || Listener::at(neighbour));
    let to = talk.passive_at("PASV", listener.address());
    assert_eq!(to.ip(), setting.server(), "what a 227 names");
    let data = talk.client_dials(to, &listener);
    talk.exchange("RETR a", "150 here it comes");
    data.downloads();
    talk.reply("226 done");
    talk.quits();
    talk.grants_nothing();
}
