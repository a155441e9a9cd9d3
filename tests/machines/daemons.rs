//! Programs that serve, in namespaces with which they end.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::net::wait_for_listeners;
use super::world::ROOM;

/// Starts it, and waits until `count` sockets listen on `port`. It ends with the namespaces.
#[track_caller]
pub fn start(command: &mut Command, port: u16, count: usize) -> Child {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = format!("{ROOM}/log/started-{number}.output");
    let output = File::create(&path).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    if let Err(why) = wait_for_listeners(&mut child, port, count) {
        let said = fs::read_to_string(&path).unwrap_or_default();
        panic!("{command:?}: {why}\n{said}");
    }
    child
}
