//! Every option there is: what the parser, `--help` and the check against the manual have in common.

/// One option, as parser, `--help` and manual page know it.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// The letter, or empty.
    pub short: &'static str,
    /// The long name, or empty.
    pub long: &'static str,
    /// The argument as the manual names it; empty for a flag, and `[=…]` if it may be left out.
    pub argument: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
}

/// Whether an option has an argument.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    None,
    /// As the user likes, and then in the same word.
    Optional,
    Required,
}

/// Every option, sorted as the manual sorts them: letters without regard to case, then long names.
pub const TABLE: &[Opt] = &[
    letter("A", "", "permit only anonymous FTP"),
    letter("a", "address", "source address of connections to servers"),
    letter("D", "debuglevel", "debug output, 0 (none) to 3 (most)"),
    letter("g", "group", "run as this group"),
    letter("i", "", "destination: ask IP-Filter"),
    letter("M", "maxport", "highest port for data connections (65535)"),
    letter("m", "minport", "lowest port for data connections (49152)"),
    letter("n", "", "NAT mode: leave passive data alone"),
    letter("p", "", "destination: ask pf"),
    letter(
        "R",
        "address[:port]",
        "destination: this server (reverse proxy)",
    ),
    letter("r", "", "look up host names for the log and -w"),
    letter("S", "address", "source address of data connections"),
    letter("t", "timeout", "end idle sessions, in seconds (0: never)"),
    letter("u", "user", "run as this user (proxy)"),
    letter("V", "", "log commands and replies"),
    letter("w", "", "obey hosts.allow and hosts.deny"),
    long(
        "accept-proxy-protocol",
        "networks",
        "PROXY protocol: balancers in front of the proxy",
    ),
    long(
        "accept-timeout",
        "seconds",
        "wait so long for a data connection (60)",
    ),
    long(
        "advertise-port-offset",
        "number",
        "clients are told ports so much higher",
    ),
    long(
        "allow-low-ports",
        "",
        "take a server's data port below 1024",
    ),
    long(
        "anchor",
        "name",
        "with pf: where rules are loaded (ftp-proxy)",
    ),
    long(
        "connect-timeout",
        "seconds",
        "connect within this time (30)",
    ),
    long(
        "data-from",
        "side=networks[,side=networks]",
        "data connections may come from there too",
    ),
    long(
        "data-path",
        "path",
        "auto, relay, redirect or kernel (auto)",
    ),
    long(
        "data-proxy-protocol",
        "",
        "PROXY protocol: on passive data too",
    ),
    long("deny-command", "verb[,verb...]", "refuse these commands"),
    long("diverted", "", "destination: the socket's own name"),
    long(
        "foreign-address",
        "treatment",
        "PORT, 227 of another host: refuse, ignore, allow",
    ),
    long("forward", "", "destination: the client names it"),
    long(
        "forward-any-port",
        "",
        "with --forward: ports other than 21 too",
    ),
    long(
        "forward-to",
        "networks",
        "with --forward: servers in these networks alone",
    ),
    long("help", "", "print this and exit"),
    long("ipf-lookup", "way", "with -i: auto, ioctl or list (auto)"),
    long(
        "keepalive",
        "seconds",
        "probe silent peers so often (60; 0: never)",
    ),
    long(
        "listen",
        "[address:]port",
        "accept clients here, without inetd",
    ),
    long(
        "log-rules",
        "[=all]",
        "with pf: log the first packet of data, or all",
    ),
    long(
        "log-stderr",
        "",
        "with --listen: log to standard error, not to syslog",
    ),
    long(
        "login-timeout",
        "seconds",
        "end sessions without a login (300)",
    ),
    long(
        "masquerade",
        "host[,class]",
        "clients are told this for passive data",
    ),
    long(
        "max-command",
        "bytes",
        "longest command that the server gets (512)",
    ),
    long("max-line", "bytes", "longest control line (4096)"),
    long(
        "max-outstanding",
        "number",
        "commands that may wait for answers (64)",
    ),
    long(
        "max-queue",
        "bytes",
        "bytes that may wait for a side (65536)",
    ),
    long(
        "max-sessions",
        "number",
        "sessions at a time with --listen (100)",
    ),
    long(
        "max-sessions-per-client",
        "number",
        "and of one client (20; 0: any number)",
    ),
    long("netfilter", "", "destination: ask Linux netfilter"),
    long(
        "no-cage",
        "",
        "for debugging: give up root and nothing else",
    ),
    long("no-epsv", "", "refuse EPSV"),
    long("queue", "name", "with pf: queue of data connections"),
    long("rewrite-source-port", "", "active data comes from port 20"),
    long(
        "send-proxy-protocol",
        "version[,control]",
        "PROXY protocol: tell the server who the client is",
    ),
    long(
        "server-epsv",
        "yes|no",
        "ask the server by EPSV; no: by PASV alone (yes)",
    ),
    long(
        "stall-timeout",
        "seconds",
        "cut data that stands still so long (600)",
    ),
    long(
        "strict-ports",
        "",
        "listen at no ports but those of -m and -M",
    ),
    long("tag", "name", "with pf: tag of data connections"),
    long("version", "", "print the version and exit"),
];

const fn letter(short: &'static str, argument: &'static str, help: &'static str) -> Opt {
    Opt {
        short,
        long: "",
        argument,
        help,
    }
}

const fn long(long: &'static str, argument: &'static str, help: &'static str) -> Opt {
    Opt {
        short: "",
        long,
        argument,
        help,
    }
}

impl Opt {
    /// The name that the parser knows it by.
    pub(super) fn name(&self) -> &'static str {
        if self.short.is_empty() {
            self.long
        } else {
            self.short
        }
    }

    pub(super) fn takes(&self) -> Argument {
        match self.argument {
            "" => Argument::None,
            optional if optional.starts_with("[=") => Argument::Optional,
            _ => Argument::Required,
        }
    }

    /// As it is written on a command line, with the name of its argument.
    fn synopsis(&self) -> String {
        let space = match self.takes() {
            Argument::Required => " ",
            Argument::None | Argument::Optional => "",
        };
        dashed(self.name()) + space + self.argument
    }
}

/// An option's name as a person writes it.
pub(super) fn dashed(name: &str) -> String {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    format!("{dashes}{name}")
}

/// Columns of `--help` for an option and its argument; a longer one has a line of its own.
const COLUMN: usize = 24;

/// The text that `--help` prints: 80 columns, one line an option, or two.
#[must_use]
pub fn help() -> String {
    let usage = "usage: ftp-proxy -i | -p | -R address[:port] | --diverted | --forward |\n\
                 \x20                --netfilter [option ...]\n\n";
    let line = |opt: &Opt| {
        let (synopsis, help) = (opt.synopsis(), opt.help);
        if synopsis.len() > COLUMN {
            format!("  {synopsis}\n  {:COLUMN$}  {help}\n", "")
        } else {
            format!("  {synopsis:COLUMN$}  {help}\n")
        }
    };
    usage.to_owned() + &TABLE.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_as_the_manual_sorts() {
        // A capital stands before its small letter.
        let key = |opt: &Opt| {
            (
                opt.short.is_empty(),
                opt.name().to_ascii_lowercase(),
                opt.name(),
            )
        };
        assert!(TABLE.is_sorted_by_key(key));
    }

    #[test]
    fn help_fits_a_terminal_and_names_every_option() {
        let text = help();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        for opt in TABLE {
            assert!(
                text.lines()
                    .any(|line| line.trim_start().starts_with(&opt.synopsis()))
            );
        }
    }
}
