//! A whole session: client, proxy and server, connected and greeted.

use std::net::{SocketAddr, TcpStream};

use super::address::{Ends, address_in, extended, numbers, port_in};
use super::fake::{Control, Listener, dial, read_all, send_all};
use super::process::Proxy;

/// The three parties of one session in reverse mode.
pub struct Session {
    pub client: Control,
    pub server: Control,
    pub proxy: Proxy,
    pub ends: Ends,
}

impl Session {
    /// Everybody in IPv4.
    #[must_use]
    #[track_caller]
    pub fn begin(options: &[&str]) -> Self {
        Session::between(Ends::V4, options)
    }

    #[must_use]
    #[track_caller]
    pub fn between(ends: Ends, options: &[&str]) -> Self {
        Session::started(ends, options, Proxy::inherits)
    }

    /// By whoever starts the program with a client and options.
    #[must_use]
    #[track_caller]
    pub fn started(
        ends: Ends,
        options: &[&str],
        start: impl FnOnce(TcpStream, &[&str]) -> Proxy,
    ) -> Self {
        let there = Listener::at(ends.server);
        let (client, inherited) = control_pair(ends);
        let server = there.address().to_string();
        let options: Vec<&str> = ["-R", server.as_str()]
            .iter()
            .chain(options)
            .copied()
            .collect();
        let proxy = start(inherited, &options);
        let mut session = Session {
            client: Control::over(client, "client"),
            server: Control::over(there.accepts(), "server"),
            proxy,
            ends,
        };
        session.server.says("220 ready");
        session.client.hears("220 ready");
        session
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

    /// A command that passes as it is, and the mark that its transfer begins.
    #[track_caller]
    pub fn begin_transfer(&mut self, command: &str) {
        self.exchange(command, "150 here it comes");
    }

    /// PASV: where the client is to dial, and the listener that the server named.
    #[track_caller]
    pub fn pasv(&mut self) -> (SocketAddr, Listener) {
        let listener = Listener::at(self.ends.server);
        self.client.says("PASV");
        self.server.hears("PASV");
        self.server.says(&format!(
            "227 Entering Passive Mode ({})",
            numbers(listener.address())
        ));
        let line = self.client.hears_code("227 ");
        (address_in(&line), listener)
    }

    /// EPSV: where the client is to dial, and the listener that the server named.
    #[track_caller]
    pub fn epsv(&mut self) -> (SocketAddr, Listener) {
        let listener = Listener::at(self.ends.server);
        self.client.says("EPSV");
        self.server.hears("EPSV");
        self.server.says(&format!(
            "229 Entering Extended Passive Mode (|||{}|)",
            listener.address().port()
        ));
        let port = port_in(&self.client.hears_code("229 "));
        (SocketAddr::new(self.ends.front, port), listener)
    }

    /// A passive data connection, open from end to end.
    #[track_caller]
    pub fn passive_data(&mut self) -> DataEnds {
        let (to, listener) = self.pasv();
        self.dials(to, &listener)
    }

    /// The client dials, and the proxy dials the server.
    #[track_caller]
    pub fn dials(&self, to: SocketAddr, listener: &Listener) -> DataEnds {
        let client = dial(self.ends.client, to).expect("the data connection");
        DataEnds {
            client,
            server: listener.accepts(),
        }
    }

    /// PORT: the client's listener, and where the server is to dial.
    #[track_caller]
    pub fn port(&mut self) -> (Listener, SocketAddr) {
        let listener = Listener::at(self.ends.client);
        let argument = numbers(listener.address());
        self.active(listener, &format!("PORT {argument}"))
    }

    /// EPRT: the client's listener, and where the server is to dial.
    #[track_caller]
    pub fn eprt(&mut self) -> (Listener, SocketAddr) {
        let listener = Listener::at(self.ends.client);
        let argument = extended(listener.address());
        self.active(listener, &format!("EPRT {argument}"))
    }

    #[track_caller]
    fn active(&mut self, listener: Listener, command: &str) -> (Listener, SocketAddr) {
        self.client.says(command);
        let to = address_in(&self.server.hears_line());
        self.reply("200 well then");
        (listener, to)
    }

    /// An active data connection, open from end to end, of a transfer that has begun.
    #[track_caller]
    pub fn active_data(&mut self, command: &str) -> DataEnds {
        let (listener, to) = self.port();
        self.client.says(command);
        self.server.hears(command);
        let server = dial(self.ends.server, to).expect("the data connection");
        self.reply("150 here it comes");
        DataEnds {
            client: listener.accepts(),
            server,
        }
    }

    /// The next transfer is as any, and then the session ends as it should.
    #[track_caller]
    pub fn goes_on(mut self) {
        self.downloads("next");
        self.quits();
    }

    /// A passive transfer of that name, which arrives whole.
    #[track_caller]
    pub fn downloads(&mut self, name: &str) {
        let data = self.passive_data();
        self.begin_transfer(&format!("RETR {name}"));
        let file = format!("the file {name}");
        send_all(&data.server, file.as_bytes());
        assert_eq!(read_all(&data.client).unwrap(), file.as_bytes());
        drop(data);
        self.reply("226 done");
    }

    /// The client says goodbye, and the program ends as it should.
    #[track_caller]
    pub fn quits(mut self) {
        self.exchange("QUIT", "221 bye");
        drop(self.server);
        self.client.hears_end();
        drop(self.client);
        assert_eq!(self.proxy.ends().code(), Some(0), "the exit code");
    }
}

/// Both ends of one data connection.
pub struct DataEnds {
    pub client: TcpStream,
    pub server: TcpStream,
}

/// The client's end and the accepted one, which inetd hands to the program.
#[must_use]
pub fn control_pair(ends: Ends) -> (TcpStream, TcpStream) {
    let front = Listener::front(ends.front);
    let client = dial(ends.client, front.address()).expect("the control connection");
    (client, front.accepts())
}
