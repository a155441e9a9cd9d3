//! `-w`: the tcp wrapper rules of hosts.allow(5) and hosts.deny(5), asked after the destination is known.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::error::Error;
use crate::sys::libwrap::{Host, Libwrap};

/// Where the library looks for its rules.
const TABLES: [&str; 2] = ["/etc/hosts.allow", "/etc/hosts.deny"];

/// The library, ready to be asked.
pub struct Wrappers(Libwrap);

impl Wrappers {
    /// Loads the library.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is not installed; with `-w` nobody may be served.
    pub fn load() -> Result<Wrappers, Error> {
        Libwrap::load().map(Wrappers).map_err(|error| {
            Error::Unavailable(format!(
                "-w: install libwrap (tcp wrappers) or leave -w out: {error}"
            ))
        })
    }

    /// Whether the rules for `daemon` permit this client to reach this server: each is an address and, with `-r`, the
    /// name that belongs to it. Rules on names see `unknown` otherwise. `socket` is the client, for rules that write to
    /// it or put a program in our place (hosts_options(5) `banners`, `twist`).
    ///
    /// A table that exists but cannot be read denies everybody: the library would take it for an empty one, and an
    /// empty hosts.deny permits all.
    #[must_use]
    pub fn allows(
        &self,
        daemon: &str,
        socket: BorrowedFd<'_>,
        client: (SocketAddr, Option<&str>),
        server: (SocketAddr, Option<&str>),
    ) -> bool {
        let Ok(daemon) = CString::new(daemon) else {
            return false;
        };
        let (client, server) = (Host::new(client.0, client.1), Host::new(server.0, server.1));
        let permitted = self.0.hosts_access(&daemon, socket, &client, &server);
        permitted && TABLES.iter().all(|table| readable_or_absent(table))
    }
}

fn readable_or_absent(table: &str) -> bool {
    match File::open(table) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
