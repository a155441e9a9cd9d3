//! What a session waits for: answers of the server, of the edge, and of the data connection.

use std::net::IpAddr;

use super::super::action::DataEnd;
use super::super::command::{Command, Direction};

/// A command whose reply is outstanding, or a reply of our own that waits for its turn.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    Greeting,
    /// The greeting of a server that the client named; what follows it.
    Hidden(Login),
    Own(Vec<u8>),
    Plain,
    /// A command of the login, or one that servers carry out only behind it: who succeeds with it is in.
    Insider,
    /// `given_up`: the server takes too long, and what the client sent next no longer waits.
    Abor {
        given_up: bool,
    },
    Auth,
    Rein,
    /// `begun`: the first line of its reply, which names no feature, has come.
    Feat {
        begun: bool,
    },
    /// PORT or EPRT.
    Active,
    Passive(Passive),
    Transfer {
        direction: Direction,
        begun: bool,
    },
    /// MODE; whether it is to keep the data connection open.
    Mode(bool),
    /// A transfer that was answered by us already; the server's own answer comes too late.
    Swallow {
        begun: bool,
    },
}

/// A passive command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passive {
    /// By the client.
    pub(super) asked: Extent,
    /// To the server.
    pub(super) sent: Extent,
    /// The server's port, and its address if the reply has one, in the first line that names them.
    pub(super) found: Option<(u16, Option<IpAddr>)>,
}

impl Passive {
    pub(super) fn of(asked: Extent, sent: Extent) -> Self {
        Passive {
            asked,
            sent,
            found: None,
        }
    }
}

/// PASV and 227, or EPSV and 229.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Pasv,
    Epsv,
}

/// What the client is waiting for while its server is dialled.
#[derive(Clone, Debug)]
pub(super) enum Login {
    User(Vec<u8>),
    Site,
}

/// What the edge has been asked and has not answered.
#[derive(Clone, Debug)]
pub(super) enum Parked {
    /// The verb that the client used.
    Active {
        extended: bool,
    },
    Passive {
        asked: Extent,
        sent: Extent,
        /// The last line of the server's answer, if the client asked in the same way.
        words: Option<Vec<u8>>,
    },
    Dial(Login),
}

impl Expected {
    pub(super) fn answer_to(command: &Command<'_>) -> Self {
        match command {
            Command::Transfer(direction) => Expected::Transfer {
                direction: *direction,
                begun: false,
            },
            Command::Mode(keeps) => Expected::Mode(*keeps),
            Command::Abor => Expected::Abor { given_up: false },
            Command::Auth => Expected::Auth,
            Command::Rein => Expected::Rein,
            Command::Feat => Expected::Feat { begun: false },
            Command::Insider => Expected::Insider,
            _ => Expected::Plain,
        }
    }

    /// The client does not get this one's reply as the server says it.
    pub(super) fn holds_reply(&self) -> bool {
        matches!(
            self,
            Expected::Hidden(_) | Expected::Passive(_) | Expected::Swallow { .. }
        )
    }

    /// The client has had its answer from us.
    pub(super) fn swallow(&mut self) {
        let begun = matches!(self, Expected::Transfer { begun: true, .. });
        *self = Expected::Swallow { begun };
    }

    /// A 125 or 150 came. A command that we do not know can turn out to be a transfer thus.
    pub(super) fn begin(&mut self) {
        match self {
            Expected::Transfer { begun, .. } | Expected::Swallow { begun } => *begun = true,
            Expected::Plain | Expected::Insider => {
                *self = Expected::Transfer {
                    direction: Direction::ToClient,
                    begun: true,
                }
            }
            _ => {}
        }
    }
}

/// The data connection, as far as replies depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    None,
    /// Prepared, perhaps in use; to whom everything has been delivered.
    Ready {
        client: bool,
        server: bool,
    },
    Failed(DataEnd),
    /// Prepared, and carried by somebody who does not say how it fares.
    Elsewhere,
}

impl Data {
    pub(super) const READY: Data = Data::Ready {
        client: false,
        server: false,
    };

    /// Something is still to be delivered. An upload is over, too, when the server has closed its end.
    pub(super) fn is_under_way(self, direction: Direction) -> bool {
        match (self, direction) {
            (Data::Ready { client, .. }, Direction::ToClient) => !client,
            (Data::Ready { client, server }, Direction::ToServer) => !client && !server,
            _ => false,
        }
    }

    /// The state after a transfer's final reply: after a refusal, a connection that nobody used can serve the next.
    pub(super) fn after_reply(self, code: u16, begun: bool) -> Self {
        let unused = self == Data::READY || self == Data::Elsewhere && !begun;
        if code >= 300 && unused {
            self
        } else {
            Data::None
        }
    }
}
