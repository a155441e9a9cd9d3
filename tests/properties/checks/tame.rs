//! The plainest of talks: a server that says the same to every line, and nobody who could stand in for data.

use ftp_proxy::ftp::{Action, DataPlan, NoData, Session, Side, Terms};

use super::script::{CLIENT, SERVER};

/// What came of a talk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// Synch and refusals of Telnet apart.
    pub to_server: Vec<Vec<u8>>,
    pub to_client: Vec<Vec<u8>>,
    pub plans: Vec<DataPlan>,
}

/// What the server says to every line.
pub const ANSWER: &[u8] = b"500 No.\r\n";

/// Ordinary terms.
pub fn terms() -> Terms {
    Terms::of(CLIENT)
}

/// The client says this, in pieces of `cut` bytes.
pub fn talk(client: &[u8], cut: usize) -> Talk {
    let mut session = Session::new(terms(), Some(SERVER));
    let mut talk = Talk::default();
    session.receive(Side::Server, b"220 Hi.\r\n");
    talk.obey(&mut session);
    for piece in client.chunks(cut.max(1)) {
        session.receive(Side::Client, piece);
        talk.obey(&mut session);
    }
    talk
}

impl Talk {
    fn obey(&mut self, session: &mut Session) {
        while let Some(action) = session.poll() {
            match action {
                Action::Send(Side::Server, bytes) if bytes.ends_with(b"\n") => {
                    self.to_server.push(bytes);
                    session.receive(Side::Server, ANSWER);
                }
                Action::Send(Side::Client, bytes) if bytes.ends_with(b"\r\n") => {
                    self.to_client.push(bytes);
                }
                Action::Prepare(plan) => {
                    self.plans.push(plan);
                    session.unprepared(NoData::Other);
                }
                _ => {}
            }
        }
    }
}
