//! Sockets: take the client's, dial; and which addresses are ours. Those of data connections are in `data`.

#![forbid(unsafe_code)]

#[cfg_attr(target_os = "linux", path = "net/addresses/netlink.rs")]
#[cfg_attr(not(target_os = "linux"), path = "net/addresses/interfaces.rs")]
mod addresses;
mod data;
#[cfg(all(test, target_os = "linux"))]
#[path = "net/addresses/interfaces.rs"]
mod interfaces;
mod tcp;

use std::fs::File;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV6, TcpStream, UdpSocket,
};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{SockaddrStorage, getpeername};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, write};
use socket2::{Domain, Protocol, Socket, Type};

pub use addresses::Interfaces;
use data::in_progress;
pub use data::{
    SourcePort, dial_data, end, listen_data, listen_data_anywhere, may_bind_ftp_data, reserve,
    reset,
};
pub use tcp::{acknowledge, keep_alive, prepare_control};

use crate::error::Error;
use crate::sys::descriptors::standard_input;
use crate::sys::random;

/// How long a client may take to notice that we have closed, in milliseconds a step and in steps.
const FAREWELL: (u16, usize) = (500, 4);

/// Takes the client from descriptor 0, and points the standard descriptors, all of which inetd(8) makes the client, at
/// /dev/null (see [`leave_standard_descriptors`]): a stray word on standard error would be a broken reply.
///
/// # Errors
/// [`Error::Usage`]: descriptor 0 is no TCP connection, so nobody started us for a client. [`Error::Peer`]: the client
/// has gone again.
pub fn take_stdin(log_on_stderr: bool) -> Result<TcpStream, Error> {
    let client = standard_input()
        .try_clone_to_owned()
        .map(TcpStream::from)
        .map_err(Error::os("cannot take descriptor 0"))?;
    client.peer_addr().map_err(|error| not_a_client(&error))?;
    leave_standard_descriptors(log_on_stderr)?;
    Ok(client)
}

/// Points descriptors 0, 1 and 2 at nothing, but for 2 where it belongs to the log. A session that kept them could read
/// from its starter's terminal, or write to it.
///
/// # Errors
/// [`Error::Os`]: they cannot be; the process must not serve.
pub fn leave_standard_descriptors(log_on_stderr: bool) -> Result<(), Error> {
    let null = nothing().map_err(Error::os("cannot open /dev/null"))?;
    let point = || -> nix::Result<()> {
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        if log_on_stderr {
            return Ok(());
        }
        dup2_stderr(&null)
    };
    point().map_err(Error::os("cannot take descriptors 0 to 2"))
}

/// Whether descriptor 0 is a client, or was one. Where it is not, no client is to hear what is wrong.
///
/// # Errors
/// [`Error::Usage`]: it is nothing like a client.
pub fn is_given_a_client() -> Result<(), Error> {
    match getpeername::<SockaddrStorage>(standard_input().as_raw_fd()) {
        Err(errno @ (Errno::ENOTSOCK | Errno::EBADF)) => Err(not_a_client(&errno.into())),
        _ => Ok(()),
    }
}

/// /dev/null; where there is none, as in a container of the program alone, a socket whose other end is closed.
fn nothing() -> io::Result<OwnedFd> {
    match File::options().read(true).write(true).open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(UnixStream::pair()?.0.into()),
        Err(error) => Err(error),
    }
}

/// Says something to whoever is at descriptor 0, if that is a connection.
pub fn tell_stdin(text: &str) {
    let stdin = standard_input();
    if getpeername::<SockaddrStorage>(stdin.as_raw_fd()).is_ok() {
        let _ = write(stdin, text.as_bytes()); // gone already: nobody to tell
    }
}

/// Why descriptor 0 is nobody to serve: a client that has gone already, or nothing like a client.
fn not_a_client(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotConnected {
        return Error::Peer("the client has gone, or descriptor 0 is a listener".to_owned());
    }
    Error::Usage(
        "descriptor 0 is no connection: start ftp-proxy from inetd, xinetd or systemd, or give --listen address:port"
            .to_owned(),
    )
}

/// The peer's address and our own of a connection, canonical.
///
/// # Errors
/// ENOTCONN: the peer has gone already.
pub fn ends(connection: &TcpStream) -> io::Result<(SocketAddr, SocketAddr)> {
    Ok((
        canonical(connection.peer_addr()?),
        canonical(connection.local_addr()?),
    ))
}

/// The address with an IPv4 address as such, even where a socket for both families shows it as IPv6. Scopes stay.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// `address` with another port; the scope of a link-local address stays.
#[must_use]
pub fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// Connects, from the address `from` if one is given, within `timeout`. `waits` is told if it is not done at once.
///
/// # Errors
/// As connect(2) and bind(2): try the next address, or tell the client 421.
pub fn dial(
    to: SocketAddr,
    from: Option<IpAddr>,
    timeout: Duration,
    waits: &mut dyn FnMut(),
) -> io::Result<TcpStream> {
    let socket = stream_socket(to)?;
    if let Some(from) = from {
        socket.bind(&toward(to, from).into()).map_err(|error| {
            if error.kind() == io::ErrorKind::AddrNotAvailable {
                let text = format!("{from} is no address of this machine, see -a");
                return io::Error::new(error.kind(), text);
            }
            error
        })?;
    }
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error) if in_progress(&error) => {}
        result => result?,
    }
    if !settles(&socket, Duration::ZERO)? {
        waits();
        if !settles(&socket, timeout)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    socket.set_nonblocking(false)?;
    Ok(socket.into())
}

/// Whether it is settled within this time what becomes of a connection that has begun.
#[expect(
    clippy::disallowed_methods,
    reason = "a dial waits for itself, outside of any turn"
)]
fn settles(socket: &Socket, within: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    loop {
        let left = within.saturating_sub(begun.elapsed());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => {}
            Ok(0) if !left.is_zero() => {} // of its last millisecond a part was left
            settled => return Ok(settled? > 0),
        }
    }
}

/// Whether an error of accept(2) says nothing about the next caller: this one went away, or its network did.
#[must_use]
pub fn only_that_caller(error: &io::Error) -> bool {
    let Some(code) = error.raw_os_error() else {
        return true; // not the system's error: macOS gives a caller that has gone no address, and std complains
    };
    matches!(
        Errno::from_raw(code),
        Errno::EAGAIN
            | Errno::EINTR
            | Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::EPERM
            | Errno::ENETDOWN
            | Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::ETIMEDOUT
    )
}

/// A number that nobody can guess.
///
/// # Errors
/// The system has none, as it may early at boot.
pub fn chance() -> io::Result<u32> {
    random::bytes().map(u32::from_ne_bytes)
}

/// The number of an interface that is named, or given by its number (RFC 4007 §11.2). `None`: there is no such one.
#[must_use]
pub fn zone(name: &str) -> Option<u32> {
    let number = || name.parse().ok().filter(|number| *number != 0);
    if_nametoindex(name).ok().or_else(number)
}

/// An address of ours to talk to `peer` from. A link-local one is in the peer's zone, for there is no way to another.
#[must_use]
pub fn toward(peer: SocketAddr, ours: IpAddr) -> SocketAddr {
    match (peer, ours) {
        (SocketAddr::V6(peer), IpAddr::V6(ours)) if ours.is_unicast_link_local() => {
            SocketAddrV6::new(ours, 0, 0, peer.scope_id()).into()
        }
        _ => SocketAddr::new(ours, 0),
    }
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )
}

/// Our address on the way to `peer`, by the routing table. Nothing is sent.
///
/// # Errors
/// There is no way to that peer.
pub fn address_toward(peer: SocketAddr) -> io::Result<SocketAddr> {
    let any: SocketAddr = if peer.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(peer)?;
    Ok(with_port(socket.local_addr()?, 0))
}

/// The addresses of this machine.
#[derive(Clone, Debug)]
pub struct LocalAddresses(Vec<IpAddr>);

impl LocalAddresses {
    /// Reads them from the interfaces.
    ///
    /// # Errors
    /// The system does not tell: without them there is no guard against loops, so the session must end.
    pub fn read() -> io::Result<Self> {
        Self::of(&Interfaces::open()?)
    }

    /// As they are now.
    ///
    /// # Errors
    /// As [`LocalAddresses::read`].
    pub fn of(interfaces: &Interfaces) -> io::Result<Self> {
        let all = interfaces.addresses()?.into_iter().map(|ip| match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => without_scope(ip).into(),
        });
        Ok(LocalAddresses(all.collect()))
    }

    /// Those of a machine that has these and the loopback ones.
    #[cfg(test)]
    pub(crate) fn of_interfaces(addresses: &[&str]) -> Self {
        let parsed = addresses.iter().map(|text| text.parse().unwrap());
        LocalAddresses(parsed.collect())
    }

    /// Whether a connection to this address would end on this machine. An unspecified address would: connect(2) takes
    /// it for the loopback.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.0.contains(&ip)
    }
}

/// Kernels of the KAME family keep the number of the interface in bytes 2 and 3 of a link-local address, and
/// getifaddrs(3) of some of them shows it so (inet6(4)). For everybody else these bytes are zero (RFC 4291 §2.5.6).
fn without_scope(ip: Ipv6Addr) -> Ipv6Addr {
    let mut segments = ip.segments();
    if ip.is_unicast_link_local() {
        segments[1] = 0;
    }
    segments.into()
}

/// The name of an address, for the log and for tcp wrappers, if it has one that leads back to it: whoever owns an
/// address can give it any name (features of hosts_access(5), PARANOID).
#[must_use]
pub fn name_of(ip: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&ip).ok()?;
    // A literal address for a name is what the resolver gives for none.
    name.parse::<IpAddr>().err()?;
    let forward = dns_lookup::lookup_host(&name).ok()?;
    forward.into_iter().any(|back| back == ip).then_some(name)
}

/// Ends a connection so that what was sent last arrives: closing over unread bytes would reset it.
pub fn farewell(connection: &TcpStream) {
    let _ = connection.shutdown(Shutdown::Write); // gone already: nothing to be polite about
    let _ = connection.set_nonblocking(true);
    let mut rest = [0; 4096];
    for _ in 0..FAREWELL.1 {
        let mut fds = [PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut fds, FAREWELL.0), Ok(1..)) {
            continue;
        }
        match io::Read::read(&mut &*connection, &mut rest) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_number_inside_a_link_local_address_is_no_part_of_it() {
        let parsed = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        assert_eq!(without_scope(parsed("fe80:4::1:2")), parsed("fe80::1:2"));
        assert_eq!(without_scope(parsed("2001:db8::1")), parsed("2001:db8::1"));
    }
}
