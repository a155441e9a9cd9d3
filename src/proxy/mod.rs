//! How the program comes to have a session; its life is in `life`.

#![forbid(unsafe_code)]

mod admission;
mod announced;
mod caging;
mod destined;
mod foreseen;
mod introduction;
mod life;
mod reach;
mod refusal;

use self::caging::leave_terminal;
use self::refusal::{fault, turn_away, turn_away_stdin};
use crate::cidr::Networks;
use crate::datapath::Choice;
use crate::error::Error;
use crate::listen::{self, Passed, Room, Served};
use crate::log::Log;
use crate::nat::{self, Engine};
use crate::net::{self, Interfaces};
use crate::options::{Destination, Options};
use crate::permit::{Foreign, ForeignAddresses};
use crate::privs::{Dropped, Root};
use crate::signals::Signals;
use crate::sys::tracing;
use crate::wrappers::Wrappers;

/// Runs the program as the options tell: one session from descriptor 0, or a super-server with one child for each.
///
/// # Errors
/// Why the process ends; the client, if there is one, has been told.
pub fn run(options: &Options, log: &Log) -> Result<(), Error> {
    tracing::forbid().map_err(Error::os("cannot forbid tracing"))?;
    let begun = Proxy::begin(options, log);
    let (mut proxy, root) = begun.map_err(|error| unserved(options, error, log))?;
    let (client, begun, standing) = match listen::passed()? {
        Passed::Connection(client) => {
            net::leave_standard_descriptors(log.is_on_stderr())?;
            leave_terminal();
            (client, None, Standing::Root(root))
        }
        Passed::None if options.listen.is_empty() => {
            let client = net::take_stdin(log.is_on_stderr()).map_err(turn_away_stdin)?;
            leave_terminal();
            (client, None, Standing::Root(root))
        }
        passed => {
            proxy.listens = true;
            root.prove(log)?;
            let listeners = match passed {
                Passed::Listeners(listeners) => listeners,
                _ => listen::bind(
                    &options.listen,
                    options.destination == Destination::Diverted,
                )?,
            };
            proxy.foresee(&root);
            let mut standing = Standing::Root(proxy.super_server(root)?);
            let count = listeners.len();
            let prepare = || proxy.prepare(&mut standing, count);
            match listen::serve(listeners, room(options), prepare, log)? {
                Served::Ended => return Ok(()),
                Served::Client(client, signals, beginning) => {
                    (client.into(), Some((signals, beginning)), standing)
                }
            }
        }
    };
    let (signals, beginning) = begun.unzip();
    let signals = match signals {
        Some(signals) => signals,
        None => Signals::catch().map_err(|error| {
            turn_away(
                &client,
                fault(Error::os("cannot catch signals")(error)),
                log,
            )
        })?,
    };
    proxy.serve(client, &signals, standing, beginning)
}

fn room(options: &Options) -> Room<'_> {
    Room {
        sessions: options.max_sessions,
        per_client: options.max_sessions_per_client,
        balancers: options.balancers.accept.as_ref(),
    }
}

/// What every session of this process has in common.
struct Proxy<'a> {
    options: &'a Options,
    choice: Choice,
    engine: Option<Engine>,
    wrappers: Option<Wrappers>,
    /// Clients come to listeners of this process.
    listens: bool,
    log: &'a Log,
}

impl<'a> Proxy<'a> {
    /// Everything that can be found wanting before there is a session.
    fn begin(options: &'a Options, log: &'a Log) -> Result<(Self, Root), Error> {
        let engine = nat::engine(&options.destination)?;
        if let Some(danger) = engine.as_ref().and_then(|e| e.warning()) {
            log.warning(format_args!("{danger}"));
        }
        let choice = Choice::make(options)?;
        let wrappers = options.libwrap.then(Wrappers::load).transpose()?;
        if options.listen.is_empty() && !listen::is_passed() {
            net::is_given_a_client()?;
        }
        let root = Root::begin(options.user.as_deref(), options.group.as_deref(), log)?;
        log_choice(&choice, log);
        if !options.cage {
            log.warning(format_args!(
                "--no-cage: sessions give up root and nothing else; for debugging only"
            ));
        }
        warn_of_third_hosts(options.permit.foreign, log);
        if options
            .balancers
            .accept
            .as_ref()
            .is_some_and(Networks::are_wide)
        {
            log.warning(format_args!(
                "--accept-proxy-protocol: with these networks a client can claim any address; name the balancers alone"
            ));
        }
        let proxy = Proxy {
            options,
            choice,
            engine,
            wrappers,
            listens: false,
            log,
        };
        Ok((proxy, root))
    }
}

/// Root for now, or not any more.
enum Standing {
    Root(Root),
    /// With the way to ask for our addresses, it is in its cage already.
    Dropped(Dropped, Option<Interfaces>),
}

impl Standing {
    /// Whether what can be done before there is a client has been done.
    fn is_prepared(&self) -> bool {
        matches!(self, Standing::Dropped(_, Some(_)))
    }
}

/// Once a process: what its sessions have, and what the operator could do for them.
fn log_choice(choice: &Choice, log: &Log) {
    match &choice.why {
        Some(why) => log.notice(format_args!(
            "data path: relay, some clients need redirect ({why})"
        )),
        None => log.info(format_args!("data path: {}", choice.path)),
    }
}

/// Whoever allows it shall know what that is called.
fn warn_of_third_hosts(foreign: ForeignAddresses, log: &Log) {
    if foreign.active == Foreign::Allow {
        log.warning(format_args!(
            "--foreign-address allow: clients choose to which host the proxy connects (bounce attack)"
        ));
    }
    if foreign.passive == Foreign::Allow {
        log.warning(format_args!(
            "--foreign-address allow: servers choose to which host the proxy connects"
        ));
    }
}

/// Under inetd there is a client already, who must hear that nothing comes of it.
fn unserved(options: &Options, error: Error, log: &Log) -> Error {
    if !options.listen.is_empty() {
        return error;
    }
    match net::take_stdin(log.is_on_stderr()) {
        Ok(client) => turn_away(&client, fault(error), log),
        Err(_) => turn_away_stdin(error),
    }
}
