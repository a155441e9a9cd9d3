//! May this client have a session?

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;

use super::Proxy;
use super::refusal::Refusal;
use crate::error::Error;
use crate::log::escaped;
use crate::nat::Redirected;
use crate::net;
use crate::options::Destination;

/// The daemon's name in hosts.allow(5).
const DAEMON: &str = "ftp-proxy";

impl Proxy<'_> {
    /// The tcp wrappers' word, and the log's.
    pub(super) fn admit(
        &self,
        socket: &TcpStream,
        ends: &Redirected,
        balancer: Option<SocketAddr>,
        servers: &[SocketAddr],
    ) -> Result<(), Refusal> {
        let name = |at: &SocketAddr| {
            if self.options.names {
                net::name_of(at.ip())
            } else {
                None
            }
        };
        let shown = |at: &SocketAddr, name: &Option<String>| match name {
            Some(name) => format!("{}:{}", escaped(name.as_bytes()), at.port()),
            None => at.to_string(),
        };
        let client_name = name(&ends.client);
        let client = shown(&ends.client, &client_name);
        let servers: Vec<_> = servers.iter().map(|at| (at, name(at))).collect();
        let to = match (servers.as_slice(), &self.options.destination) {
            ([], _) => "a server to be named".to_owned(),
            // Which of its addresses it will be is not known yet.
            ([_, _, ..], Destination::Reverse(server)) => server.to_string(),
            ([(at, name), ..], _) => shown(at, name),
        };
        if let Some(wrappers) = &self.wrappers {
            // A client that has named no server yet is judged by where it came in, and one of a server with several
            // addresses by each of them.
            let places = match servers.as_slice() {
                [] => &[(&ends.proxy, None)],
                servers => servers,
            };
            let from = (ends.client, client_name.as_deref());
            let denied = |(at, name): &(&SocketAddr, Option<String>)| {
                !wrappers.allows(DAEMON, socket.as_fd(), from, (**at, name.as_deref()))
            };
            if places.iter().any(denied) {
                let text = format!(
                    "refused {client} to {to}: hosts.allow and hosts.deny do not permit it"
                );
                return Err(Refusal("Access denied.", Error::Denied(text)));
            }
        }
        let way = balancer.map_or_else(String::new, |at| format!(" by way of {at}"));
        self.log.info(format_args!(
            "accepted connection from {client}{way} to {to}"
        ));
        Ok(())
    }
}
