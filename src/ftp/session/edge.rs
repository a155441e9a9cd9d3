//! The edge's half: what it answers to what the session wants done, how data fares, and what to wait for.

use std::net::{IpAddr, SocketAddr};

use super::super::Side;
#[cfg(doc)]
use super::super::action::Action;
use super::super::action::{DataEnd, End, NOT_OPENED, NoData};
use super::super::addr::{EprtArgument, PortArgument};
use super::Session;
use super::expected::{Data, Expected, Parked};
use super::passive::FOREIGN;

/// What a client hears for whom nobody listens because each port is taken. RFC 959 §5.4 has no 4xx for PORT and PASV,
/// servers have: it is the code by which a client knows that another time may do (docs/conformance.md).
const NO_PORT: &[u8] = b"425 Every port for data connections is taken; try again.\r\n";

/// The same, if it is for another reason.
const NO_DATA: &[u8] = b"500 No data connection is to be had now; try again.\r\n";

/// What a client hears that names a host which nobody may have dialled.
const FORBIDDEN: &[u8] = b"501 That address is not allowed.\r\n";

impl Session {
    /// Answers [`Action::Prepare`]: somebody listens at `at`, on an address that the dialling peer can reach.
    pub fn prepared(&mut self, at: SocketAddr) {
        match self.parked.take() {
            Some(Parked::Active { extended }) => {
                self.data = Data::READY;
                self.flowing = false;
                // The client's own verb where the families allow it; PORT is what every IPv4 server knows.
                let line = match at {
                    SocketAddr::V4(at) if !(extended && self.terms.client.is_ipv4()) => {
                        format!("PORT {}\r\n", PortArgument(at))
                    }
                    at => format!("EPRT {}\r\n", EprtArgument(at)),
                };
                self.deeds.last_resort = line.starts_with("PORT") || at.is_ipv6();
                self.ask(line.into_bytes(), Expected::Active);
            }
            Some(Parked::Passive { asked, sent, words }) => {
                self.passive_prepared(asked, sent, words.as_deref(), at);
            }
            other => self.parked = other,
        }
    }

    /// Answers [`Action::Prepare`]: nobody can.
    pub fn unprepared(&mut self, why: NoData) {
        let reply = match why {
            NoData::Ports => NO_PORT,
            NoData::Forbidden if matches!(self.parked, Some(Parked::Passive { .. })) => FOREIGN,
            NoData::Forbidden => FORBIDDEN,
            NoData::Other => NO_DATA,
        };
        match self.parked.take() {
            Some(Parked::Active { .. }) => {
                self.own(reply);
            }
            Some(Parked::Passive { .. }) => {
                self.answer(reply);
            }
            other => self.parked = other,
        }
    }

    /// Answers [`Action::Dial`]: the server at `server` has accepted; its greeting will come.
    pub fn connected(&mut self, server: IpAddr) {
        if let Some(Parked::Dial(login)) = self.parked.take() {
            self.server = Some(server);
            self.outstanding.push_back(Expected::Hidden(login));
        }
    }

    /// Answers [`Action::Dial`]: no such server, or none that answers. The session ends (RFC 959 §4.2.2, 421).
    pub fn unreachable(&mut self, why: &str) {
        if let Some(Parked::Dial(_)) = self.parked.take() {
            self.say(format!("421 {why}\r\n").as_bytes());
            self.end(End::NoServer);
        }
    }

    /// Answers [`Action::Dial`]: this server is not for this client, who may name another.
    pub fn forbidden(&mut self, why: &str) {
        if let Some(Parked::Dial(_)) = self.parked.take() {
            self.say(format!("530 {why}\r\n").as_bytes());
        }
    }

    /// Says how the data connection fares that was prepared last. The first failure stays, and so does a delivery
    /// that was all the transfer needed.
    pub fn data_ended(&mut self, end: DataEnd) {
        let done = self
            .transfer()
            .is_some_and(|direction| !self.data.is_under_way(direction));
        // The server's port may be filtered: where clients turn to PASV by themselves, that reaches another port.
        self.no_epsv |= self.by_epsv && end == DataEnd::ServerUnreachable;
        if end == DataEnd::Unopened && !matches!(self.data, Data::Ready { .. }) {
            self.early_is_due();
        }
        match (&mut self.data, end) {
            (Data::Ready { client, .. }, DataEnd::Delivered(Side::Client)) => *client = true,
            (Data::Ready { server, .. }, DataEnd::Delivered(Side::Server)) => *server = true,
            (Data::Ready { .. }, DataEnd::Elsewhere) => self.data = Data::Elsewhere,
            (Data::Ready { .. }, end) if !done => self.data = Data::Failed(end),
            _ => {}
        }
    }

    /// A data connection failed, and the transfer's own answer is still to come: if it does not come within a few
    /// seconds, call [`Session::server_is_silent`].
    #[must_use]
    pub fn awaits_verdict(&self) -> bool {
        let transfer = matches!(self.outstanding.front(), Some(Expected::Transfer { .. }));
        let failed = matches!(self.data, Data::Failed(_));
        transfer && failed && !self.replies.is_open() && !self.ended
    }

    /// The edge has waited long enough for the server's word on a data connection that failed: the client gets ours,
    /// and the server's, should it come, is dropped.
    pub fn server_is_silent(&mut self) {
        let (true, Data::Failed(end)) = (self.awaits_verdict(), self.data) else {
            return;
        };
        if let Some(front) = self.outstanding.front_mut() {
            front.swallow();
        }
        self.data = Data::None;
        self.say(end.contradicts_success().unwrap_or(NOT_OPENED));
    }

    /// Commands wait behind an ABOR that the server has not answered: if it does not within a moment, call
    /// [`Session::abor_is_unanswered`].
    #[must_use]
    pub fn awaits_abor(&self) -> bool {
        let pending = |e: &Expected| matches!(e, Expected::Abor { given_up: false });
        !self.from_client.is_empty() && self.outstanding.iter().any(pending)
    }

    /// The server does not answer ABOR, or not yet: the commands behind it go on.
    pub fn abor_is_unanswered(&mut self) {
        for expected in &mut self.outstanding {
            if let Expected::Abor { given_up } = expected {
                *given_up = true;
            }
        }
    }

    /// The server has said that the transfer is done, and the client will hear it when its data is. If no data
    /// connection has been made, say so by [`DataEnd::Unopened`] after a moment.
    #[must_use]
    pub fn holds_reply(&self) -> bool {
        self.holding || self.has_early()
    }

    /// The server owes a reply, or the rest of one. What is encrypted may be either.
    #[must_use]
    pub fn awaits_server(&self) -> bool {
        let owed = |e: &Expected| !matches!(e, Expected::Own(_));
        self.opaque || self.replies.is_open() || self.outstanding.iter().any(owed)
    }

    /// The server has let the client in: it says so (RFC 2228 §5.4 has 232), or does what it does for nobody else; until REIN. Of what is
    /// encrypted it is assumed.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.logged_in || self.opaque
    }

    /// A transfer has been asked for, and its final reply has not been given.
    #[must_use]
    pub fn is_transferring(&self) -> bool {
        self.transfer().is_some()
    }

    /// A transfer is under way whose bytes nobody sees: silence means nothing.
    #[must_use]
    pub fn data_moves_unseen(&self) -> bool {
        let begun = |e: &Expected| matches!(e, Expected::Transfer { begun: true, .. });
        let elsewhere = match self.data {
            Data::Elsewhere => true,
            // The client has dialled the server.
            Data::None => self.terms.nat_mode,
            _ => false,
        };
        elsewhere && self.outstanding.iter().any(begun)
    }

    /// A transfer is under way, or could be: what is encrypted cannot be read.
    #[must_use]
    pub fn may_be_transferring(&self) -> bool {
        self.is_transferring() || self.opaque
    }

    /// The client will say no more, so nobody but a working server keeps the session going.
    #[must_use]
    pub fn is_winding_up(&self) -> bool {
        self.client_closed
    }

    /// Whether data may be written to the client: it has been told that the transfer begins.
    #[must_use]
    pub fn data_may_flow(&self) -> bool {
        self.flowing
    }
}
