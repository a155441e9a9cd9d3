//! What carries bytes without looking at them: a blind relay that knows neither FTP nor a policy, the floor of what a proxy in
//! user space costs. And a super-server as inetd(8) is one, without a configuration.

use std::io;
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::sys::socket::sockopt::OriginalDst;
use nix::sys::socket::{SockaddrIn, getsockopt};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::pipe2;

/// What one call moves at most, in bytes.
const CHUNK: usize = 1 << 16;

/// Whatever the packet filter redirects here goes on to where it was sent, two threads for each connection.
pub fn relay(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    loop {
        let (client, _) = listener.accept()?;
        thread::spawn(move || {
            if let Err(error) = join(&client) {
                eprintln!("bench-peer: a relayed connection ended: {error}");
            }
        });
    }
}

fn join(client: &TcpStream) -> io::Result<()> {
    let to = getsockopt(client, OriginalDst)?;
    let to: SocketAddr = SocketAddrV4::from(SockaddrIn::from(to)).into();
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| carry(&server, client));
        carry(client, &server)
    })
}

fn carry(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    let move_on = |from: &dyn AsFd, to: &dyn AsFd, most| {
        let flags = SpliceFFlags::SPLICE_F_MOVE;
        splice(from.as_fd(), None, to.as_fd(), None, most, flags)
    };
    loop {
        let mut pending = match move_on(from, &write, CHUNK) {
            Ok(0) | Err(Errno::ECONNRESET) => break,
            moved => moved?,
        };
        while pending > 0 {
            pending -= move_on(&read, to, pending)?;
        }
    }
    let _ = to.shutdown(Shutdown::Write); // gone already: nobody to tell
    Ok(())
}

/// A process for each client, which has it as descriptors 0, 1 and 2.
pub fn inetd(address: &str, program: &str, arguments: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    loop {
        let (client, _) = listener.accept()?;
        let end = || Ok::<_, io::Error>(Stdio::from(OwnedFd::from(client.try_clone()?)));
        Command::new(program)
            .args(arguments)
            .stdin(end()?)
            .stdout(end()?)
            .stderr(end()?)
            .spawn()?;
        while !matches!(
            waitpid(None, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive) | Err(_)
        ) {}
    }
}
