//! One session's control connection: who asked what, whose answer this is, what has to be rewritten.
//!
//! Bytes go in by [`Session::receive`], what is to be done comes out of [`Session::poll`]. Two things make it stop
//! and wait for the edge: [`Action::Prepare`] (answered by [`Session::prepared`] or [`Session::unprepared`]) and
//! [`Action::Dial`] (answered by [`Session::connected`] or [`Session::unreachable`]). Until then no line is read.
//!
//! The heart is the queue of outstanding commands. A reply is matched with the command that it answers, so a 227
//! means an address only as the answer to the PASV that asked for it (CERT VU#328867; docs/ancestors.md, D31). What the
//! proxy itself has to say takes its place in the same queue, so pipelined commands get their replies in order.

mod addresses;
mod chosen;
mod client;
mod deeds;
mod early;
mod edge;
mod expected;
mod passive;
mod server;
mod unasked;

use std::collections::VecDeque;
use std::net::IpAddr;

use self::deeds::Deeds;
use self::early::Early;
use self::expected::{Data, Expected, Parked};
use self::unasked::Unasked;
use super::Side;
use super::action::{Action, End, Note, Terms};
use super::command::Direction;
use super::forward::ProxyLogin;
use super::line::{Lines, body};
use super::reply::Replies;
use super::telnet::{IAC, Taken, Telnet};
use crate::endpoint::HostPort;

/// The least port that a data connection may have: those below belong to services (RFC 2577 §3).
const LEAST_DATA_PORT: u16 = 1024;

/// Commands that may wait for their answer unless the terms say otherwise; more stay unread, which the client notices as
/// back-pressure.
pub const MAX_OUTSTANDING: usize = 64;

/// The first byte of a TLS connection: the type of the record that holds the client's hello (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The machine; see the head of this file.
#[derive(Clone, Debug)]
pub struct Session {
    terms: Terms,
    /// `None` until a client in forward mode has named one.
    server: Option<IpAddr>,
    /// What that client called it.
    named: Option<HostPort>,
    /// It named the server in USER.
    by_user: bool,
    /// The client logs in to a firewall, too, which this proxy is not.
    login_at_proxy: Option<ProxyLogin>,
    telnet: Telnet,
    from_client: Lines,
    from_server: Lines,
    client_closed: bool,
    server_closed: bool,
    replies: Replies,
    /// The server's line under way is a piece of a long one, and not its first.
    in_tail: bool,
    /// And its first piece could name a third host.
    tail_is_judged: bool,
    /// The log knows of a long line.
    long_line: bool,
    outstanding: VecDeque<Expected>,
    /// The place in `outstanding` that the reply under way belongs to; `None`: nothing asked for it.
    answering: Option<usize>,
    unasked: Unasked,
    parked: Option<Parked>,
    /// The final reply to a transfer has come, and stays unread until its data has been delivered.
    holding: bool,
    early: Early,
    deeds: Deeds,
    data: Data,
    /// Data may flow to the client: it has been told of the transfer.
    flowing: bool,
    /// MODE B or C: the data connection outlasts its transfers.
    keeps_open: bool,
    epsv_all: bool,
    /// EPSV toward the server has been of no use.
    no_epsv: bool,
    /// The server's port of the data connection is from a 229.
    by_epsv: bool,
    /// TLS runs through, in NAT mode: nothing can be read any more.
    opaque: bool,
    /// And the client has begun it.
    hello: bool,
    /// The log knows that more commands came than may wait.
    crowded: bool,
    /// The server has let the client in.
    logged_in: bool,
    /// The server has said 221 or 421.
    goodbye: bool,
    finished_server: bool,
    ended: bool,
    actions: VecDeque<Action>,
}

impl Session {
    /// A session with the server at `server`, or with the one that the client will name if that is `None`.
    #[must_use]
    pub fn new(terms: Terms, server: Option<IpAddr>) -> Self {
        let mut session = Session {
            server,
            named: None,
            by_user: false,
            login_at_proxy: None,
            telnet: Telnet::default(),
            from_client: Lines::of_at_most(terms.max_line),
            from_server: Lines::in_pieces_of(terms.max_line),
            terms,
            client_closed: false,
            server_closed: false,
            replies: Replies::default(),
            in_tail: false,
            tail_is_judged: false,
            long_line: false,
            outstanding: VecDeque::new(),
            answering: None,
            unasked: Unasked::default(),
            parked: None,
            holding: false,
            early: Early::default(),
            deeds: Deeds::default(),
            data: Data::None,
            flowing: false,
            keeps_open: false,
            epsv_all: false,
            no_epsv: false,
            by_epsv: false,
            opaque: false,
            hello: false,
            crowded: false,
            logged_in: false,
            goodbye: false,
            finished_server: false,
            ended: false,
            actions: VecDeque::new(),
        };
        match server {
            Some(_) => session.outstanding.push_back(Expected::Greeting),
            None => session.say(b"220 Name your server: USER user@host[:port]\r\n"),
        }
        session
    }

    // ---- the edge's half ----

    /// Bytes from one side's control connection. Call it only while [`Session::wants_bytes`] says so. `true`: they ended a
    /// line, or are none of our business; `false`: there is only a part of a line yet.
    pub fn receive(&mut self, side: Side, bytes: &[u8]) -> bool {
        if self.opaque {
            let tls = self.tls(side, bytes);
            if !tls.is_empty() {
                self.actions
                    .push_back(Action::Send(side.other(), tls.to_vec()));
            }
            return true;
        }
        match side {
            Side::Client => bytes
                .iter()
                .for_each(|&byte| self.receive_from_client(byte)),
            Side::Server => bytes.iter().for_each(|&byte| self.from_server.push(byte)),
        }
        !self.wants_bytes(side)
    }

    /// What of these bytes is TLS, which begins with the client's hello. What either side has said in clear before it is
    /// dropped, wherever it was cut: nobody may take it for something that was said under protection (CVE-2011-0411).
    fn tls<'a>(&mut self, side: Side, bytes: &'a [u8]) -> &'a [u8] {
        let hello = match side {
            _ if self.hello => Some(0),
            Side::Client => bytes.iter().position(|&byte| byte == TLS_HANDSHAKE),
            Side::Server => None,
        };
        self.hello = hello.is_some();
        hello.map_or(&[], |at| &bytes[at..])
    }

    /// Clients send Telnet commands between their own commands, and names hold any byte: in a legacy encoding 255 is a letter.
    /// What a server reads as Telnet there is between the client and that server, as it is without a proxy.
    fn receive_from_client(&mut self, byte: u8) {
        if self.from_client.is_in_argument() {
            return self.from_client.push(byte);
        }
        match self.telnet.take(byte) {
            Taken::Nothing => {}
            Taken::Byte(byte) => self.from_client.push(byte),
            Taken::Pair(byte) => {
                self.from_client.push(IAC);
                self.from_client.push(byte);
            }
            Taken::Refuse(answer) => self
                .actions
                .push_back(Action::Send(Side::Client, answer.to_vec())),
            Taken::Synch => self.from_client.synch(),
        }
    }

    /// This side will send no more.
    pub fn closed(&mut self, side: Side) {
        match side {
            Side::Client => self.client_closed = true,
            Side::Server => self.server_closed = true,
        }
    }

    /// Whether bytes of this side may be handed in now; otherwise leave them in the kernel.
    #[must_use]
    pub fn wants_bytes(&self, side: Side) -> bool {
        match side {
            Side::Client => self.from_client.is_empty() && !self.client_closed,
            Side::Server => self.from_server.is_empty() && !self.server_closed,
        }
    }

    /// The client's control connection broke. An upload goes on: a device that closes with replies unread has sent all its
    /// data, and a reset of its control connection does not say otherwise.
    pub fn client_lost(&mut self) {
        if self.transfer() == Some(Direction::ToServer) && !self.ended {
            self.client_closed = true;
        } else {
            self.end(End::Client);
        }
    }

    /// Ends the session from outside (a time-out, a signal): the client hears `421 why`.
    pub fn stop(&mut self, why: &str) {
        if !self.ended && !self.opaque {
            self.say(format!("421 {why}\r\n").as_bytes());
        }
        self.end(End::Stopped);
    }

    /// The next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Some(action);
            }
            if self.ended
                || self.parked.is_some()
                || !(self.take_reply() || self.take_command() || self.take_close())
            {
                return None;
            }
        }
    }

    // ---- both ----

    /// Acts on a side that has closed, once all its lines have been acted on.
    fn take_close(&mut self) -> bool {
        if self.server_closed && self.from_server.is_empty() {
            self.pass_rest();
            if !self.goodbye && !self.opaque {
                self.say(b"421 The server has closed the connection.\r\n");
            }
            self.end(if self.goodbye {
                End::Server
            } else {
                End::ServerLost
            });
            return true;
        }
        if self.client_closed && self.from_client.is_empty() {
            self.end_reply_if_perhaps_over();
            // It may have closed only its own half, and still read the answers to what it asked.
            if self
                .outstanding
                .iter()
                .all(|e| matches!(e, Expected::Greeting))
            {
                self.end(End::Client);
                return true;
            }
            // Some servers end an upload with the control connection.
            let uploads = self.transfer() == Some(Direction::ToServer);
            if !uploads && !std::mem::replace(&mut self.finished_server, true) {
                self.actions.push_back(Action::Finish(Side::Server));
                return true;
            }
        }
        false
    }

    /// A reply of our own, after those of all commands before.
    fn own(&mut self, reply: &[u8]) {
        self.outstanding.push_back(Expected::Own(reply.to_vec()));
        self.give_own();
    }

    fn give_own(&mut self) {
        // What the client does not get cannot be cut by our own words.
        while !self.replies.is_passing(self.answering.is_some()) {
            match self.outstanding.pop_front() {
                Some(Expected::Own(reply)) => self.say(&reply),
                Some(other) => return self.outstanding.push_front(other),
                None => return,
            }
        }
    }

    fn transfer(&self) -> Option<Direction> {
        self.outstanding.iter().find_map(|e| match e {
            Expected::Transfer { direction, .. } => Some(*direction),
            _ => None,
        })
    }

    /// The data connection is over, or becomes free for the next transfer. What goes on elsewhere has to be told so.
    fn leave(&mut self, after: Data) {
        if self.data == Data::Elsewhere && after == Data::None {
            self.actions.push_back(Action::Discard);
        }
        self.data = after;
    }

    fn discard(&mut self) {
        if self.data != Data::None {
            self.data = Data::None;
            self.actions.push_back(Action::Discard);
        }
    }

    /// Hands a line of the server on.
    fn pass(&mut self, mut line: Vec<u8>) {
        if line.is_empty() {
            return; // it has passed before
        }
        self.hide_third_hosts(&mut line);
        self.actions.push_back(Action::Send(Side::Client, line));
    }

    /// Says something to the client in our own words.
    fn say(&mut self, reply: &[u8]) {
        self.note(Note::Said(Side::Client, body(reply).to_vec()));
        self.actions
            .push_back(Action::Send(Side::Client, reply.to_vec()));
    }

    fn note(&mut self, note: Note) {
        self.actions.push_back(Action::Note(note));
    }

    fn end(&mut self, why: End) {
        if !self.ended {
            self.ended = true;
            self.actions.push_back(Action::End(why));
        }
    }
}
