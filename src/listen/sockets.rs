//! Where listeners come from: addresses on the command line, or systemd.

use std::env;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;
use crate::options::Listen;

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

/// Opens a listener at each place. An IPv6 one takes IPv6 only. With `transparent` it also takes connections to
/// addresses of other machines that the packet filter diverts to it.
///
/// # Errors
/// [`Error::Os`], naming the address; nothing stays open, the process must end.
pub fn bind(places: &[Listen], transparent: bool) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = Vec::new();
    for place in places {
        match *place {
            Listen::At(address) => listeners.push(bind_one(address, transparent)?),
            Listen::Everywhere(port) => listeners.extend(bind_both(port, transparent)?),
        }
    }
    Ok(listeners)
}

/// A system may have one family alone.
fn bind_both(port: u16, transparent: bool) -> Result<Vec<TcpListener>, Error> {
    let addresses: [IpAddr; 2] = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
    let mut listeners = Vec::new();
    let mut absent = None;
    for address in addresses {
        match bind_one(SocketAddr::new(address, port), transparent) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_absent(&error) => absent = Some(error),
            Err(error) => return Err(error),
        }
    }
    absent
        .filter(|_| listeners.is_empty())
        .map_or(Ok(listeners), Err)
}

/// The system has no such family, or no address of it.
fn is_absent(error: &Error) -> bool {
    let Error::Os(_, error) = error else {
        return false;
    };
    error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32)
        || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn bind_one(address: SocketAddr, transparent: bool) -> Result<TcpListener, Error> {
    listener(address, transparent).map_err(|error| {
        let refused = error.kind() == io::ErrorKind::PermissionDenied;
        let cure = match error.kind() {
            _ if refused && transparent => {
                format!(" ({}with --diverted)", rights("CAP_NET_ADMIN"))
            }
            _ if refused && address.port() < 1024 => {
                format!(" ({}for a port below 1024)", rights("CAP_NET_BIND_SERVICE"))
            }
            io::ErrorKind::AddrNotAvailable => " (it is no address of this machine)".to_owned(),
            _ => String::new(),
        };
        Error::Os(format!("cannot listen on {address}{cure}"), error)
    })
}

/// What a listener needs that it was not let have.
fn rights(capability: &str) -> String {
    if cfg!(target_os = "linux") {
        format!("root or the capability {capability} is needed ")
    } else {
        "root is needed ".to_owned()
    }
}

fn listener(address: SocketAddr, transparent: bool) -> io::Result<TcpListener> {
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

/// Whether [`passed`] may find something.
#[must_use]
pub fn is_passed() -> bool {
    env::var_os("LISTEN_FDS").is_some()
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
