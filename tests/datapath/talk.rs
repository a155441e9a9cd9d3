//! One session across the machines: both ends of the control connection, and whoever stands at the data connections.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::common::address::{address_in, extended, numbers, port_in};
use crate::common::fake::{Control, Listener, dial};
use crate::common::{PATIENCE, eventually};
use crate::gateway::{FRONT_PORT, Machines, PROXY, Setting, on};
use crate::processes::{self, Process};
use crate::world;

/// More than any buffer on the way holds.
pub const MUCH: usize = 3 << 20;

/// How long to look whether something comes that must not. A slow machine makes this miss a fault, never see one.
pub const MOMENT: Duration = Duration::from_millis(300);

/// One session, its proxy started as inetd starts it.
pub struct Talk {
    pub setting: Setting,
    pub machines: Arc<Machines>,
    pub client: Control,
    pub server: Control,
    pub proxy: Child,
}

/// Where control connections arrive: at the server, and at whoever stands in for inetd.
pub struct Doors {
    there: TcpListener,
    front: TcpListener,
}

impl Doors {
    #[track_caller]
    pub fn open(machines: &Machines, setting: Setting) -> Doors {
        Doors {
            there: on(&machines.server, || bound(setting.server(), 21)),
            front: on(&machines.gateway, || bound(setting.inside(), FRONT_PORT)),
        }
    }
}

/// Both ends of one data connection.
pub struct Data {
    pub client: TcpStream,
    pub server: TcpStream,
}

impl Talk {
    /// With the data path of the setting.
    #[track_caller]
    pub fn begin(setting: Setting, options: &[&str]) -> Talk {
        let path = [&["--data-path", setting.path], options].concat();
        Talk::over(Arc::new(Machines::with_table()), setting, &[PROXY], &path)
    }

    /// Greeted. `program` is the proxy or what runs it.
    #[track_caller]
    pub fn over(
        machines: Arc<Machines>,
        setting: Setting,
        program: &[&str],
        options: &[&str],
    ) -> Talk {
        let doors = Doors::open(&machines, setting);
        Talk::through(&doors, machines, setting, program, options)
    }

    /// The same, where other sessions may come through the same doors.
    #[track_caller]
    pub fn through(
        Doors { there, front }: &Doors,
        machines: Arc<Machines>,
        setting: Setting,
        program: &[&str],
        options: &[&str],
    ) -> Talk {
        let dialled = SocketAddr::new(setting.server(), 21);
        let client = on(&machines.clients, || dial(setting.client(), dialled)).unwrap();
        let options = [&["--netfilter", "-V", "-D", "1"], options].concat();
        let proxy = as_inetd(&machines, front, program, &options);
        let server = accept(there);
        let mut talk = Talk {
            setting,
            machines,
            client: Control::over(client, "client"),
            server: Control::over(server, "server"),
            proxy,
        };
        talk.reply("220 ready");
        talk
    }

    /// A command and a reply that pass as they are.
    #[track_caller]
    pub fn exchange(&mut self, command: &str, reply: &str) {
        self.client.says(command);
        self.server.hears(command);
        self.reply(reply);
    }

    /// A reply that passes as it is.
    #[track_caller]
    pub fn reply(&mut self, reply: &str) {
        self.server.says(reply);
        self.client.hears(reply);
    }

    /// PASV or EPSV: what the client dials then, and where the server listens.
    #[track_caller]
    pub fn passive(&mut self, verb: &str) -> (SocketAddr, Listener) {
        let at = self.setting.server();
        let listener = on(&self.machines.server, || Listener::at(at));
        (self.passive_at(verb, listener.address()), listener)
    }

    /// The same, wherever the server says that it listens.
    #[track_caller]
    pub fn passive_at(&mut self, verb: &str, real: SocketAddr) -> SocketAddr {
        self.client.says(verb);
        self.server.hears(verb);
        if verb == "PASV" {
            self.server
                .says(&format!("227 Entering Passive Mode ({})", numbers(real)));
            return address_in(&self.client.hears_code("227 "));
        }
        let reply = format!("229 Entering Extended Passive Mode (|||{}|)", real.port());
        self.server.says(&reply);
        let port = port_in(&self.client.hears_code("229 "));
        SocketAddr::new(self.setting.server(), port)
    }

    /// PORT or EPRT: where the client listens, and what the server is told to dial.
    #[track_caller]
    pub fn active(&mut self, verb: &str) -> (Listener, SocketAddr) {
        self.active_of(verb, self.setting.client())
    }

    /// The same, of somebody else on the clients' wire.
    #[track_caller]
    pub fn active_of(&mut self, verb: &str, at: IpAddr) -> (Listener, SocketAddr) {
        let listener = on(&self.machines.clients, || Listener::at(at));
        let argument = if verb == "PORT" {
            numbers(listener.address())
        } else {
            extended(listener.address())
        };
        self.client.says(&format!("{verb} {argument}"));
        let to = address_in(&self.server.hears_line());
        self.reply("200 well then");
        (listener, to)
    }

    /// The client dials what it was told.
    #[track_caller]
    pub fn client_dials(&self, to: SocketAddr, listener: &Listener) -> Data {
        let from = self.setting.client();
        let client = on(&self.machines.clients, || dial(from, to)).expect("the data connection");
        let server = listener.accepts();
        Data { client, server }
    }

    /// The server dials what it was told, and the proxy the client or nobody.
    #[track_caller]
    pub fn server_dials(&self, listener: &Listener, to: SocketAddr) -> Data {
        let from = self.setting.server();
        let server = on(&self.machines.server, || dial(from, to)).expect("the data connection");
        let client = listener.accepts();
        Data { client, server }
    }

    /// Whether anybody answers who dials `to` from this address on the clients' wire.
    #[track_caller]
    pub fn is_reached(&self, from: IpAddr, to: SocketAddr) -> bool {
        on(&self.machines.clients, || {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
            socket.connect_timeout(&to.into(), MOMENT).is_ok()
        })
    }

    /// A whole download by this verb.
    #[track_caller]
    pub fn downloads_by(&mut self, verb: &str) {
        let data = if verb.ends_with("SV") {
            let (to, listener) = self.passive(verb);
            let data = self.client_dials(to, &listener);
            self.exchange("RETR a", "150 here it comes");
            data
        } else {
            let (listener, to) = self.active(verb);
            self.client.says("RETR a");
            self.server.hears("RETR a");
            let data = self.server_dials(&listener, to);
            self.reply("150 here it comes");
            data
        };
        data.downloads();
        self.reply("226 done");
    }

    /// A whole upload over EPSV, which there is in both families.
    #[track_caller]
    pub fn uploads(&mut self) {
        let (to, listener) = self.passive("EPSV");
        let data = self.client_dials(to, &listener);
        self.exchange("STOR a", "150 send it");
        data.uploads();
        self.reply("226 done");
    }

    /// The client says goodbye, and the program ends as it should.
    #[track_caller]
    pub fn quits(&mut self) {
        self.exchange("QUIT", "221 bye");
        self.server.shuts_down();
        self.client.hears_end();
        self.client.shuts_down();
        let status = eventually("the program ends", || self.proxy.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{:#?}", self.log());
    }

    /// The process of the session.
    #[track_caller]
    pub fn session(&self) -> Process {
        Process(self.proxy.id())
    }

    /// The session's broker.
    #[track_caller]
    pub fn broker(&self) -> Process {
        let children = self.session().children();
        assert_eq!(children.len(), 1, "children of the session");
        children[0]
    }

    /// Kills the session as nobody can foresee.
    #[track_caller]
    pub fn kills(&mut self) {
        self.proxy.kill().unwrap();
        self.proxy.wait().unwrap();
    }

    /// What the session has logged so far.
    pub fn log(&self) -> Vec<String> {
        processes::log_of(self.proxy.id())
    }

    /// Waits until nothing is granted.
    #[track_caller]
    pub fn grants_nothing(&self) {
        let soon = Duration::from_secs(5); // long before an element expires
        let begun = crate::common::now();
        while !self.machines.granted().is_empty() {
            let granted = self.machines.granted();
            assert!(begun.elapsed() < soon, "still granted: {granted:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.proxy.kill(); // gone already, as a rule
        let _ = self.proxy.wait();
    }
}

impl Data {
    /// From server to client, with the end.
    #[track_caller]
    pub fn downloads(self) {
        carries(&self.server, &self.client);
    }

    /// From client to server, with the end.
    #[track_caller]
    pub fn uploads(self) {
        carries(&self.client, &self.server);
    }
}

#[track_caller]
fn carries(mut from: &TcpStream, mut to: &TcpStream) {
    let sent: Vec<u8> = (0..=250).cycle().take(MUCH).collect();
    let arrived = thread::scope(|scope| {
        scope.spawn(|| {
            from.write_all(&sent).unwrap();
            from.shutdown(Shutdown::Write).unwrap();
        });
        let mut arrived = Vec::new();
        to.read_to_end(&mut arrived).unwrap();
        arrived
    });
    assert!(arrived == sent, "{} bytes of {MUCH}", arrived.len());
}

/// A listener at this address of the machine it is made on.
#[track_caller]
pub fn bound(ip: IpAddr, port: u16) -> TcpListener {
    TcpListener::bind((ip, port)).unwrap()
}

/// Hands the next client to `program`: descriptors 0, 1 and 2 are all its connection.
#[track_caller]
pub fn as_inetd(
    machines: &Machines,
    front: &TcpListener,
    program: &[&str],
    options: &[&str],
) -> Child {
    let inherited = OwnedFd::from(accept(front));
    let copy = || Stdio::from(inherited.try_clone().unwrap());
    machines
        .gateway
        .command(program[0])
        .args(&program[1..])
        .args(options)
        .stdin(copy())
        .stdout(copy())
        .stderr(copy())
        .spawn()
        .unwrap()
}

#[track_caller]
pub fn accept(listener: &TcpListener) -> TcpStream {
    assert!(
        crate::common::readable(listener, PATIENCE),
        "nobody came; the log: {:#?}",
        world::logged_since(0)
    );
    listener.accept().unwrap().0
}
