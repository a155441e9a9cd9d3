//! Where a proxy can be told to listen.

use std::net::{SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports that no kernel gives away by itself, so that no server or client of a test that runs beside gets one between
/// this choice and the proxy's own bind(2).
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

static TAKEN: AtomicU16 = AtomicU16::new(0);

/// An address of this machine that nobody listens on; each call gives another port.
pub fn free_address(host: &str) -> SocketAddr {
    let first = u16::try_from(process::id() % u32::from(COUNT)).unwrap();
    loop {
        let port = FIRST + (first + TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if let Ok(listener) = TcpListener::bind((host, port)) {
            return listener.local_addr().unwrap();
        }
    }
}
