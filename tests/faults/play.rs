//! A session that is played step by step, by parties of which some may be gone.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::common::address::{Ends, address_in, extended, numbers, port_in};
use crate::common::eventually;
use crate::common::fake::{Control, Listener, dial, read_all};
use crate::common::session::control_pair;
use crate::program::Program;
use crate::table::{Case, Step, Way};

/// Bytes of the file. Few enough for the sockets to hold them, whoever reads when.
const LENGTH: usize = 40_000;

const ENDS: Ends = Ends::V4;

pub struct Play {
    pub case: Case,
    pub client: Option<Control>,
    pub server: Option<Control>,
    pub program: Program,
    /// Who is dialled for data, and at which address the one that dials is to find him.
    meeting: Option<(Listener, SocketAddr)>,
    pub data: Data,
    /// Descriptors that the program has open when there is no data connection.
    at_rest: usize,
}

/// Both ends of the data connection, and what went in and came out.
#[derive(Default)]
pub struct Data {
    pub client: Option<TcpStream>,
    pub server: Option<TcpStream>,
    sent: usize,
    /// The sender has said that this is all.
    pub ended: bool,
    received: Vec<u8>,
}

impl Play {
    /// The server has accepted.
    pub fn begin(case: Case) -> Play {
        let there = Listener::at(ENDS.server);
        let (client, inherited) = control_pair(ENDS);
        let server = there.address().to_string();
        let program = Program::inherits(inherited, &["-R", &server]);
        Play {
            case,
            client: Some(Control::over(client, "client")),
            server: Some(Control::over(there.accepts(), "server")),
            program,
            meeting: None,
            data: Data::default(),
            at_rest: 0,
        }
    }

    pub fn client(&mut self) -> &mut Control {
        self.client.as_mut().expect("a client")
    }

    pub fn server(&mut self) -> &mut Control {
        self.server.as_mut().expect("a server")
    }

    pub fn make(&mut self, step: Step) {
        match step {
            Step::Ungreeted => {}
            Step::Greeted => self.reply("220 ready"),
            Step::Named => self.exchange("USER anna", "331 who says so?"),
            Step::LoggedIn => {
                self.exchange("PASS secret", "230 come in");
                self.at_rest = self.program.descriptors();
            }
            Step::Asked => self.ask(),
            Step::Agreed => self.agree(),
            Step::Connected => self.connect(),
            Step::Commanded => {
                let command = self.case.deed.command();
                self.client().says(command);
                self.server().hears(command);
            }
            Step::Begun => self.reply("150 here it comes"),
            Step::Midway => self.carry_half(),
            Step::Delivered => self.deliver(),
            Step::Done => {
                self.data.client = None;
                self.data.server = None;
                self.reply("226 done");
            }
            Step::Quitting => {
                self.client().says("QUIT");
                self.server().hears("QUIT");
            }
        }
    }

    /// The program has no more open than before the data connection, of which nothing is left on our side either.
    #[track_caller]
    pub fn has_given_back_its_descriptors(&mut self) {
        self.receiver_is_not_deceived();
        self.data.client = None;
        self.data.server = None;
        eventually("the descriptors are given back", || {
            (self.program.descriptors() == self.at_rest).then_some(())
        });
    }

    /// The program ends. One whose peers go before it has begun may say so by its exit code (sysexits(3)).
    #[track_caller]
    pub fn ends(self) {
        let gone_early: &[i32] = &[0, 65, 68];
        let begun = self.case.is_past(Step::Greeted);
        self.program.ends(if begun { &[0] } else { gone_early });
    }

    fn exchange(&mut self, command: &str, reply: &str) {
        self.client().says(command);
        self.server().hears(command);
        self.reply(reply);
    }

    pub fn reply(&mut self, reply: &str) {
        self.server().says(reply);
        self.client().hears(reply);
    }

    fn ask(&mut self) {
        let listener = Listener::at(if self.case.way.is_passive() {
            ENDS.server
        } else {
            ENDS.client
        });
        let at = listener.address();
        match self.case.way {
            Way::Pasv => self.client().says("PASV"),
            Way::Epsv => self.client().says("EPSV"),
            Way::Port => self.client().says(&format!("PORT {}", numbers(at))),
            Way::Eprt => self.client().says(&format!("EPRT {}", extended(at))),
        }
        let heard = self.server().hears_line();
        let dialled = if self.case.way.is_passive() {
            at // until the answer says better
        } else {
            address_in(&heard)
        };
        self.meeting = Some((listener, dialled));
    }

    fn agree(&mut self) {
        let (listener, _) = self.meeting.as_ref().expect("a meeting");
        let at = listener.address();
        let found = match self.case.way {
            Way::Pasv => {
                self.server()
                    .says(&format!("227 Entering Passive Mode ({})", numbers(at)));
                address_in(&self.client().hears_code("227 "))
            }
            Way::Epsv => {
                let port = at.port();
                self.server()
                    .says(&format!("229 Entering Extended Passive Mode (|||{port}|)"));
                SocketAddr::new(ENDS.front, port_in(&self.client().hears_code("229 ")))
            }
            Way::Port | Way::Eprt => return self.reply("200 well then"),
        };
        self.meeting.as_mut().expect("a meeting").1 = found;
    }

    fn connect(&mut self) {
        let (listener, at) = self.meeting.take().expect("a meeting");
        let passive = self.case.way.is_passive();
        let from = if passive { ENDS.client } else { ENDS.server };
        let dialled = Some(dial(from, at).expect("the data connection"));
        let accepted = Some(listener.accepts());
        (self.data.client, self.data.server) = if passive {
            (dialled, accepted)
        } else {
            (accepted, dialled)
        };
    }

    /// The sender's end of the data connection, and the receiver's.
    pub fn ends_of_data(&mut self) -> (&mut Option<TcpStream>, &mut Option<TcpStream>) {
        let Data { client, server, .. } = &mut self.data;
        if self.case.deed.is_upload() {
            (client, server)
        } else {
            (server, client)
        }
    }

    fn carry_half(&mut self) {
        self.send(LENGTH / 2).expect("to send data");
        let mut received = vec![0; self.data.sent];
        let (_, receiver) = self.ends_of_data();
        let mut receiver = receiver.as_ref().expect("a receiver");
        receiver.read_exact(&mut received).expect("the first half");
        self.data.received = received;
    }

    fn deliver(&mut self) {
        self.send_rest().expect("to send data");
        assert!(self.arrives(), "the data is cut short");
    }

    /// Sends so many bytes, unless it has said already that there are no more.
    fn send(&mut self, count: usize) -> io::Result<()> {
        if self.data.ended {
            return Ok(());
        }
        let bytes = file();
        let next = self.data.sent..self.data.sent + count;
        self.data.sent = next.end;
        let (sender, _) = self.ends_of_data();
        let mut sender = sender.as_ref().expect("a sender");
        sender.write_all(&bytes[next])
    }

    /// Everything that is not sent yet, and the end.
    pub fn send_rest(&mut self) -> io::Result<()> {
        self.send(LENGTH - self.data.sent)?;
        self.end_data()
    }

    /// The sender says that this is all.
    pub fn end_data(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.data.ended, true) {
            return Ok(());
        }
        let (sender, _) = self.ends_of_data();
        sender.as_ref().expect("a sender").shutdown(Shutdown::Write)
    }

    /// Reads to the end; whether that was one, and no reset. What looks whole to the receiver must be just what was
    /// sent, by a sender who said that it was all.
    pub fn arrives(&mut self) -> bool {
        let (_, receiver) = self.ends_of_data();
        let rest = match read_all(receiver.as_ref().expect("a receiver")) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("the data connection has no end")
            }
            Err(_) => return false,
            Ok(rest) => rest,
        };
        let data = &mut self.data;
        data.received.extend(rest);
        assert!(data.ended, "a cut file looks whole to its receiver");
        assert!(
            data.received == file()[..data.sent],
            "{} bytes were sent, others arrived, {} of them",
            data.sent,
            data.received.len(),
        );
        true
    }

    /// Looks at what the receiver has, if it is still there: see [`Play::arrives`].
    pub fn receiver_is_not_deceived(&mut self) {
        if self.ends_of_data().1.is_some() {
            self.arrives();
        }
    }
}

/// No two places of it look alike, so that a byte lost or doubled shows.
fn file() -> Vec<u8> {
    (0u32..).flat_map(u32::to_be_bytes).take(LENGTH).collect()
}
