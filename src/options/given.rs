//! What was given, by name and type, or a complaint that names the option.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lexopt::{Arg, Parser};

use super::BadUsage;
use super::table::{Argument, Opt, TABLE, dashed};
use crate::endpoint::parse_port;

/// The options that were given, with their arguments, in their order. Everything may be repeated: inetd lines are put
/// together from pieces, and the last word wins.
#[derive(Default)]
pub(super) struct Given {
    options: Vec<(&'static Opt, Option<String>)>,
    leftover: Option<String>,
}

impl Given {
    pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Given, BadUsage> {
        let words = args.into_iter().map(utf8).collect::<Result<Vec<_>, _>>()?;
        let mut parser = Parser::from_args(words);
        let mut given = Given::default();
        while let Some(arg) = parser.next()? {
            let opt = match arg {
                // As everywhere; the ancestors know no -h.
                Arg::Short('h') => named(|opt| opt.long == "help"),
                Arg::Short(letter) => named(|opt| opt.short.chars().eq([letter])),
                Arg::Long(name) => named(|opt| opt.long == name),
                Arg::Value(word) => {
                    given.leftover.get_or_insert(utf8(word)?);
                    continue;
                }
            };
            let opt = opt.ok_or_else(|| arg.unexpected())?;
            let argument = match opt.takes() {
                Argument::None => None,
                Argument::Optional => parser.optional_value(),
                Argument::Required => Some(parser.value().map_err(|_| missing(opt))?),
            };
            let argument = argument.map(utf8).transpose()?;
            if let Some(word) = argument.as_deref().filter(|word| is_option(word)) {
                let BadUsage(missing) = missing(opt);
                return Err(BadUsage(format!("{missing}; got {word}")));
            }
            given.options.push((opt, argument));
        }
        Ok(given)
    }

    /// The first word that is no option and belongs to none.
    pub(super) fn leftover(&self) -> Option<&str> {
        self.leftover.as_deref()
    }

    /// Every argument of `name`, in their order.
    pub(super) fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.each(name).filter_map(Option::as_deref)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.each(name).next().is_some()
    }

    /// Each time that `name` was given.
    fn each(&self, name: &str) -> impl DoubleEndedIterator<Item = &Option<String>> {
        let named = self
            .options
            .iter()
            .filter(move |(opt, _)| opt.name() == name);
        named.map(|(_, argument)| argument)
    }

    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).next_back()
    }

    /// The last argument of `name`, or the complaint that begins with the option and its argument.
    pub(super) fn value<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
        wanted: impl fmt::Display,
    ) -> Result<Option<T>, BadUsage> {
        let Some(text) = self.last(name) else {
            return Ok(None);
        };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(BadUsage(format!("{} {text}: {wanted}", dashed(name)))),
        }
    }

    /// The last argument of `name`, read as its type reads it and complains.
    pub(super) fn parsed<T>(&self, name: &str) -> Result<Option<T>, BadUsage>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let Some(text) = self.last(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|bad| BadUsage(format!("{} {text}: {bad}", dashed(name))))
    }

    pub(super) fn address(&self, name: &str) -> Result<Option<IpAddr>, BadUsage> {
        let own = |a: &IpAddr| !a.is_unspecified() && !a.is_multicast();
        self.value(
            name,
            |text| text.parse().ok().filter(own),
            "write an IPv4 or IPv6 address of this machine",
        )
    }

    pub(super) fn port(&self, name: &str) -> Result<Option<u16>, BadUsage> {
        self.value(name, parse_port, "write a port from 1 to 65535")
    }

    pub(super) fn name(&self, name: &str) -> Result<Option<String>, BadUsage> {
        let read = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.value(name, read, "write a name")
    }

    /// A name for pf(4)'s rules: short, and nothing that its grammar or a path would take for something else.
    pub(super) fn rule_name(&self, name: &str, longest: usize) -> Result<Option<String>, BadUsage> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:/".contains(&b);
        let read = |text: &str| {
            let whole = (1..=longest).contains(&text.len()) && text.bytes().all(plain);
            // As a path it has no empty part, none that leads elsewhere, and none that pfctl(8) keeps for itself.
            let parts = text
                .split('/')
                .all(|part| !part.is_empty() && part != ".." && !part.starts_with('_'));
            (whole && parts && !text.starts_with('-')).then(|| text.to_owned())
        };
        self.value(
            name,
            read,
            format_args!("write at most {longest} letters, digits and ._-:/"),
        )
    }

    pub(super) fn number<T>(&self, name: &str, min: T, max: T) -> Result<Option<T>, BadUsage>
    where
        T: FromStr + PartialOrd + fmt::Display + Copy,
    {
        let read = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit()); // no sign: "+3" is a slip
            text.parse()
                .ok()
                .filter(|n| digits && (min..=max).contains(n))
        };
        let unit = match named(|opt| opt.name() == name).map(|opt| opt.argument) {
            Some("seconds" | "timeout") => " of seconds",
            Some("bytes") => " of bytes",
            _ => "",
        };
        self.value(
            name,
            read,
            format_args!("write a number{unit} from {min} to {max}"),
        )
    }
}

fn named(name: impl Fn(&Opt) -> bool) -> Option<&'static Opt> {
    TABLE.iter().find(|opt| name(opt))
}

/// What to say of an option without its argument.
fn missing(opt: &Opt) -> BadUsage {
    let name = dashed(opt.name());
    let argument = match opt.argument.split_once('[') {
        Some((argument, _)) if !argument.is_empty() => argument,
        _ => opt.argument,
    };
    let plural = argument.ends_with('s') && !argument.ends_with("ss");
    let article = match argument.bytes().next() {
        _ if plural => "",
        Some(b'[' | b'a' | b'e' | b'i' | b'o') => "an ",
        _ => "a ",
    };
    BadUsage(format!("{name} needs {article}{argument}"))
}

/// An option where the argument of another one was to stand: the argument was forgotten.
fn is_option(word: &str) -> bool {
    let word = word.split('=').next().unwrap_or_default();
    TABLE.iter().any(|opt| dashed(opt.name()) == word)
}

fn utf8(word: OsString) -> Result<String, BadUsage> {
    word.into_string().map_err(|word| {
        BadUsage(format!(
            "{}: not UTF-8, options are plain text",
            word.to_string_lossy()
        ))
    })
}

impl From<lexopt::Error> for BadUsage {
    fn from(error: lexopt::Error) -> Self {
        use lexopt::Error::{MissingValue, UnexpectedOption, UnexpectedValue};
        BadUsage(match error {
            MissingValue { option } => format!("{} needs an argument", option.unwrap_or_default()),
            UnexpectedValue { option, .. } => format!("{option} takes no argument"),
            UnexpectedOption(option) => format!("{option} is no option, see ftp-proxy --help"),
            other => other.to_string(),
        })
    }
}
