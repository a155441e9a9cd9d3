//! A client that does one thing at a time, so that something can happen in between.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

use crate::common::address::{address_in, extended, port_in};
use crate::common::fake::{Control, Listener, dial, read_all, send_all};
use crate::gateway::on;
use crate::scene::Scene;
use crate::world::{PASSWORD, SERVED, USER};

/// More than all buffers on the way hold, so that a transfer that is not read to its end is in its middle.
const LENGTH: usize = 32 << 20;
/// What has arrived when something happens.
const BEGINNING: usize = 1 << 20;

/// The file that is fetched and stored.
fn file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        // Xorshift: no two parts of it are alike.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let words = (0..LENGTH / 8).flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        words.collect()
    })
}

/// Puts it where the server finds it.
pub fn serve_the_file() -> io::Result<()> {
    fs::write(format!("{SERVED}/pub/scale.bin"), file())
}

/// One session from the client's side.
pub struct Session<'a> {
    scene: &'a Scene,
    pub control: Control,
}

/// A transfer in its middle.
pub enum Transfer {
    /// The beginning has been read.
    Down(TcpStream),
    /// The beginning has been sent, for this file.
    Up(TcpStream, String),
}

impl<'a> Session<'a> {
    /// Logged in.
    #[track_caller]
    pub fn begin(scene: &'a Scene) -> Session<'a> {
        let stream = on(&scene.clients, || dial(scene.client(), scene.door())).expect("a session");
        let mut session = Session {
            scene,
            control: Control::over(stream, "client"),
        };
        session.control.hears_code("220 ");
        session.says(&format!("USER {USER}"), "331 ");
        session.says(&format!("PASS {PASSWORD}"), "230 ");
        session.says("TYPE I", "200 ");
        session
    }

    /// A command, and the code of its reply.
    #[track_caller]
    pub fn says(&mut self, command: &str, code: &str) -> String {
        self.control.says(command);
        self.control.hears_code(code)
    }

    /// Where passive data is to be dialled: PASV says it, in IPv4, and EPSV leaves the address to the client.
    #[track_caller]
    fn asks(&mut self, verb: &str) -> SocketAddr {
        if verb == "PASV" {
            return address_in(&self.says("PASV", "227 "));
        }
        let reply = self.says("EPSV", "229 ");
        SocketAddr::new(self.scene.public(), port_in(reply.trim_end_matches('.')))
    }

    /// Passive data, and what was dialled for it.
    #[track_caller]
    fn passive(&mut self, verb: &str) -> (TcpStream, SocketAddr) {
        let at = self.asks(verb);
        let from = self.scene.client();
        let data = on(&self.scene.clients, || dial(from, at)).expect("the data connection");
        (data, at)
    }

    /// Lists a folder by this verb, and tells by where the data was dialled which gateway it is on: 0 or 1.
    #[track_caller]
    pub fn lists_by(&mut self, verb: &str) -> usize {
        let (data, at) = self.passive(verb);
        self.says("NLST pub/few", "150 ");
        let listing = String::from_utf8(read_all(&data).unwrap()).unwrap();
        assert_eq!(listing.lines().count(), 50, "{listing}");
        self.control.hears_code("226 ");
        self.scene.gateway_at(at)
    }

    /// The same, by the verb that clients use here.
    #[track_caller]
    pub fn lists(&mut self) -> usize {
        self.lists_by(self.scene.verb)
    }

    /// A passive download, in its middle.
    #[track_caller]
    pub fn downloads(&mut self) -> Transfer {
        let (data, _) = self.passive(self.scene.verb);
        self.says("RETR pub/scale.bin", "150 ");
        begun(data)
    }

    /// An active download, in its middle; the data must come from the published address.
    #[track_caller]
    pub fn downloads_actively(&mut self) -> Transfer {
        let at = self.scene.client();
        let listener = on(&self.scene.clients, || Listener::at(at));
        self.says(&format!("EPRT {}", extended(listener.address())), "200 ");
        self.says("RETR pub/scale.bin", "150 ");
        let (data, from) = listener.accepts_from();
        assert_eq!(from.ip(), self.scene.public(), "where the data comes from");
        begun(data)
    }

    /// A passive upload, in its middle.
    #[track_caller]
    pub fn uploads(&mut self, name: &str) -> Transfer {
        let (mut data, _) = self.passive(self.scene.verb);
        self.says(&format!("STOR incoming/{name}"), "150 ");
        data.write_all(&file()[..BEGINNING]).unwrap();
        Transfer::Up(data, name.to_owned())
    }

    /// Every byte of it arrives.
    #[track_caller]
    pub fn completes(&mut self, transfer: Transfer) {
        match transfer {
            Transfer::Down(data) => {
                let rest = read_all(&data).unwrap();
                assert!(rest == file()[BEGINNING..], "{} bytes came", rest.len());
                self.control.hears_code("226 ");
            }
            Transfer::Up(data, name) => {
                send_all(&data, &file()[BEGINNING..]);
                drop(data);
                self.control.hears_code("226 ");
                let stored = fs::read(format!("{SERVED}/incoming/{name}")).unwrap();
                assert!(stored == file(), "{} bytes are stored", stored.len());
            }
        }
    }

    /// The session is over, and its transfer is not complete.
    #[track_caller]
    pub fn has_ended(mut self, transfer: Option<Transfer>) {
        // The end of the stream, or a reset; reading takes no longer than a time-out, which is another error.
        let ended = |result: io::Result<Vec<u8>>| match result {
            Ok(rest) => Some(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("the session goes on: {error}"),
        };
        ended(self.control.rest());
        if let Some(Transfer::Down(data)) = transfer {
            let came = ended(read_all(&data)).unwrap_or_default();
            assert!(came < LENGTH - BEGINNING, "all of it came");
        }
    }

    /// ABOR behind a Synch, as ftp(1) sends it: the last byte but one of IAC IP IAC DM is urgent. The reply to it.
    #[track_caller]
    pub fn aborts(&mut self) -> String {
        let stream = socket2::SockRef::from(self.control.stream());
        assert_eq!(stream.send_out_of_band(b"\xff\xf4\xff").unwrap(), 3);
        self.control.says_bytes(b"\xf2ABOR\r\n");
        self.control.hears_line()
    }

    /// Says goodbye.
    #[track_caller]
    pub fn quits(mut self) {
        self.says("QUIT", "221 ");
        self.control.hears_end();
    }
}

/// The beginning of a download, and the connection on which the rest comes.
#[track_caller]
fn begun(mut data: TcpStream) -> Transfer {
    let mut beginning = vec![0; BEGINNING];
    data.read_exact(&mut beginning).unwrap();
    assert!(beginning == file()[..BEGINNING], "the beginning");
    Transfer::Down(data)
}
