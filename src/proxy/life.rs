//! The life of a session.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::destined::Destined;
use super::refusal::{Refusal, fault, gone, turn_away};
use super::{Proxy, Standing};
use crate::announce::Told;
use crate::broker::{Broker, Rights};
use crate::datapath::{self, DataPath, Kernel, Legs, Relayed, Totals};
use crate::error::Error;
use crate::ftp::{Session, Terms};
use crate::listen::Beginning;
use crate::nat::Redirected;
use crate::net::{self, LocalAddresses, SourcePort};
use crate::options::{self, Destination, Idle};
use crate::privs::{Dropped, Root};
use crate::relay::{Control, Limits, Relay, Summary};
use crate::resolver::{self, Resolver};
use crate::signals::Signals;

/// When a process that listens ends a session without a transfer in which nothing moves, unless `-t` says. Servers have
/// 5 to 15 minutes, so theirs come first; this one ends the sessions of servers that have none.
const QUIET: Duration = Duration::from_secs(3600);

/// A session that may begin.
struct Admitted {
    ends: Redirected,
    destined: Destined,
    legs: Legs,
    broker: Option<Broker>,
    resolver: Option<Resolver>,
    dropped: Dropped,
}

impl Proxy<'_> {
    /// The life of a session.
    pub(super) fn serve(
        &self,
        client: TcpStream,
        signals: &Signals,
        standing: Standing,
        beginning: Option<Beginning>,
    ) -> Result<(), Error> {
        // Who is not prepared, or waits for a header, waits for others before it comes to the server.
        let alone = standing.is_prepared() && self.options.balancers.accept.is_none();
        let beginning = beginning.filter(|_| alone);
        match self.set_up(&client, standing) {
            Ok(admitted) => self.carry(client, admitted, signals, beginning),
            Err(refusal) => {
                drop(beginning);
                Err(turn_away(&client, refusal, self.log))
            }
        }
    }

    /// Everything before a byte of the client's is read: whence, whither, as whom, may it.
    fn set_up(&self, client: &TcpStream, standing: Standing) -> Result<Admitted, Refusal> {
        let ends = net::ends(client).map_err(|e| Refusal("Connection lost.", gone(&e)))?;
        let ends = Redirected {
            client: ends.0,
            proxy: ends.1,
        };
        self.log.set_client(ends.client);
        let local = match &standing {
            Standing::Dropped(_, Some(interfaces)) => LocalAddresses::of(interfaces),
            _ => LocalAddresses::read(),
        };
        let local = local.map_err(|e| fault(Error::os("cannot list interfaces")(e)))?;
        let mut destined = self.destination(client, ends, local)?;
        let root = match &standing {
            Standing::Root(root) => Some(root),
            Standing::Dropped(..) => None,
        };
        let caged = standing.is_prepared();
        let mut legs = self.legs(&destined, &ends, root)?;
        let (broker, resolver, dropped) = match standing {
            Standing::Root(root) => {
                let broker = self.broker(&legs, &destined, &root)?;
                let resolver = self.resolver(Some(&root))?;
                self.leave_files(&root);
                (broker, resolver, root.drop(self.log).map_err(fault)?)
            }
            Standing::Dropped(dropped, _) => (None, self.resolver(None)?, dropped),
        };
        if dropped.is_root() {
            legs.source_port = SourcePort::FtpData;
        }
        if !self.reads_files() && !caged {
            self.close_cage()?;
        }
        let introduced = self.introduction(client, &ends, &destined.guard.local)?;
        let peer = ends.client;
        let (ends, balancer) = introduced.map_or((ends, None), |told| (told, Some(peer)));
        if self.is_balancer(peer) {
            legs.announced = self.announced(ends.client.ip(), None);
        }
        if balancer.is_some() {
            self.log.set_client(ends.client);
            destined.lead(&ends);
            self.lead(&mut legs, &ends);
        }
        self.admit(client, &ends, balancer, &destined.servers)?;
        if self.reads_files() {
            self.close_cage()?;
        }
        Ok(Admitted {
            ends,
            destined,
            legs,
            broker,
            resolver,
            dropped,
        })
    }

    /// Forward mode: leaves somebody behind who can look up names.
    fn resolver(&self, root: Option<&Root>) -> Result<Option<Resolver>, Refusal> {
        if !matches!(self.options.destination, Destination::Forward { .. }) {
            return Ok(None);
        }
        Resolver::start(root, resolver::PATIENCE, self.log)
            .map(Some)
            .map_err(|error| fault(Error::os("cannot start the resolver")(error)))
    }

    /// Leaves somebody behind who stays privileged, where that is needed.
    fn broker(
        &self,
        legs: &Legs,
        destined: &Destined,
        root: &Root,
    ) -> Result<Option<Broker>, Refusal> {
        if self.choice.needs.is_none() {
            return Ok(None);
        }
        let rights = Rights {
            client: legs.client,
            dialled: destined.dialled.ip(),
            facing_client: legs.facing_client.ip(),
            source_to_client: legs.source_to_client.ip(),
            servers: destined.servers.iter().map(SocketAddr::ip).collect(),
            local: destined.guard.local.clone(),
            ports: legs.ports,
            path: self.choice.path,
            from_port_20: self.options.rewrite_source_port,
            low_ports: self.options.permit.low_ports,
        };
        Broker::start(rights, &self.options.rules, root, self.log)
            .map(Some)
            .map_err(|error| fault(Error::os("cannot start the broker")(error)))
    }

    fn carry(
        &self,
        client: TcpStream,
        admitted: Admitted,
        signals: &Signals,
        mut beginning: Option<Beginning>,
    ) -> Result<(), Error> {
        let begins = beginning.is_some();
        let mut begun = || drop(beginning.take());
        let Admitted {
            ends,
            destined,
            mut legs,
            broker,
            mut resolver,
            dropped,
        } = admitted;
        let server = self.server(&destined, &mut legs, &mut begun);
        let server = server.map_err(|refusal| {
            begun();
            turn_away(&client, refusal, self.log)
        })?;
        let (data, epsv) = self.data_path(legs, &destined, broker);
        let bounds = &self.options.bounds;
        let (idle, quiet) = match self.options.idle {
            Idle::Unset => (None, self.listens.then_some(QUIET)),
            Idle::Never => (None, None),
            Idle::After(time) => (Some(time), None),
        };
        let terms = Terms {
            epsv,
            anonymous_only: self.options.anonymous_only,
            nat_mode: self.options.nat_mode,
            any_port: matches!(
                self.options.destination,
                Destination::Forward { any_port: true, .. }
            ),
            permit: self.options.permit.clone(),
            introduced: net::ends(&client).is_ok_and(|(peer, _)| self.is_balancer(peer)),
            max_line: bounds.line,
            max_command: bounds.command,
            max_outstanding: bounds.outstanding,
            ..Terms::of(ends.client.ip())
        };
        let session = Session::new(terms, server.as_ref().map(|(_, address)| *address));
        let relay = Relay {
            session,
            client: Control::new(client, bounds.keepalive).map_err(|e| gone(&e))?,
            server: server.map(|(control, _)| control),
            data,
            dial: &mut |name, data| self.dial_named(&destined, &mut resolver, name, data),
            begun: begins.then_some(&mut begun),
            limits: Limits {
                queue: bounds.queue,
                idle,
                quiet,
                login: bounds.login,
                accept: bounds.accept,
                stall: bounds.stall,
            },
            keepalive: bounds.keepalive,
            signals,
            log: self.log,
        };
        let summary = relay.run(&dropped).map_err(Error::os("cannot poll"))?;
        self.log_end(&summary);
        Ok(())
    }

    /// Who stands in for data connections, and whether the client reaches that one with EPSV.
    fn data_path<'a>(
        &'a self,
        mut legs: Legs,
        destined: &'a Destined,
        broker: Option<Broker>,
    ) -> (Box<dyn DataPath + 'a>, bool) {
        let (dialled, guard) = (destined.dialled.ip(), &destined.guard);
        let options = self.options;
        let (connect, balancers) = (options.bounds.connect, &options.balancers);
        let data_from = &options.data_from;
        let one_family = legs.client.is_ipv4() == legs.server.is_ipv4();
        match (self.choice.path, broker) {
            (options::DataPath::Kernel, Some(broker)) if one_family => {
                (Box::new(Kernel::new(legs, dialled, broker, self.log)), true)
            }
            (options::DataPath::Redirect, Some(broker)) => {
                legs.announced.address = Told::Instead(dialled);
                // The broker grants no port outside the range.
                legs.strict_ports = true;
                let relayed =
                    Relayed::new(legs, None, connect, guard, balancers, data_from, self.log);
                let redirected = datapath::Redirected::new(relayed, broker, self.log);
                (Box::new(redirected), true)
            }
            (path, broker) => {
                if path == options::DataPath::Kernel {
                    self.log.notice(format_args!(
                        "data path: relay (the packet filter cannot carry data between IPv4 and IPv6)"
                    ));
                }
                let lender = broker.filter(|_| self.options.rewrite_source_port);
                let epsv = destined.leads_to(legs.facing_client);
                let relayed =
                    Relayed::new(legs, lender, connect, guard, balancers, data_from, self.log);
                (Box::new(relayed), epsv)
            }
        }
    }

    fn log_end(&self, summary: &Summary) {
        let Totals {
            transfers,
            granted,
            to_client,
            to_server,
        } = summary.totals;
        let elsewhere = match granted {
            0 => String::new(),
            granted => format!("{granted} data connections left to the packet filter, "),
        };
        self.log.info(format_args!(
            "session ended: {elsewhere}{transfers} transfers, {to_client} bytes to client, \
             {to_server} bytes to server, {:.3} s ({})",
            summary.time.as_secs_f64(),
            summary.end,
        ));
    }
}
