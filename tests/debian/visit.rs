//! One session across the machines, through whatever stands on the gateway.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::common::address::{address_in, extended, numbers, port_in};
use crate::common::fake::{Control, Listener, dial, read_all, send_all};
use crate::common::{PATIENCE, readable};
use crate::gateway::{Machines, Setting, on};

/// How long to look whether something comes that must not. A slow machine makes this miss a fault, never see one.
const MOMENT: Duration = Duration::from_millis(400);
/// What is carried.
const FILE: &[u8] = &[7; 300_000];

/// Which ends of a session are where, and whether data can come back.
#[derive(Clone, Copy)]
pub struct Ways {
    /// Of both families' addresses of the machines.
    pub ends: Setting,
    /// What the client dials.
    pub door: SocketAddr,
    /// What passive data is dialled at.
    pub data: IpAddr,
}

/// The server's control port on its machine.
pub struct Server(TcpListener);

impl Server {
    #[track_caller]
    pub fn of(machines: &Machines, ends: Setting) -> Server {
        Server(on(&machines.server, || {
            TcpListener::bind((ends.server(), 21)).unwrap()
        }))
    }

    #[track_caller]
    fn accepts(&self) -> Control {
        let came = readable(&self.0, PATIENCE);
        assert!(came, "the proxy does not reach the server");
        Control::over(self.0.accept().unwrap().0, "server")
    }
}

/// A session, greeted.
pub struct Visit<'a> {
    machines: &'a Machines,
    ways: Ways,
    client: Control,
    server: Control,
}

impl<'a> Visit<'a> {
    /// `None` if the client's connection does not come through.
    pub fn tries(machines: &'a Machines, ways: Ways, server: &Server) -> Option<Visit<'a>> {
        let from = ways.ends.client();
        let client = on(&machines.clients, || dial_soon(from, ways.door))?;
        Some(Visit::greeted(machines, ways, client, server))
    }

    /// Whether the proxy gets through to the server within a moment.
    pub fn reaches_the_server(machines: &Machines, ways: Ways, server: &Server) -> bool {
        let from = ways.ends.client();
        let _client = on(&machines.clients, || dial(from, ways.door)).expect("a session");
        readable(&server.0, MOMENT)
    }

    #[track_caller]
    pub fn begins(machines: &'a Machines, ways: Ways, server: &Server) -> Visit<'a> {
        let from = ways.ends.client();
        let client = on(&machines.clients, || dial(from, ways.door)).expect("a session");
        Visit::greeted(machines, ways, client, server)
    }

    #[track_caller]
    fn greeted(
        machines: &'a Machines,
        ways: Ways,
        client: TcpStream,
        server: &Server,
    ) -> Visit<'a> {
        let mut visit = Visit {
            machines,
            ways,
            client: Control::over(client, "client"),
            server: server.accepts(),
        };
        visit.server.says("220 ready");
        visit.client.hears("220 ready");
        visit.exchange("USER alice", "331 and?");
        visit.exchange("PASS secret", "230 in");
        visit
    }

    /// In forward mode: the proxy greets, and is told the server.
    #[track_caller]
    pub fn names(machines: &'a Machines, ways: Ways, name: &str, server: &Server) -> Visit<'a> {
        let from = ways.ends.client();
        let client = on(&machines.clients, || dial(from, ways.door)).expect("a session");
        let mut client = Control::over(client, "client");
        client.hears_code("220 ");
        client.says(&format!("USER alice@{name}"));
        let mut server = server.accepts();
        server.says("220 ready");
        server.hears("USER alice");
        server.says("331 and?");
        client.hears("331 and?");
        let mut visit = Visit {
            machines,
            ways,
            client,
            server,
        };
        visit.exchange("PASS secret", "230 in");
        visit
    }

    #[track_caller]
    fn exchange(&mut self, command: &str, reply: &str) {
        self.client.says(command);
        self.server.hears(command);
        self.server.says(reply);
        self.client.hears(reply);
    }

    /// EPSV, as the proxy lets it pass; where data is dialled, and where the server listens.
    #[track_caller]
    fn passive(&mut self) -> (SocketAddr, Listener) {
        let at = self.ways.ends.server();
        let listener = on(&self.machines.server, || Listener::at(at));
        let real = listener.address();
        self.client.says(if self.relays_transparently() {
            "PASV"
        } else {
            "EPSV"
        });
        let asked = self.server.hears_line();
        self.server.says(&match asked.as_str() {
            "PASV" => format!("227 here ({})", numbers(real)),
            "EPSV" => format!("229 here (|||{}|)", real.port()),
            other => panic!("{other}"),
        });
        let reply = self.client.hears_line();
        let to = match reply.get(..4) {
            Some("227 ") => address_in(&reply),
            Some("229 ") => SocketAddr::new(self.ways.data, port_in(reply.trim_end_matches('.'))),
            _ => panic!("{reply}"),
        };
        (to, listener)
    }

    /// The client has dialled the server, and data comes from the gateway: there is no EPSV.
    fn relays_transparently(&self) -> bool {
        self.ways.data != self.ways.door.ip()
    }

    /// A passive download and upload; whether the data connection comes through.
    #[track_caller]
    pub fn transfers_passively(&mut self) -> bool {
        for upload in [false, true] {
            let (to, listener) = self.passive();
            let from = self.ways.ends.client();
            let Some(client) = on(&self.machines.clients, || dial_soon(from, to)) else {
                return false;
            };
            // The proxy dials the server in its turn, and so may the kernel have done.
            let server = listener.accepts();
            self.carries(upload, &client, server);
            self.server.says("226 done");
            self.client.hears("226 done");
        }
        true
    }

    /// An active download and upload; whether the data connection comes through.
    #[track_caller]
    pub fn transfers_actively(&mut self) -> bool {
        for upload in [false, true] {
            let at = self.ways.ends.client();
            let listener = on(&self.machines.clients, || Listener::at(at));
            self.client
                .says(&format!("EPRT {}", extended(listener.address())));
            let to = address_in(&self.server.hears_line());
            self.server.says("200 well then");
            self.client.hears("200 well then");
            let from = self.ways.ends.server();
            let Some(server) = on(&self.machines.server, || dial_soon(from, to)) else {
                return false;
            };
            let client = listener.accepts();
            self.carries(upload, &client, server);
            self.server.says("226 done");
            self.client.hears("226 done");
        }
        true
    }

    #[track_caller]
    fn carries(&mut self, upload: bool, client: &TcpStream, server: TcpStream) {
        let verb = if upload { "STOR a" } else { "RETR a" };
        self.client.says(verb);
        self.server.hears(verb);
        self.server.says("150 now");
        let (from, to) = if upload {
            (client, &server)
        } else {
            (&server, client)
        };
        let arrived = std::thread::scope(|scope| {
            scope.spawn(|| send_all(from, FILE));
            read_all(to).unwrap()
        });
        assert!(arrived == FILE, "{} bytes arrived", arrived.len());
        // Both ends are closed before 226, as servers do.
        if !upload {
            drop(server);
        }
        self.client.hears("150 now");
    }

    /// The server never gets this command.
    #[track_caller]
    pub fn is_refused(&mut self, command: &str, code: &str) {
        self.client.says(command);
        self.client.hears_code(code);
    }

    /// PASV, and the address that the client has dialled in the reply.
    #[track_caller]
    pub fn is_told_where_it_is(&mut self) {
        self.client.says("PASV");
        self.server.hears_line();
        let at = SocketAddr::new(self.ways.ends.server(), 50000);
        self.server.says(&format!("227 here ({})", numbers(at)));
        let told = address_in(&self.client.hears_code("227 "));
        assert_eq!(told.ip(), self.ways.door.ip());
    }

    /// Where the server sees the control connection come from.
    pub fn server_sees(&self) -> IpAddr {
        self.server.stream().peer_addr().unwrap().ip()
    }

    /// What the server gets for this command.
    #[track_caller]
    pub fn server_is_told(&mut self, command: &str) -> String {
        self.client.says(command);
        self.server.hears_line()
    }

    /// Data in both modes, and the end.
    #[track_caller]
    pub fn transfers_and_quits(mut self) {
        assert!(self.transfers_passively(), "passive data comes through");
        assert!(self.transfers_actively(), "active data comes through");
        self.quits();
    }

    /// Goes without a word, after data that did not come.
    #[track_caller]
    pub fn quits(mut self) {
        self.exchange("QUIT", "221 bye");
        self.server.shuts_down();
        self.client.hears_end();
    }
}

/// A connection, if there is one within a moment.
fn dial_soon(from: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect_timeout(&to.into(), MOMENT).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    Some(socket.into())
}
