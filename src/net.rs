//! Sockets: take the client's, dial, listen in a port range; and which addresses are ours.

#![forbid(unsafe_code)]

#[cfg_attr(target_os = "linux", path = "net/addresses/netlink.rs")]
#[cfg_attr(not(target_os = "linux"), path = "net/addresses/interfaces.rs")]
mod addresses;
#[cfg(all(test, target_os = "linux"))]
#[path = "net/addresses/interfaces.rs"]
mod interfaces;

use std::fs::File;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket,
};
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{SockaddrStorage, getpeername};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, write};
use socket2::{Domain, Protocol, Socket, Type};

use crate::endpoint::PortRange;
use crate::error::Error;
use crate::sys::random;

/// How long a client may take to notice that we have closed, in milliseconds a step and in steps.
const FAREWELL: (u16, usize) = (500, 4);

/// Connections that the kernel keeps for us at a data port. Only one of them is the one that is waited for: should strangers
/// come faster than they are shown the door, it must still find a place.
const DATA_BACKLOG: i32 = 64;

/// The source port of active data connections that clients of old insist on (RFC 959 §3.2).
const FTP_DATA_PORT: u16 = 20;

/// Takes the client from descriptor 0, and points 0, 1 and 2, all of which inetd(8) makes the client, at /dev/null:
/// a stray word on standard error would be a broken reply.
///
/// # Errors
/// [`Error::Usage`]: descriptor 0 is no TCP connection, so nobody started us for a client. [`Error::Peer`]: the client
/// has gone again.
pub fn take_stdin() -> Result<TcpStream, Error> {
    let client = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(TcpStream::from)
        .map_err(Error::os("cannot take descriptor 0"))?;
    client.peer_addr().map_err(|error| not_a_client(&error))?;
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(Error::os("cannot open /dev/null"))?;
    let point = || -> nix::Result<()> {
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)
    };
    point().map_err(Error::os("cannot take descriptors 0 to 2"))?;
    Ok(client)
}

/// Says something to whoever is at descriptor 0, if that is a connection.
pub fn tell_stdin(text: &str) {
    let stdin = io::stdin();
    if getpeername::<SockaddrStorage>(stdin.as_raw_fd()).is_ok() {
        let _ = write(&stdin, text.as_bytes()); // gone already: nobody to tell
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

/// Makes a control connection behave: no waiting for more to send (Nagle's algorithm costs 40 ms a command), peers
/// that vanish are noticed, urgent bytes stay in line (RFC 854's Synch), and nothing blocks.
///
/// # Errors
/// The peer has gone already.
pub fn prepare_control(control: &TcpStream) -> io::Result<()> {
    let socket = socket2::SockRef::from(control);
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_out_of_band_inline(true)?;
    control.set_nonblocking(true) // one system call, where socket2 makes two
}

/// Connects, from the address `from` if one is given, within `timeout`.
///
/// # Errors
/// As connect(2) and bind(2): try the next address, or tell the client 421.
pub fn dial(to: SocketAddr, from: Option<IpAddr>, timeout: Duration) -> io::Result<TcpStream> {
    let socket = stream_socket(to)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), timeout)?;
    Ok(socket.into())
}

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

/// A number that nobody can guess.
///
/// # Errors
/// The system has none, as it may early at boot.
pub fn chance() -> io::Result<u32> {
    random::bytes().map(u32::from_ne_bytes)
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

fn in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EINPROGRESS as i32)
        || error.kind() == io::ErrorKind::WouldBlock
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )
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
        let all = addresses::read()?.into_iter().map(|ip| match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => without_scope(ip).into(),
        });
        Ok(LocalAddresses(all.collect()))
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
