//! Sockets of data connections: where they come from, where they listen, and how they end.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::{chance, stream_socket, with_port};
use crate::endpoint::PortRange;

/// Connections that the kernel keeps for us at a data port. Only one of them is the one that is waited for: should strangers
/// come faster than they are shown the door, it must still find a place.
const DATA_BACKLOG: i32 = 64;

/// The source port of active data connections that clients of old insist on (RFC 959 §3.2).
const FTP_DATA_PORT: u16 = 20;

/// Where a data connection comes from.
#[derive(Clone, Copy, Debug)]
pub enum SourcePort {
    /// Port 20: for root alone.
    FtpData,
    /// A random one of these.
    Among(PortRange),
    /// Whichever the system gives.
    Any,
}

/// Begins to connect a data connection, which only [`end`] ends well, from the address of `from` and a port as told: poll
/// it for writing, then ask for its error.
///
/// # Errors
/// As connect(2) and bind(2); EADDRINUSE if every port of the range is taken.
pub fn dial_data(to: SocketAddr, from: SocketAddr, source: SourcePort) -> io::Result<Socket> {
    let attempt = |port| {
        let socket = data_socket(to)?;
        reset(&socket); // until there is a whole file to end; before a peer can have it
        socket.set_reuse_address(true)?; // a port that rests from an earlier transfer will do
        if port == FTP_DATA_PORT {
            share_port(&socket)?;
        }
        socket.bind(&with_port(from, port).into())?;
        match socket.connect(&to.into()) {
            Err(error) if in_progress(&error) => Ok(socket),
            // Here it is this pair of ports that is taken; from bind(2) it would be the address that is not ours.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                Err(Errno::EADDRINUSE.into())
            }
            Err(error) => Err(error),
            Ok(()) => Ok(socket),
        }
    };
    match source {
        SourcePort::FtpData => attempt(FTP_DATA_PORT),
        SourcePort::Among(ports) => try_ports(ports, attempt),
        SourcePort::Any => attempt(0),
    }
}

/// Two sessions may want port 20 at the same moment. On the BSDs and macOS SO_REUSEADDR alone lets a socket have a port
/// of another's only once that other is connected.
#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Elsewhere SO_REUSEADDR is enough.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
fn share_port(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Listens for one data connection, which only [`end`] ends well, at the address of `at` and a random port of the range.
///
/// # Errors
/// As bind(2) and listen(2); EADDRINUSE if every port of the range is taken.
pub fn listen_data(at: SocketAddr, ports: PortRange) -> io::Result<TcpListener> {
    try_ports(ports, |port| listen_data_at(with_port(at, port)))
}

/// The same at whichever port the system gives.
///
/// # Errors
/// As bind(2) and listen(2).
pub fn listen_data_anywhere(at: SocketAddr) -> io::Result<TcpListener> {
    listen_data_at(with_port(at, 0))
}

fn listen_data_at(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = data_socket(at)?;
    reset(&socket); // whoever comes has it from the listener
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(DATA_BACKLOG)?;
    Ok(socket.into())
}

/// Takes a random port of the range, at the address of `at`, so that nobody else has it while the socket lives; it does
/// not listen. `agree` is asked whether that port will do.
///
/// # Errors
/// As bind(2), and as `agree`, for whom a port that is in use is one to pass over.
pub fn reserve(
    at: SocketAddr,
    ports: PortRange,
    mut agree: impl FnMut(u16) -> io::Result<()>,
) -> io::Result<(Socket, u16)> {
    try_ports(ports, |port| {
        let socket = stream_socket(at)?;
        socket.bind(&with_port(at, port).into())?;
        agree(port)?;
        Ok((socket, port))
    })
}

/// Whether this process may take port 20.
#[must_use]
pub fn may_bind_ftp_data() -> bool {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, FTP_DATA_PORT));
    let bound = stream_socket(any).and_then(|socket| {
        socket.set_reuse_address(true)?;
        socket.bind(&any.into())
    });
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The first port at which `attempt` succeeds. A port that is taken is passed over, any other error is final.
fn try_ports<T>(ports: PortRange, mut attempt: impl FnMut(u16) -> io::Result<T>) -> io::Result<T> {
    for port in ports.starting_at(chance()?) {
        match attempt(port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    Err(Errno::EADDRINUSE.into())
}

pub(super) fn in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EINPROGRESS as i32)
        || error.kind() == io::ErrorKind::WouldBlock
}

/// One that does not block, from the beginning where the system can do that.
fn data_socket(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM;
    #[cfg(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    let kind = kind.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    #[cfg(not(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Makes the coming close(2) a reset, so that the peer cannot take it for the end of a whole file; even if it is the kernel
/// that closes, because this process was killed.
pub fn reset(socket: &Socket) {
    let _ = socket.set_linger(Some(Duration::ZERO)); // fails only on a socket that is dead already
}

/// Ends our half of a data connection as a whole file ends, whatever [`reset`] has said before.
///
/// # Errors
/// As shutdown(2): the peer has gone.
pub fn end(socket: &Socket) -> io::Result<()> {
    socket.set_linger(None)?;
    socket.shutdown(Shutdown::Write)
}
