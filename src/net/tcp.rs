//! What TCP does by itself on a connection: when it acknowledges, and when it asks whether the peer is there.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Probes in a row without an answer, after which the peer is gone: as many as Linux sends.
#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd"
))]
const PROBES: u32 = 9;

/// Makes a control connection behave: no waiting for more to send (Nagle's algorithm costs 40 ms a command), peers
/// that vanish are noticed, urgent bytes stay in line (RFC 854's Synch), and nothing blocks.
///
/// # Errors
/// The peer has gone already.
pub fn prepare_control(control: &TcpStream, keepalive: Option<Duration>) -> io::Result<()> {
    let socket = SockRef::from(control);
    socket.set_tcp_nodelay(true)?;
    keep_alive(control, keepalive)?;
    socket.set_out_of_band_inline(true)?;
    control.set_nonblocking(true) // one system call, where socket2 makes two
}

/// Has the peer probed when nothing has come from it for so long, and again after as long, so that firewalls on the way do
/// not forget the connection (RFC 9293 §3.8.4). `None`: it is not probed.
///
/// # Errors
/// As setsockopt(2): the peer has gone already.
pub fn keep_alive(connection: &impl AsFd, every: Option<Duration>) -> io::Result<()> {
    let socket = SockRef::from(connection);
    match every {
        Some(every) => socket.set_tcp_keepalive(&probes(every)),
        None => socket.set_keepalive(false),
    }
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd"
))]
fn probes(every: Duration) -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(every);
    keepalive.with_interval(every).with_retries(PROBES)
}

/// Here the system alone says how often (on OpenBSD sysctl(2)).
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd"
)))]
fn probes(_: Duration) -> TcpKeepalive {
    TcpKeepalive::new()
}

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
