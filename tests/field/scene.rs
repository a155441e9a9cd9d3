//! The two peers, with the proxy between them or without.

use std::net::{SocketAddr, TcpStream};

use crate::common::address::{Ends, address_in, numbers, port_in};
use crate::common::fake::{Control, Listener, dial};
use crate::common::process::Proxy;
use crate::common::session::control_pair;

pub struct Scene {
    pub client: Control,
    pub server: Control,
    /// Where the client dials what a 229 names.
    dialled: std::net::IpAddr,
    _proxy: Option<Proxy>,
}

const ENDS: Ends = Ends::V4;

impl Scene {
    pub fn direct() -> Scene {
        let (client, server) = control_pair(ENDS);
        let mut scene = Scene {
            client: Control::over(client, "client"),
            server: Control::over(server, "server"),
            dialled: ENDS.server,
            _proxy: None,
        };
        scene.replies("220 ready");
        scene
    }

    pub fn proxied(options: &[&str]) -> Scene {
        let there = Listener::at(ENDS.server);
        let (client, inherited) = control_pair(ENDS);
        let server = there.address().to_string();
        let options: Vec<_> = ["-R", &server].iter().chain(options).copied().collect();
        let proxy = Proxy::inherits(inherited, &options);
        let mut scene = Scene {
            client: Control::over(client, "client"),
            server: Control::over(there.accepts(), "server"),
            dialled: ENDS.front,
            _proxy: Some(proxy),
        };
        scene.replies("220 ready");
        scene
    }

    pub fn way(&self) -> &'static str {
        match self._proxy {
            Some(_) => "with the proxy",
            None => "directly",
        }
    }

    /// A command reaches the server as it is.
    #[track_caller]
    pub fn asks(&mut self, line: &str) {
        self.client.says(line);
        self.server.hears(line);
    }

    /// A reply reaches the client as it is.
    #[track_caller]
    pub fn replies(&mut self, line: &str) {
        self.server.says(line);
        self.client.hears(line);
    }

    /// The code of the next line that the client gets.
    #[track_caller]
    pub fn code(&mut self) -> String {
        self.client.hears_line()[..3].to_owned()
    }

    /// The server's port for data, and its numbers as PASV has them.
    pub fn listens() -> (Listener, String) {
        let listener = Listener::at(ENDS.server);
        let numbers = numbers(listener.address());
        (listener, numbers)
    }

    /// A passive data connection, open from end to end: the client's end and the server's.
    #[track_caller]
    pub fn passive(&mut self) -> (TcpStream, TcpStream) {
        let (listener, at) = Scene::listens();
        self.asks("PASV");
        self.server.says(&format!("227 ok ({at})"));
        let to = address_in(&self.client.hears_code("227 "));
        self.dials(to, &listener)
    }

    /// The client dials what a 229 has named.
    #[track_caller]
    pub fn dials_229(&mut self, listener: &Listener) -> (TcpStream, TcpStream) {
        let port = port_in(&self.client.hears_code("229 "));
        self.dials(SocketAddr::new(self.dialled, port), listener)
    }

    #[track_caller]
    pub fn dials(&self, to: SocketAddr, listener: &Listener) -> (TcpStream, TcpStream) {
        let client = dial(ENDS.client, to).expect("the data connection");
        (client, listener.accepts())
    }
}
