//! The two peers: one end of a control connection, a listener, a data connection.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::{PATIENCE, readable};

/// One peer's end of a control connection.
pub struct Control {
    who: &'static str,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Control {
    #[must_use]
    pub fn over(stream: TcpStream, who: &'static str) -> Self {
        patient(&stream);
        // As FTP servers do: a Synch is then seen where it stands.
        SockRef::from(&stream)
            .set_out_of_band_inline(true)
            .expect("SO_OOBINLINE");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Control {
            who,
            stream,
            unread: Vec::new(),
        }
    }

    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends a line; the CRLF is added.
    #[track_caller]
    pub fn says(&mut self, line: &str) {
        self.says_bytes(format!("{line}\r\n").as_bytes());
    }

    #[track_caller]
    pub fn says_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("to say something");
    }

    /// The next line with its line end, or what came before the end of the stream.
    pub fn next_line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|&b| b == b'\n') {
                return Ok(self.unread.drain(..=end).collect());
            }
            if self.fill()? == 0 {
                return Ok(std::mem::take(&mut self.unread));
            }
        }
    }

    /// The next `count` bytes, fewer at the end of the stream.
    pub fn next_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count && self.fill()? != 0 {}
        Ok(self.unread.drain(..count.min(self.unread.len())).collect())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                // A read with a time-out is not taken up again by the kernel after a stop (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    let count = result?;
                    self.unread.extend_from_slice(&buffer[..count]);
                    return Ok(count);
                }
            }
        }
    }

    /// The next line without its CRLF.
    #[track_caller]
    pub fn hears_line(&mut self) -> String {
        let line = self
            .next_line()
            .unwrap_or_else(|e| panic!("the {} hears no line: {e}", self.who));
        let line = String::from_utf8_lossy(&line).into_owned();
        line.strip_suffix("\r\n")
            .unwrap_or_else(|| panic!("the {} hears {line:?}, which is no line", self.who))
            .to_owned()
    }

    /// The next line must be this one.
    #[track_caller]
    pub fn hears(&mut self, expected: &str) {
        assert_eq!(self.hears_line(), expected, "what the {} hears", self.who);
    }

    /// The next line must begin so.
    #[track_caller]
    pub fn hears_code(&mut self, code: &str) -> String {
        let line = self.hears_line();
        assert!(
            line.starts_with(code),
            "the {} hears {line:?}, not {code}",
            self.who
        );
        line
    }

    /// Nothing more comes but the end of the stream; a reset is another matter.
    #[track_caller]
    pub fn hears_end(&mut self) {
        let rest = self.rest().unwrap_or_else(|e| panic!("{}: {e}", self.who));
        assert_eq!(String::from_utf8_lossy(&rest), "", "before the end");
    }

    /// Everything up to the end of the stream.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? != 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// Whether anything comes within `limit`.
    #[must_use]
    pub fn hears_something(&self, limit: Duration) -> bool {
        !self.unread.is_empty() || readable(&self.stream, limit)
    }

    /// Says that it will say no more.
    pub fn shuts_down(&self) {
        self.stream.shutdown(Shutdown::Write).expect("shutdown");
    }

    /// Goes away with a reset.
    pub fn resets(self) {
        reset(self.stream);
    }
}

/// Somebody's listening socket.
pub struct Listener(TcpListener);

impl Listener {
    /// Never at a port where [`Listener::front`] could be: a server of this machine at the proxy's own port would be
    /// taken for the proxy.
    #[must_use]
    pub fn at(ip: IpAddr) -> Self {
        Listener::with(ip, |port| port & 2 == 0)
    }

    /// Where the proxy listens, or inetd for it.
    #[must_use]
    pub fn front(ip: IpAddr) -> Self {
        Listener::with(ip, |port| port & 2 != 0)
    }

    /// Two at one port, each at an address of its own.
    #[must_use]
    pub fn two(one: IpAddr, other: IpAddr) -> [Self; 2] {
        loop {
            let first = Listener::at(one);
            let second = TcpListener::bind(SocketAddr::new(other, first.address().port()));
            if let Ok(second) = second {
                return [first, Listener(second)];
            }
        }
    }

    // Not by the last bit: Linux gives away odd ports first.
    fn with(ip: IpAddr, suits: fn(u16) -> bool) -> Self {
        loop {
            let listener =
                TcpListener::bind(SocketAddr::new(ip, 0)).expect("a listener on loopback");
            let listener = Listener(listener);
            if suits(listener.address().port()) {
                return listener;
            }
        }
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket")
    }

    #[must_use]
    #[track_caller]
    pub fn accepts(&self) -> TcpStream {
        self.accepts_from().0
    }

    #[must_use]
    #[track_caller]
    pub fn accepts_from(&self) -> (TcpStream, SocketAddr) {
        assert!(
            readable(&self.0, PATIENCE),
            "nobody came to {}",
            self.address()
        );
        let (stream, from) = self.0.accept().expect("accept");
        patient(&stream);
        (stream, from)
    }

    /// Whether somebody comes within `limit`.
    #[must_use]
    pub fn is_called(&self, limit: Duration) -> bool {
        readable(&self.0, limit)
    }
}

/// Connects to `to` from this address.
#[track_caller]
pub fn dial(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    patient(&stream);
    Ok(stream)
}

/// What somebody gets who connects to `to` and only listens. A reset may come before the connection is ours.
pub fn visit(from: IpAddr, to: SocketAddr) -> io::Result<Vec<u8>> {
    dial(from, to).and_then(|stream| read_all(&stream))
}

/// An address where nobody listens.
#[must_use]
pub fn nowhere(ip: IpAddr) -> SocketAddr {
    Listener::at(ip).address()
}

/// Everything up to the end of the stream.
pub fn read_all(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).map(|_| all)
}

/// Sends all of it and the end of the stream, and keeps the other direction.
#[track_caller]
pub fn send_all(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("to send data");
    stream.shutdown(Shutdown::Write).expect("shutdown");
}

/// Goes away with a reset: RST instead of FIN.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .expect("SO_LINGER");
    drop(stream);
}

fn patient(stream: &TcpStream) {
    stream
        .set_read_timeout(Some(PATIENCE))
        .and(stream.set_write_timeout(Some(PATIENCE)))
        .expect("time-outs");
}
