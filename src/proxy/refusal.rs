//! Sessions that do not come about.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::destination::{self, Unreachable};
use crate::endpoint::HostPort;
use crate::error::Error;
use crate::log::Log;
use crate::nat::{NatError, Redirected};
use crate::net;

/// What a peer hears that is no client: nothing.
pub(super) const SILENCE: &str = "";

/// A session that does not come about: what the client hears after 421, or [`SILENCE`], and the operator.
pub(super) struct Refusal(pub(super) &'static str, pub(super) Error);

/// The client hears why there is no session (RFC 959 §5.4: 421 may be the greeting).
/// The log has it before the farewell, which may take its time.
pub(super) fn turn_away(
    mut client: &TcpStream,
    Refusal(reply, error): Refusal,
    log: &Log,
) -> Error {
    let error = log.fault(&error);
    if reply == SILENCE {
        return error; // and what it has sent is not read, so that it learns of it by a reset
    }
    let _ = client.write_all(format!("421 {reply}\r\n").as_bytes()); // gone already: nobody to tell
    net::farewell(client);
    error
}

/// The same for a client that is still at descriptor 0, because there is no descriptor to take it to.
pub(super) fn turn_away_stdin(error: Error) -> Error {
    let Refusal(reply, error) = fault(error);
    net::tell_stdin(&format!("421 {reply}\r\n"));
    error
}

/// Whoever only knocks, as scanners do, is nothing for the operator to mend.
pub(super) fn gone(error: &io::Error) -> Error {
    Error::Peer(format!("the client has gone: {error}"))
}

pub(super) fn fault(error: Error) -> Refusal {
    Refusal("The proxy is in trouble.", error)
}

/// It had accepted.
pub(super) fn server_gone(error: io::Error) -> Refusal {
    Refusal(
        "The server has gone away already.",
        Error::os("the server has gone")(error),
    )
}

/// The addresses of the server of `-R`, in an order of chance.
pub(super) fn resolve(server: &HostPort) -> Result<Vec<SocketAddr>, Refusal> {
    let mut found = destination::resolve(server, None).map_err(|why| unreachable(&why))?;
    // Without random numbers there would be no data ports either: then the order is the least of it.
    let _ = destination::shuffle(&mut found);
    Ok(found)
}

pub(super) fn unreachable(why: &Unreachable) -> Refusal {
    Refusal(why.reply(), Error::NoHost(why.to_string()))
}

pub(super) fn refused(ends: &Redirected, why: &Unreachable) -> Refusal {
    Refusal(
        why.reply(),
        Error::Protocol(format!("refused {}: {why}", ends.client)),
    )
}

pub(super) fn no_destination(ends: &Redirected, why: &NatError) -> Refusal {
    let text = format!("refused {} at {}: {why}", ends.client, ends.proxy);
    match why {
        NatError::NotRedirected(_) => Refusal(
            "This connection was not redirected; no server is known.",
            Error::Protocol(text),
        ),
        NatError::Ambiguous => fault(Error::Protocol(text)),
        NatError::Unavailable(_) | NatError::System(_) => fault(Error::Unavailable(text)),
    }
}
