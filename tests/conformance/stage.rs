//! The pure session between two peers made of strings. The edge is played too.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ftp_proxy::ftp::{Action, DataEnd, DataPlan, NoData, Session, Side, Terms};

pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

/// What comes of a wish to dial.
#[derive(Clone, Copy)]
pub enum Dialled {
    Connected,
    Unreachable,
    Forbidden,
}

pub struct Stage {
    session: Session,
    from_client: VecDeque<Vec<u8>>,
    from_server: VecDeque<Vec<u8>>,
    pub client_heard: Vec<u8>,
    pub server_heard: Vec<u8>,
    pub plans: Vec<DataPlan>,
    /// Where the edge listens when it is asked to; why nowhere if it cannot.
    pub listening_at: Result<SocketAddr, NoData>,
    pub dialled: Dialled,
    pub ended: bool,
}

pub fn terms(client: IpAddr) -> Terms {
    Terms::of(client)
}

impl Stage {
    /// A session with this server, or one in forward mode.
    pub fn set(terms: Terms, server: Option<IpAddr>) -> Stage {
        let mut stage = Stage {
            session: Session::new(terms, server),
            from_client: VecDeque::new(),
            from_server: VecDeque::new(),
            client_heard: Vec::new(),
            server_heard: Vec::new(),
            plans: Vec::new(),
            listening_at: Ok(SocketAddr::new(PROXY, 50001)),
            dialled: Dialled::Connected,
            ended: false,
        };
        stage.turn();
        stage
    }

    /// Between two IPv4 peers, greeted.
    pub fn greeted() -> Stage {
        Stage::set(terms(CLIENT), Some(SERVER)).greet()
    }

    pub fn greet(mut self) -> Stage {
        self.server("220 hi\r\n");
        self.client_heard.clear();
        self
    }

    /// The client says this at once.
    pub fn client(&mut self, bytes: impl AsRef<[u8]>) {
        self.from_client.push_back(bytes.as_ref().to_vec());
        self.turn();
    }

    /// The server says this at once.
    pub fn server(&mut self, bytes: impl AsRef<[u8]>) {
        self.from_server.push_back(bytes.as_ref().to_vec());
        self.turn();
    }

    pub fn server_goes(&mut self) {
        self.session.closed(Side::Server);
        self.turn();
    }

    pub fn data(&mut self, end: DataEnd) {
        self.session.data_ended(end);
        self.turn();
    }

    pub fn server_is_silent(&mut self) {
        self.session.server_is_silent();
        self.turn();
    }

    pub fn stop(&mut self) {
        self.session.stop("Stopped.");
        self.turn();
    }

    /// What the client has heard since it was last asked.
    pub fn heard(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.client_heard)).into_owned()
    }

    fn turn(&mut self) {
        loop {
            while let Some(action) = self.session.poll() {
                self.obey(action);
            }
            let (side, bytes) = if let Some(bytes) = self.next(Side::Server) {
                (Side::Server, bytes)
            } else if let Some(bytes) = self.next(Side::Client) {
                (Side::Client, bytes)
            } else {
                return;
            };
            self.session.receive(side, &bytes);
        }
    }

    fn next(&mut self, side: Side) -> Option<Vec<u8>> {
        if self.ended || !self.session.wants_bytes(side) {
            return None;
        }
        match side {
            Side::Client => self.from_client.pop_front(),
            Side::Server => self.from_server.pop_front(),
        }
    }

    fn obey(&mut self, action: Action) {
        match action {
            Action::Send(Side::Client, bytes) | Action::Urgent(Side::Client, bytes) => {
                self.client_heard.extend(bytes);
            }
            Action::Send(Side::Server, bytes) | Action::Urgent(Side::Server, bytes) => {
                self.server_heard.extend(bytes);
            }
            Action::Prepare(plan) => {
                self.plans.push(plan);
                match self.listening_at {
                    Ok(at) => self.session.prepared(at),
                    Err(why) => self.session.unprepared(why),
                }
            }
            Action::Dial(_) => match self.dialled {
                Dialled::Connected => self.session.connected(SERVER),
                Dialled::Unreachable => self.session.unreachable("Cannot be reached."),
                Dialled::Forbidden => self.session.forbidden("Not for you."),
            },
            Action::Discard | Action::Finish(_) | Action::Note(_) => {}
            Action::End(_) => self.ended = true,
        }
    }
}
