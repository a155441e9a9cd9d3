//! The command line: words in, [`Options`] out, by one table that also makes `--help` and is held against the manual.
//!
//! Pure: nothing here opens, resolves or looks up anything. A user's name is judged in `privs`, a host's in `net`.

#![forbid(unsafe_code)]

mod announce;
mod balancer;
mod bounds;
mod data;
mod data_from;
mod destination;
mod given;
mod permits;
mod table;

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::endpoint::{PortRange, parse_port};
use crate::permit::Permit;
pub use announce::AnnounceOptions;
pub use balancer::{Balancers, Send};
pub use bounds::{Bounds, Idle};
pub use data::{DataPath, LogRules, RuleOptions};
pub use data_from::DataFrom;
pub use destination::{Destination, IpfLookup};
use given::Given;
pub use table::{Opt, TABLE, help};

/// The user that root is dropped to unless `-u` names another (ftp-proxy(8)).
pub const USER: &str = "proxy";

/// The user that packages make for this program, taken where there is no [`USER`].
pub const OWN_USER: &str = "_ftp-proxy";

/// Sessions at a time unless `--max-sessions` says otherwise.
const MAX_SESSIONS: usize = 100;

/// Sessions at a time of one client unless `--max-sessions-per-client` says otherwise. Clients that transfer in parallel open 2
/// to 10.
const MAX_SESSIONS_PER_CLIENT: usize = 20;

/// Longest time-out taken, in seconds: a year. Longer is a slip of the finger and would only overflow somewhere.
const MAX_TIMEOUT: u64 = 31_536_000;

/// A command line that was understood. Made only by [`parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The one way to learn the destination.
    pub destination: Destination,
    /// `-A`: only `ftp` and `anonymous` may log in.
    pub anonymous_only: bool,
    /// `-a`: source address of connections to servers.
    pub source_to_server: Option<IpAddr>,
    /// `-S`: source address of data connections to clients.
    pub source_to_client: Option<IpAddr>,
    /// `--accept-proxy-protocol`, `--data-proxy-protocol`, `--send-proxy-protocol`.
    pub balancers: Balancers,
    /// `--data-from`.
    pub data_from: DataFrom,
    /// `--data-path`.
    pub data_path: DataPath,
    /// `--anchor`, `--tag`, `--queue`, `--log-rules`.
    pub rules: RuleOptions,
    /// `--rewrite-source-port`: active data connections come from port 20.
    pub rewrite_source_port: bool,
    /// `-D`: 0 (silent) to 3.
    pub debug: u8,
    /// `-u`: user to drop to; `None` is [`USER`].
    pub user: Option<String>,
    /// `-g`: group to drop to; `None` is the user's own.
    pub group: Option<String>,
    /// `-m` and `-M`: ports of data connections.
    pub ports: PortRange,
    /// `--strict-ports`: the proxy listens at no others, even if all of them are taken.
    pub strict_ports: bool,
    /// `--masquerade`, `--advertise-port-offset`.
    pub announce: AnnounceOptions,
    /// Sessions give up all that they do not need; `--no-cage`: only root.
    pub cage: bool,
    /// `-n`: passive data is not touched.
    pub nat_mode: bool,
    /// `--deny-command`, `--no-epsv`, `--foreign-address`.
    pub permit: Permit,
    /// `-r`: host names are looked up.
    pub names: bool,
    /// `-t`: when a session in which nothing moves is ended.
    pub idle: Idle,
    /// What a session may take of memory and time.
    pub bounds: Bounds,
    /// `-V`: commands and replies are logged.
    pub verbose: bool,
    /// `-w`: hosts_access(3) decides.
    pub libwrap: bool,
    /// `--listen`: where to accept clients; empty: the client is on descriptor 0 or passed by systemd.
    pub listen: Vec<Listen>,
    /// `--log-stderr`: the log goes to standard error, which is not the client; only with `--listen`.
    pub log_stderr: bool,
    /// `--max-sessions`: 1 to 100000.
    pub max_sessions: usize,
    /// `--max-sessions-per-client`: 0 (any number) to 100000.
    pub max_sessions_per_client: usize,
}

/// `--listen`: a place where clients are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At this address and port.
    At(SocketAddr),
    /// At this port of every address, of both families as far as the system has them.
    Everywhere(u16),
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Serve.
    Run(Box<Options>),
    /// Print [`help`].
    Help,
    /// Print the version.
    Version,
}

/// What is wrong with a command line and what to write instead: one line that names the option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUsage(String);

impl fmt::Display for BadUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadUsage {}

/// Reads the words after the program's name.
///
/// # Errors
/// [`BadUsage`]: print it, exit 64, open nothing.
pub fn parse<I>(args: I) -> Result<Invocation, BadUsage>
where
    I: IntoIterator<Item = OsString>,
{
    let given = Given::read(args)?;
    if given.flag("help") {
        return Ok(Invocation::Help);
    }
    if given.flag("version") {
        return Ok(Invocation::Version);
    }
    if let Some(word) = given.leftover() {
        return Err(BadUsage(format!(
            "{word}: leftover word, every option begins with a dash"
        )));
    }
    let (destination, ports) = (destination::destination(&given)?, ports(&given)?);
    let announce = announce::announce(&given, &destination, ports)?;
    Ok(Invocation::Run(Box::new(Options {
        destination,
        anonymous_only: given.flag("A"),
        source_to_server: given.address("a")?,
        source_to_client: given.address("S")?,
        balancers: balancer::balancers(&given)?,
        data_from: data_from::data_from(&given)?,
        data_path: data::path(&given)?,
        rules: data::rules(&given)?,
        rewrite_source_port: given.flag("rewrite-source-port"),
        debug: given.number("D", 0, 3)?.unwrap_or(0),
        user: given.name("u")?,
        group: given.name("g")?,
        ports,
        // Those who translate for ports that they know lead no other here.
        strict_ports: given.flag("strict-ports") || !announce.offset.is_none(),
        announce,
        cage: !given.flag("no-cage"),
        nat_mode: given.flag("n"),
        permit: permits::permit(&given)?,
        names: given.flag("r"),
        idle: bounds::idle(&given)?,
        bounds: bounds::bounds(&given)?,
        verbose: given.flag("V"),
        libwrap: given.flag("w"),
        listen: listen(&given)?,
        log_stderr: log_stderr(&given)?,
        max_sessions: given
            .number("max-sessions", 1, 100_000)?
            .unwrap_or(MAX_SESSIONS),
        max_sessions_per_client: given
            .number("max-sessions-per-client", 0, 100_000)?
            .unwrap_or(MAX_SESSIONS_PER_CLIENT),
    })))
}

fn ports(given: &Given) -> Result<PortRange, BadUsage> {
    for (name, end, other) in [
        ("m", "lowest", "the highest with -M"),
        ("M", "highest", "the lowest with -m"),
    ] {
        if let Some(range) = given.last(name).filter(|text| is_range(text)) {
            return Err(BadUsage(format!(
                "-{name} {range}: write the {end} port here, and {other}"
            )));
        }
    }
    let (lowest, highest) = (given.port("m")?, given.port("M")?);
    let min = lowest.unwrap_or(PortRange::DEFAULT.min());
    let max = highest.unwrap_or(PortRange::DEFAULT.max());
    PortRange::new(min, max).ok_or_else(|| {
        BadUsage(match lowest {
            Some(_) => format!("-m {min} -M {max}: the lowest port is above the highest"),
            None => format!(
                "-M {max}: this is below the lowest port, which is {min} by default; give -m too"
            ),
        })
    })
}

/// Both ends in one word, as other programs take them.
fn is_range(text: &str) -> bool {
    let ends = text.split_once(['-', ':', ',']);
    ends.is_some_and(|(low, high)| parse_port(low).is_some() && parse_port(high).is_some())
}

fn listen(given: &Given) -> Result<Vec<Listen>, BadUsage> {
    let place = |text: &str| {
        let address = text.parse().ok().filter(|at: &SocketAddr| at.port() != 0);
        let everywhere = parse_port(text).map(Listen::Everywhere);
        everywhere.or(address.map(Listen::At)).ok_or_else(|| {
            BadUsage(format!(
                "--listen {text}: write a port, or an address and a port, as 21, 192.0.2.1:21 or [2001:db8::1]:21"
            ))
        })
    };
    given.all("listen").map(place).collect()
}

fn log_stderr(given: &Given) -> Result<bool, BadUsage> {
    let wanted = given.flag("log-stderr");
    if wanted && !given.flag("listen") {
        return Err(BadUsage(
            "--log-stderr: only with --listen, else standard error is the client".to_owned(),
        ));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::servers::Servers;

    pub(super) fn run(line: &str) -> Result<Options, String> {
        match parse(line.split_whitespace().map(OsString::from)) {
            Ok(Invocation::Run(options)) => Ok(*options),
            Ok(other) => Err(format!("{other:?}")),
            Err(bad) => Err(bad.to_string()),
        }
    }

    #[test]
    fn the_defaults_are_the_ancestors() {
        let options = run("-p").unwrap();
        assert_eq!(
            options,
            Options {
                destination: Destination::Pf,
                anonymous_only: false,
                source_to_server: None,
                source_to_client: None,
                balancers: Balancers::default(),
                data_from: DataFrom::default(),
                data_path: DataPath::Auto,
                rules: RuleOptions {
                    anchor: "ftp-proxy".to_owned(),
                    tag: None,
                    queue: None,
                    log: LogRules::No,
                },
                rewrite_source_port: false,
                debug: 0,
                user: None,
                group: None,
                ports: PortRange::DEFAULT,
                strict_ports: false,
                announce: AnnounceOptions::default(),
                cage: true,
                nat_mode: false,
                permit: Permit::default(),
                names: false,
                idle: Idle::Unset,
                bounds: Bounds::default(),
                verbose: false,
                libwrap: false,
                listen: Vec::new(),
                log_stderr: false,
                max_sessions: 100,
                max_sessions_per_client: 20,
            }
        );
    }

    #[test]
    fn clustered_letters_and_glued_arguments_are_read_as_inetd_lines_write_them() {
        let options = run("-ipAnrVw -p").unwrap_err();
        assert!(options.contains("only one"), "{options}");
        let options = run("-AnrVwD3 -t60 -m 2000 -M3000 -R[2001:db8::1]:2121").unwrap();
        assert!(options.anonymous_only && options.nat_mode && options.names);
        assert!(options.verbose && options.libwrap);
        assert_eq!(options.debug, 3);
        assert_eq!(options.idle, Idle::After(Duration::from_secs(60)));
        assert_eq!(Some(options.ports), PortRange::new(2000, 3000));
        assert_eq!(
            options.destination,
            Destination::Reverse("[2001:db8::1]:2121".parse().unwrap())
        );
    }

    #[test]
    fn reverse_wins_beside_pf_and_ipfilter_and_nothing_else() {
        for line in ["-p -R ftp.example.org", "-R ftp.example.org -i"] {
            assert!(
                matches!(run(line).unwrap().destination, Destination::Reverse(_)),
                "{line}"
            );
        }
        for line in [
            "--netfilter -R a.b",
            "-R a.b --diverted",
            "--forward -R a.b",
        ] {
            assert!(run(line).unwrap_err().contains("-R: only one"), "{line}");
        }
    }

    #[test]
    fn ip_filter_is_asked_as_is_safe_unless_told_how() {
        for (line, lookup) in [
            ("-i", IpfLookup::Auto),
            ("-i --ipf-lookup=list --ipf-lookup auto", IpfLookup::Auto),
            ("--ipf-lookup ioctl -i", IpfLookup::Ioctl),
            ("-i --ipf-lookup=list", IpfLookup::List),
        ] {
            let destination = run(line).unwrap().destination;
            assert_eq!(destination, Destination::IpFilter(lookup), "{line}");
        }
    }

    #[test]
    fn the_last_argument_wins_and_listen_addresses_add_up() {
        let options =
            run("-t 5 -t 0 -D1 -D 2 --listen 127.0.0.1:21 --listen [::1]:21 --forward --forward")
                .unwrap();
        assert_eq!(options.idle, Idle::Never);
        assert_eq!(options.debug, 2);
        assert_eq!(options.listen.len(), 2);
        assert_eq!(
            options.destination,
            Destination::Forward {
                any_port: false,
                to: Servers::Usual
            }
        );
    }

    #[test]
    fn networks_of_servers_add_up_in_forward_mode() {
        let options =
            run("--forward --forward-to 10.0.0.0/8 --forward-to=192.0.2.1,2001:db8::/32").unwrap();
        let networks = "10.0.0.0/8,192.0.2.1,2001:db8::/32".parse().unwrap();
        let to = Servers::Among(networks);
        let any_port = false;
        assert_eq!(options.destination, Destination::Forward { any_port, to });
        for (line, complaint) in [
            (
                "-R a.b --forward-to 10.0.0.0/8",
                "--forward-to: only with --forward",
            ),
            (
                "--forward --forward-to 10.0.0.1/8",
                "--forward-to 10.0.0.1/8: ",
            ),
            ("--forward --forward-to private", "--forward-to private: "),
        ] {
            let said = run(line).unwrap_err();
            assert!(said.starts_with(complaint), "{said}");
        }
    }

    #[test]
    fn help_and_version_need_no_destination() {
        assert_eq!(run("-V --help").unwrap_err(), "Help");
        assert_eq!(run("--version").unwrap_err(), "Version");
    }
}
