//! Where listeners come from: addresses on the command line, or systemd.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;

/// Clients that the kernel keeps waiting while we fork.
const BACKLOG: i32 = 128;

/// What systemd passed by LISTEN_FDS.
#[derive(Debug)]
pub enum Passed {
    /// Nothing.
    None,
    /// Listening sockets: they stand in for `--listen`.
    Listeners(Vec<TcpListener>),
    /// One client, accepted already.
    Connection(TcpStream),
}

/// Opens a listener on each address. An IPv6 one takes IPv6 only. With `transparent` it also takes connections to
/// addresses of other machines that the packet filter diverts to it.
///
/// # Errors
/// [`Error::Os`], naming the address; nothing stays open, the process must end.
pub fn bind(addresses: &[SocketAddr], transparent: bool) -> Result<Vec<TcpListener>, Error> {
    let listener = |address: &SocketAddr| {
        bind_one(*address, transparent).map_err(Error::os(format!("cannot listen on {address}")))
    };
    addresses.iter().map(listener).collect()
}

fn bind_one(address: SocketAddr, transparent: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if transparent {
        set_transparent(&socket, address.is_ipv6())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
fn set_transparent(socket: &Socket, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        socket.set_ip_transparent_v6(true)
    } else {
        socket.set_ip_transparent_v4(true)
    }
}

/// Elsewhere the packet filter diverts to a socket that need not know (pf.conf(5) divert-to, ipfw(8) fwd).
#[cfg(not(target_os = "linux"))]
fn set_transparent(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

/// Takes the sockets that systemd passed, if any.
///
/// # Errors
/// [`Error::Config`]: they are neither listeners nor one connection, or no TCP at all; the process must end.
pub fn passed() -> Result<Passed, Error> {
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::new();
    let mut connections = Vec::new();
    for index in 0..passed.len() {
        // By this type only the family and kind were checked: it may be a connection still.
        let socket = passed
            .take_tcp_listener(index)
            .ok()
            .flatten()
            .ok_or_else(|| Error::Config("LISTEN_FDS: only TCP sockets can be taken".to_owned()))?;
        if getsockopt(&socket, AcceptConn).map_err(Error::os("LISTEN_FDS"))? {
            listeners.push(socket);
        } else {
            connections.push(TcpStream::from(OwnedFd::from(socket)));
        }
    }
    match (listeners.is_empty(), connections.pop()) {
        (true, None) => Ok(Passed::None),
        (false, None) => Ok(Passed::Listeners(listeners)),
        (true, Some(client)) if connections.is_empty() => Ok(Passed::Connection(client)),
        _ => Err(Error::Config(
            "LISTEN_FDS: pass listening sockets or one connection".to_owned(),
        )),
    }
}
