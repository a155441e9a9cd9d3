//! A balancer in front of us says first whom it brings: its header, off a socket.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::proxy_protocol::{Header, LONGEST, Malformed, Progress, read};

/// How long a header may take: "at least 3 seconds to cover a TCP retransmit" (proxy-protocol.txt §2).
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no header: close the connection. `Display` is for the log.
#[derive(Debug)]
pub enum Unheard {
    /// It is not whole in time.
    Late,
    /// The connection ended before it was whole.
    Ended,
    /// What came is none.
    Malformed(Malformed),
    /// The connection broke.
    Broken(io::Error),
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unheard::Late => write!(
                f,
                "no PROXY protocol header within {} s",
                PATIENCE.as_secs()
            ),
            Unheard::Ended => f.write_str("closed before its PROXY protocol header was whole"),
            Unheard::Malformed(why) => write!(f, "malformed PROXY protocol header: {why}"),
            Unheard::Broken(error) => write!(
                f,
                "lost before its PROXY protocol header was whole: {error}"
            ),
        }
    }
}

/// A header on its way.
#[derive(Debug)]
pub struct Hearing {
    heard: Vec<u8>,
    deadline: Instant,
}

impl Hearing {
    /// Nothing has been read, and time runs.
    #[must_use]
    pub fn begin(now: Instant) -> Self {
        Hearing {
            heard: Vec::new(),
            deadline: now + PATIENCE,
        }
    }

    /// When it is late.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Reads what has come of it, from a socket that does not block; `None`: it is not whole yet. No byte behind it is
    /// taken.
    ///
    /// # Errors
    /// [`Unheard`]: it never will be.
    pub fn hear(&mut self, mut from: &TcpStream, now: Instant) -> Result<Option<Header>, Unheard> {
        let mut buffer = [0; LONGEST];
        loop {
            let wanted = match read(&self.heard).map_err(Unheard::Malformed)? {
                Progress::Whole(header) => return Ok(Some(header)),
                Progress::Wants(wanted) => wanted.min(LONGEST),
            };
            match from.read(&mut buffer[..wanted]) {
                Ok(0) => return Err(Unheard::Ended),
                Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(Unheard::Broken(error)),
            }
        }
        if self.deadline <= now {
            return Err(Unheard::Late);
        }
        Ok(None)
    }
}

/// Waits for the header of a connection that has just been accepted, and leaves it blocking.
///
/// # Errors
/// [`Unheard`].
pub fn introduction(client: &TcpStream) -> Result<Header, Unheard> {
    client.set_nonblocking(true).map_err(Unheard::Broken)?;
    let header = wait(client);
    client.set_nonblocking(false).map_err(Unheard::Broken)?;
    header
}

fn wait(client: &TcpStream) -> Result<Header, Unheard> {
    let mut hearing = Hearing::begin(now());
    loop {
        let now = now();
        if let Some(header) = hearing.hear(client, now)? {
            return Ok(header);
        }
        // Rounded up: a turn too early would find nothing due and come again at once.
        let left = hearing.deadline().saturating_duration_since(now) + Duration::from_millis(1);
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(client.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, left) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Unheard::Broken(errno.into())),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop that reads the clock for everybody has not begun"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{Shutdown, TcpListener};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (ours, listener.accept().unwrap().0)
    }

    fn complaint(said: &[u8]) -> String {
        let (mut balancer, proxy) = pair();
        balancer.write_all(said).unwrap();
        balancer.shutdown(Shutdown::Write).unwrap();
        introduction(&proxy).unwrap_err().to_string()
    }

    #[test]
    fn the_client_s_first_bytes_stay_where_they_are_wherever_the_header_is_cut() {
        let whole = b"PROXY TCP4 192.0.2.1 192.0.2.2 4242 21\r\n\r\nUSER a\r\n";
        let length = whole.len() - 10;
        for cut in 0..whole.len() {
            let (mut balancer, mut proxy) = pair();
            balancer.set_nodelay(true).unwrap();
            let header = std::thread::scope(|scope| {
                let hearing = scope.spawn(|| introduction(&proxy));
                balancer.write_all(&whole[..cut]).unwrap();
                std::thread::yield_now();
                balancer.write_all(&whole[cut..]).unwrap();
                hearing.join().unwrap().unwrap()
            });
            assert!(
                matches!(header, Header::Proxied { .. }),
                "cut at {cut} of {length}"
            );
            balancer.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            proxy.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, &whole[length..]);
        }
    }

    #[test]
    fn what_ends_early_or_is_none_is_told_apart() {
        for said in [
            &b""[..],
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 21",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0cabc",
        ] {
            assert!(complaint(said).contains("closed before"), "{said:?}");
        }
        assert!(complaint(b"USER anonymous\r\n").contains("malformed"));
    }

    #[test]
    fn a_header_that_drips_is_late_all_the_same() {
        let (mut balancer, proxy) = pair();
        proxy.set_nonblocking(true).unwrap();
        let began = now();
        let mut hearing = Hearing::begin(began);
        balancer.write_all(b"PROXY ").unwrap();
        assert!(matches!(hearing.hear(&proxy, began), Ok(None)));
        balancer.write_all(b"TCP4 ").unwrap();
        let late = hearing.hear(&proxy, began + PATIENCE);
        assert!(matches!(late, Err(Unheard::Late)));
    }
}
