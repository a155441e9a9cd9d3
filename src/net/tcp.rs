//! What TCP does by itself on a connection: when it acknowledges.

use std::os::fd::AsFd;

use socket2::SockRef;

/// Acknowledges at once what has been read. Linux delays an acknowledgement by up to 40 ms, and there are peers that send
/// nothing before they have it: a server whose second reply Nagle's algorithm holds back (RFC 9293 §3.7.4), and one whose
/// close(2) waits until the end of its data is acknowledged (SO_LINGER). The kernel goes back to delaying by itself, so it
/// is told after each read.
#[cfg(target_os = "linux")]
pub fn acknowledge(connection: &impl AsFd) {
    let _ = SockRef::from(connection).set_tcp_quickack(true); // fails only on a socket that is dead already
}

/// Elsewhere TCP cannot be told.
#[cfg(not(target_os = "linux"))]
pub fn acknowledge(_: &impl AsFd) {}
