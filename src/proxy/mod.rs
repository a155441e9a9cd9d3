//! The life of a session, and how the program comes to have one.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd;

use crate::datapath::{Legs, Relayed};
use crate::destination::{self, Guard, Unreachable};
use crate::endpoint::HostPort;
use crate::error::Error;
use crate::ftp::{Session, Terms};
use crate::listen::{self, Passed, Served};
use crate::log::{Log, escaped};
use crate::nat::{self, Engine, NatError, Redirected};
use crate::net::{self, LocalAddresses, SourcePort, with_port};
use crate::options::{Destination, Options};
use crate::privs::{Dropped, Root};
use crate::relay::{Control, Dialled, Relay, Summary};
use crate::signals::Signals;
use crate::wrappers::Wrappers;

/// The daemon's name in hosts.allow(5).
const DAEMON: &str = "ftp-proxy";

/// Runs the program as the options tell: one session from descriptor 0, or a super-server with one child for each.
///
/// # Errors
/// Why the process ends; the client, if there is one, has been told.
pub fn run(options: &Options, log: &Log) -> Result<(), Error> {
    let engine = nat::engine(&options.destination)?;
    if let Some(danger) = engine.as_ref().and_then(|e| e.warning()) {
        log.warning(format_args!("{danger}"));
    }
    let wrappers = options.libwrap.then(Wrappers::load).transpose()?;
    let root = Root::begin(options.user.as_deref(), options.group.as_deref())?;
    let (client, standing) = match listen::passed()? {
        Passed::Connection(client) => (client, Standing::Root(root)),
        Passed::None if options.listen.is_empty() => (net::take_stdin()?, Standing::Root(root)),
        passed => {
            let listeners = match passed {
                Passed::Listeners(listeners) => listeners,
                _ => listen::bind(
                    &options.listen,
                    options.destination == Destination::Diverted,
                )?,
            };
            // Whatever needs root for each session anew keeps it until then; nothing else does.
            let named =
                matches!(&options.destination, Destination::Reverse(server) if server.is_name());
            let keep = named || engine.as_ref().is_some_and(|e| e.needs_root());
            let standing = if keep {
                Standing::Root(root)
            } else {
                Standing::Dropped(root.drop(log)?)
            };
            match listen::serve(listeners, options.max_sessions, log)? {
                Served::Ended => return Ok(()),
                Served::Client(client) => (client.into(), standing),
            }
        }
    };
    let proxy = Proxy {
        options,
        engine,
        wrappers,
        log,
    };
    proxy.serve(client, standing)
}

/// What every session of this process has in common.
struct Proxy<'a> {
    options: &'a Options,
    engine: Option<Engine>,
    wrappers: Option<Wrappers>,
    log: &'a Log,
}

/// Root for now, or not any more.
enum Standing {
    Root(Root),
    Dropped(Dropped),
}

/// Where a session goes.
struct Destined {
    /// The addresses of the server, to be tried in turn; none if the client has yet to name it.
    servers: Vec<SocketAddr>,
    /// What the client dialled, and dials again after a 229.
    dialled: SocketAddr,
    guard: Guard,
}

/// A session that does not come about: what the client hears after 421, and the operator.
struct Refusal(&'static str, Error);

impl Proxy<'_> {
    /// The life of a session.
    fn serve(&self, client: TcpStream, standing: Standing) -> Result<(), Error> {
        let signals = Signals::catch().map_err(Error::os("cannot catch signals"))?;
        match self.set_up(&client, standing) {
            Ok((destined, dropped, ends)) => {
                self.carry(client, &destined, &dropped, ends, &signals)
            }
            Err(refusal) => Err(turn_away(&client, refusal)),
        }
    }

    /// Everything before a byte of the client's is read: whence, whither, as whom, may it.
    fn set_up(
        &self,
        client: &TcpStream,
        standing: Standing,
    ) -> Result<(Destined, Dropped, Redirected), Refusal> {
        let ends = net::ends(client).map_err(|e| Refusal("Connection lost.", gone(&e)))?;
        let ends = Redirected {
            client: ends.0,
            proxy: ends.1,
        };
        let destined = self.destination(client, ends)?;
        let dropped = match standing {
            Standing::Root(root) => root.drop(self.log).map_err(fault)?,
            Standing::Dropped(dropped) => dropped,
        };
        self.admit(client, &ends, &destined)?;
        Ok((destined, dropped, ends))
    }

    fn destination(&self, client: &TcpStream, ends: Redirected) -> Result<Destined, Refusal> {
        let local =
            LocalAddresses::read().map_err(|e| fault(Error::os("cannot list interfaces")(e)))?;
        let guard = |client_chose| Guard {
            local,
            proxy: ends.proxy,
            client: ends.client.ip(),
            client_chose,
        };
        let (servers, dialled, guard) = match (&self.options.destination, &self.engine) {
            (Destination::Reverse(server), _) => (resolve(server)?, ends.proxy, guard(false)),
            (_, Some(engine)) => {
                let original = engine
                    .original_dst(client.as_fd(), &ends)
                    .map_err(|e| no_destination(&ends, &e))?;
                let original = net::canonical(original);
                (vec![original], original, guard(false))
            }
            _ => (Vec::new(), ends.proxy, guard(true)),
        };
        // At once, before the log says accepted: a loop makes a process a turn.
        if let [server] = servers.as_slice() {
            guard.check(*server).map_err(|why| refused(&ends, &why))?;
        }
        Ok(Destined {
            servers,
            dialled,
            guard,
        })
    }

    /// The tcp wrappers' word, and the log's.
    fn admit(
        &self,
        socket: &TcpStream,
        ends: &Redirected,
        destined: &Destined,
    ) -> Result<(), Refusal> {
        let server = destined.servers.first().copied();
        let name = |at: SocketAddr| {
            if self.options.names {
                net::name_of(at.ip())
            } else {
                None
            }
        };
        let (client_name, server_name) = (name(ends.client), server.and_then(name));
        let shown = |at: SocketAddr, name: &Option<String>| match name {
            Some(name) => format!("{}:{}", escaped(name.as_bytes()), at.port()),
            None => at.to_string(),
        };
        let (client, to) = (
            shown(ends.client, &client_name),
            server.map_or_else(
                || "a server to be named".to_owned(),
                |at| shown(at, &server_name),
            ),
        );
        if let Some(wrappers) = &self.wrappers {
            // A client that has named no server yet is judged by where it came in.
            let at = (server.unwrap_or(ends.proxy), server_name.as_deref());
            let from = (ends.client, client_name.as_deref());
            if !wrappers.allows(DAEMON, socket.as_fd(), from, at) {
                let text = format!("tcpwrappers rejected: {client} -> {to}");
                return Err(Refusal("Access denied.", Error::Denied(text)));
            }
        }
        self.log
            .info(format_args!("accepted connection from {client} to {to}"));
        Ok(())
    }

    fn carry(
        &self,
        client: TcpStream,
        destined: &Destined,
        dropped: &Dropped,
        ends: Redirected,
        signals: &Signals,
    ) -> Result<(), Error> {
        let (legs, epsv) = match self.legs(destined, dropped, &ends) {
            Ok(legs) => legs,
            Err(refusal) => return Err(turn_away(&client, refusal)),
        };
        let mut data = Relayed::new(legs, self.log);
        let server = if destined.servers.is_empty() {
            None
        } else {
            match self.dial(destined, &destined.servers, &mut data) {
                Ok(server) => Some(server),
                Err(why) => return Err(turn_away(&client, unreachable(&why))),
            }
        };
        let terms = Terms {
            client: ends.client.ip(),
            epsv,
            anonymous_only: self.options.anonymous_only,
            nat_mode: self.options.nat_mode,
            any_port: self.options.destination == Destination::Forward { any_port: true },
        };
        let relay = Relay {
            session: Session::new(terms, server.as_ref().map(|(_, address)| *address)),
            client: Control::new(client).map_err(|e| gone(&e))?,
            server: server
                .map(|(stream, _)| Control::new(stream))
                .transpose()
                .map_err(Error::os("the server has gone"))?,
            data,
            dial: &mut |name, data| self.dial_named(destined, name, data),
            idle: self.options.timeout,
            signals,
            log: self.log,
        };
        let summary = relay.run(dropped).map_err(Error::os("cannot poll"))?;
        self.log_end(&summary);
        Ok(())
    }

    /// The addresses of both sides' data connections, and whether the client reaches us with EPSV.
    fn legs(
        &self,
        destined: &Destined,
        dropped: &Dropped,
        ends: &Redirected,
    ) -> Result<(Legs, bool), Refusal> {
        let no_way = |e| fault(Error::os("no way back to the client")(e));
        let local = &destined.guard.local;
        // Where a filter delivers to the loopback, or leaves the server's address in place, our end is not an address
        // at which the client finds us.
        let usable = local.contains(ends.proxy.ip())
            && (!ends.proxy.ip().is_loopback() || local.contains(ends.client.ip()));
        let facing_client = if usable {
            ends.proxy
        } else {
            net::address_toward(ends.client).map_err(no_way)?
        };
        let source = self
            .options
            .source_to_client
            .filter(|ip| ip.is_ipv4() == ends.client.is_ipv4());
        let legs = Legs {
            client: ends.client,
            facing_client,
            source_to_client: source.map_or(facing_client, |ip| SocketAddr::new(ip, 0)),
            source_port: if dropped.is_root() {
                SourcePort::FtpData
            } else {
                SourcePort::Among(self.options.ports)
            },
            server: with_port(ends.client, 0),
            facing_server: facing_client,
            ports: self.options.ports,
        };
        Ok((legs, facing_client.ip() == destined.dialled.ip()))
    }

    /// Connects to the server, and the data path with it.
    fn dial(
        &self,
        destined: &Destined,
        servers: &[SocketAddr],
        data: &mut Relayed<'_>,
    ) -> Result<(TcpStream, IpAddr), Unreachable> {
        let server = destined
            .guard
            .dial(servers, self.options.source_to_server)?;
        let (at, ours) =
            net::ends(&server).map_err(|e| Unreachable::Silent(destined.guard.proxy, e))?;
        self.log.info(format_args!("connected to {at} from {ours}"));
        data.reach(at, ours);
        Ok((server, at.ip()))
    }

    /// Forward mode: the client has named its server.
    fn dial_named(&self, destined: &Destined, name: &HostPort, data: &mut Relayed<'_>) -> Dialled {
        let result = destination::resolve(name).and_then(|found| self.dial(destined, &found, data));
        match result {
            Ok((server, address)) => Dialled::Connected(server, address),
            Err(why) => {
                self.log.info(format_args!("refused {name}: {why}"));
                match why {
                    Unreachable::Forbidden(_) => Dialled::Forbidden(why.reply()),
                    _ => Dialled::Unreachable(why.reply()),
                }
            }
        }
    }

    fn log_end(&self, summary: &Summary) {
        let totals = summary.totals;
        self.log.info(format_args!(
            "session ended: {} transfers, {} bytes to client, {} bytes to server, {:.3} s ({})",
            totals.transfers,
            totals.to_client,
            totals.to_server,
            summary.time.as_secs_f64(),
            summary.end,
        ));
    }
}

/// The client hears why there is no session (RFC 959 §5.4: 421 may be the greeting).
fn turn_away(mut client: &TcpStream, Refusal(reply, error): Refusal) -> Error {
    let _ = client.write_all(format!("421 {reply}\r\n").as_bytes()); // gone already: nobody to tell
    net::farewell(client);
    error
}

/// Whoever only knocks, as scanners do, is nothing for the operator to mend.
fn gone(error: &io::Error) -> Error {
    Error::Peer(format!("the client has gone: {error}"))
}

fn fault(error: Error) -> Refusal {
    Refusal("The proxy is in trouble.", error)
}

fn resolve(server: &HostPort) -> Result<Vec<SocketAddr>, Refusal> {
    destination::resolve(server).map_err(|why| unreachable(&why))
}

fn unreachable(why: &Unreachable) -> Refusal {
    Refusal(why.reply(), Error::NoHost(why.to_string()))
}

fn refused(ends: &Redirected, why: &Unreachable) -> Refusal {
    Refusal(
        why.reply(),
        Error::Protocol(format!("refused {}: {why}", ends.client)),
    )
}

fn no_destination(ends: &Redirected, why: &NatError) -> Refusal {
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
