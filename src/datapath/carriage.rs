//! A data connection that is open on both sides.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::pump::{Broken, Pump};
use super::spare::Spare;
use super::{Ready, Source, Watch};
use crate::ftp::Side;
use crate::net;

/// A data connection that moves fewer bytes in [`PERIOD`] has no use for a wide conduit. The conduits of all sessions share a
/// bound (pipe(7), pipe-user-pages-soft), and connections that stand still must not use it up.
const FAST: u64 = 4 << 20;

/// How often that is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Both sockets of a data connection, and the two directions between them.
#[derive(Debug)]
pub(super) struct Carriage {
    pub(super) client: Socket,
    pub(super) server: Socket,
    pub(super) to_client: Pump,
    pub(super) to_server: Pump,
    pub(super) since: Instant,
    /// Both peers are probed when they are silent.
    kept_alive: bool,
    /// When a conduit became wide or was last looked at, and the bytes delivered until then.
    looked_at: (Instant, u64),
}

impl Carriage {
    pub(super) fn new(client: Socket, server: Socket, now: Instant) -> Self {
        Carriage {
            client,
            server,
            to_client: Pump::default(),
            to_server: Pump::default(),
            since: now,
            kept_alive: false,
            looked_at: (now, 0),
        }
    }

    /// When [`Carriage::keep_alive`] is to be called.
    pub(super) fn lasts_at(&self) -> Option<Instant> {
        (!self.kept_alive).then(|| self.since + PERIOD)
    }

    /// Has both peers probed once the connection lasts: for a small file that would be a waste of system calls.
    pub(super) fn keep_alive(&mut self, now: Instant, every: Option<Duration>) {
        if self.lasts_at().is_some_and(|at| at <= now) {
            for socket in [&self.client, &self.server] {
                let _ = net::keep_alive(socket, every); // gone already: its end is read next
            }
            self.kept_alive = true;
        }
    }

    /// When [`Carriage::narrow`] is to look at the conduits.
    pub(super) fn deadline(&self, spare: &Spare) -> Option<Instant> {
        self.is_wide(spare).then(|| self.looked_at.0 + PERIOD)
    }

    /// Narrows wide conduits unless the connection is fast.
    pub(super) fn narrow(&mut self, spare: &mut Spare, now: Instant) {
        let bytes = self.to_client.bytes() + self.to_server.bytes();
        match self.deadline(spare) {
            Some(deadline) if now < deadline => return,
            Some(_) if bytes - self.looked_at.1 < FAST => {
                self.to_client.narrow();
                self.to_server.narrow();
                spare.narrow();
            }
            _ => {}
        }
        self.looked_at = (now, bytes);
    }

    fn is_wide(&self, spare: &Spare) -> bool {
        self.to_client.is_wide() || self.to_server.is_wide() || spare.is_wide()
    }

    /// Carries each way what [`Carriage::watch`] has found ready to go; how it broke, if it did.
    pub(super) fn turn(
        &mut self,
        ready: &Ready,
        flow: bool,
        spare: &mut Spare,
    ) -> Result<bool, String> {
        let client = ready.has(Source::Data(Side::Client));
        let server = ready.has(Source::Data(Side::Server));
        let (mut to_server, mut to_client) = (false, false);
        if awaited(&self.to_server, client, server) {
            let result = self.to_server.turn(&self.client, &self.server, spare);
            to_server = result.map_err(|broken| broken.describe("client", "server"))?;
        }
        if awaited(&self.to_client, flow && server, client) {
            let result = self.to_client.turn(&self.server, &self.client, spare);
            to_client = result.map_err(|broken| broken.describe("server", "client"))?;
        }
        Ok(to_server || to_client)
    }

    pub(super) fn watch<'a>(&'a self, flow: bool, watch: &mut Watch<'a>) {
        let (to_client, to_server) = (&self.to_client, &self.to_server);
        watch.add(
            Source::Data(Side::Client),
            self.client.as_fd(),
            to_server.wants_to_read(),
            to_client.wants_to_write(),
        );
        watch.add(
            Source::Data(Side::Server),
            self.server.as_fd(),
            flow && to_client.wants_to_read(),
            to_server.wants_to_write(),
        );
    }

    pub(super) fn reset(&self) {
        net::reset(&self.client);
        net::reset(&self.server);
    }

    /// Resets whoever has not had the end of what it was being sent; whether that was anything.
    pub(super) fn reset_unfinished(&self) -> bool {
        let mut cut = false;
        for (pump, sink) in [
            (&self.to_client, &self.client),
            (&self.to_server, &self.server),
        ] {
            if !pump.is_finished() {
                net::reset(sink);
                cut |= pump.bytes() > 0;
            }
        }
        cut
    }
}

/// Whether the one of its ends that this direction waits for is ready.
fn awaited(pump: &Pump, source: bool, sink: bool) -> bool {
    (pump.wants_to_read() && source) || (pump.wants_to_write() && sink)
}

impl Broken {
    fn describe(&self, source: &str, sink: &str) -> String {
        let (who, error) = match self {
            Broken::Source(error) => (source, error),
            Broken::Sink(error) => (sink, error),
        };
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => format!("reset by {who}"),
            _ => format!("failed: {who}: {error}"),
        }
    }
}
