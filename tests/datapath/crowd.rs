//! Many sessions to one server.

use std::sync::Arc;
use std::thread;

use crate::gateway::{Machines, PROXY, Setting};
use crate::talk::{Data, Doors, Talk};

/// Sessions at a time.
const MANY: usize = 20;

pub fn twenty_sessions_at_once_all_complete(setting: Setting) {
    let machines = Arc::new(Machines::with_table());
    let doors = Doors::open(&machines, setting);
    let options = ["--data-path", setting.path];
    let mut talks: Vec<Talk> = (0..MANY)
        .map(|_| Talk::through(&doors, Arc::clone(&machines), setting, &[PROXY], &options))
        .collect();
    // Every connection is open before the first byte moves.
    let open = all(
        &mut talks,
        |talk, ()| {
            let (to, listener) = talk.passive("EPSV");
            let data = talk.client_dials(to, &listener);
            talk.exchange("RETR a", "150 here it comes");
            data
        },
        vec![(); MANY],
    );
    all(
        &mut talks,
        |talk, data: Data| {
            data.downloads();
            talk.reply("226 done");
        },
        open,
    );
    let open = all(
        &mut talks,
        |talk, ()| {
            let (listener, to) = talk.active("EPRT");
            talk.client.says("STOR a");
            talk.server.hears("STOR a");
            let data = talk.server_dials(&listener, to);
            talk.reply("150 send it");
            data
        },
        vec![(); MANY],
    );
    all(
        &mut talks,
        |talk, data: Data| {
            data.uploads();
            talk.reply("226 done");
        },
        open,
    );
    all(&mut talks, |talk, ()| talk.quits(), vec![(); MANY]);
    talks[0].grants_nothing();
}

/// All sessions do this at once, each with its own.
#[track_caller]
fn all<I: Send, O: Send>(
    talks: &mut [Talk],
    act: impl Fn(&mut Talk, I) -> O + Sync,
    with: Vec<I>,
) -> Vec<O> {
    let act = &act;
    thread::scope(|scope| {
        let threads: Vec<_> = talks
            .iter_mut()
            .zip(with)
            .map(|(talk, with)| scope.spawn(move || act(talk, with)))
            .collect();
        let done = threads.into_iter().map(|thread| thread.join().unwrap());
        done.collect()
    })
}
