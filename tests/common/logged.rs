//! A session whose log is read: on a terminal, where `--listen` shows the lines of syslog too.

use std::net::TcpStream;

use super::address::{CLIENT, SERVER, address_in, numbers};
use super::fake::{Control, Listener, dial, read_all, send_all};
use super::listening::Listening;

/// One session of a listening proxy.
pub struct Logged {
    pub log: Listening,
    pub client: Control,
    pub server: Control,
}

impl Logged {
    #[must_use]
    #[track_caller]
    pub fn begin(options: &[&str]) -> Self {
        Logged::by(Listening::begin, options)
    }

    #[must_use]
    #[track_caller]
    pub fn by(listening: impl FnOnce(&[&str]) -> Listening, options: &[&str]) -> Self {
        let there = Listener::at(SERVER);
        let address = there.address().to_string();
        let options: Vec<&str> = [&["-R", address.as_str()], options].concat();
        let log = listening(&options);
        let mut client = log.client();
        let mut server = Control::over(there.accepts(), "server");
        server.says("220 ready");
        client.hears("220 ready");
        Logged {
            log,
            client,
            server,
        }
    }

    #[track_caller]
    pub fn exchange(&mut self, command: &str, reply: &str) {
        self.client.says(command);
        self.server.hears(command);
        self.server.says(reply);
        self.client.hears(reply);
    }

    /// PASV and a data connection: the client's end and the server's.
    #[track_caller]
    pub fn data(&mut self) -> (TcpStream, TcpStream) {
        let listener = Listener::at(SERVER);
        self.client.says("PASV");
        self.server.hears("PASV");
        self.server
            .says(&format!("227 ok ({})", numbers(listener.address())));
        let to = address_in(&self.client.hears_code("227 "));
        (dial(CLIENT, to).unwrap(), listener.accepts())
    }

    /// A download: the bytes that a client gets.
    #[track_caller]
    pub fn downloads(&mut self, file: &[u8]) {
        let (client, server) = self.data();
        self.exchange("RETR a", "150 here");
        send_all(&server, file);
        assert_eq!(read_all(&client).unwrap(), file);
        drop((client, server));
        self.server.says("226 done");
        self.client.hears("226 done");
    }

    /// Says goodbye; then all there is to log is logged.
    #[track_caller]
    pub fn quits(mut self) -> Vec<String> {
        self.exchange("QUIT", "221 bye");
        drop(self.server);
        self.client.hears_end();
        drop(self.client);
        self.log.logs("session ended");
        self.log.seen
    }
}
