//! A control connection: lines. Nagle's algorithm is off, unless a server is to have it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};

pub struct Control {
    reader: BufReader<TcpStream>,
    line: String,
}

/// Whether a second line waits until the first is acknowledged (RFC 9293 §3.7.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nagle {
    Off,
    On,
}

impl Control {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        Self::with(stream, Nagle::Off)
    }

    pub fn with(stream: TcpStream, nagle: Nagle) -> io::Result<Self> {
        stream.set_nodelay(nagle == Nagle::Off)?;
        Ok(Control {
            reader: BufReader::with_capacity(1024, stream), // there may be thousands of these
            line: String::new(),
        })
    }

    /// One write, one segment.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        self.reader
            .get_ref()
            .write_all(format!("{line}\r\n").as_bytes())
    }

    /// Empty at the end of the connection.
    pub fn hear(&mut self) -> io::Result<&str> {
        self.line.clear();
        self.reader.read_line(&mut self.line)?;
        Ok(self.line.trim_end())
    }

    /// A reply with this code, or an error that has the reply.
    pub fn expect(&mut self, code: &str) -> io::Result<&str> {
        let reply = self.hear()?;
        if reply.starts_with(code) {
            return Ok(reply);
        }
        Err(io::Error::other(format!("not {code} but “{reply}”")))
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.reader.get_ref().local_addr()
    }
}

/// The text of reply 227.
pub fn announce(at: SocketAddrV4) -> String {
    let [a, b, c, d] = at.ip().octets();
    let [high, low] = at.port().to_be_bytes();
    format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low})")
}

/// What reply 227 announces.
pub fn announced(reply: &str) -> Option<SocketAddrV4> {
    let inside = reply.split_once('(')?.1.split_once(')')?.0;
    let mut numbers = [0u8; 6];
    let mut words = inside.split(',');
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}
