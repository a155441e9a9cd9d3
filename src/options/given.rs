//! getopts behind names and types: what was given, or a complaint that names the option.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::BadUsage;
use super::table::{TABLE, dashed};
use crate::endpoint::parse_port;

/// What getopts found, asked for by name and type.
pub(super) struct Given(getopts::Matches);

impl Given {
    pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Given, BadUsage> {
        let words = args.into_iter().map(utf8).collect::<Result<Vec<_>, _>>()?;
        Ok(Given(parser().parse(words)?))
    }

    /// The first word that is no option and belongs to none.
    pub(super) fn leftover(&self) -> Option<&String> {
        self.0.free.first()
    }

    /// Every argument of `name`, in their order.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.opt_strs(name)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.opt_present(name)
    }

    pub(super) fn last(&self, name: &str) -> Option<String> {
        self.0.opt_strs(name).pop()
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
        match read(&text) {
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
        self.value(
            name,
            read,
            format_args!("write a number from {min} to {max}"),
        )
    }
}

/// Everything may be repeated: inetd lines are put together from pieces, and the last word wins. The texts are left out:
/// getopts would copy them, for each session that inetd starts, and print none.
fn parser() -> getopts::Options {
    let mut parser = getopts::Options::new();
    for opt in TABLE {
        parser.opt(
            opt.short,
            opt.long,
            "",
            "",
            opt.has_argument(),
            getopts::Occur::Multi,
        );
    }
    parser
}

fn utf8(word: OsString) -> Result<String, BadUsage> {
    word.into_string().map_err(|word| {
        BadUsage(format!(
            "{}: not UTF-8, options are plain text",
            word.to_string_lossy()
        ))
    })
}

impl From<getopts::Fail> for BadUsage {
    fn from(fail: getopts::Fail) -> Self {
        use getopts::Fail::{
            ArgumentMissing, OptionDuplicated, OptionMissing, UnexpectedArgument,
            UnrecognizedOption,
        };
        let (name, wrong) = match &fail {
            ArgumentMissing(name) => (name, "needs an argument"),
            UnexpectedArgument(name) => (name, "takes no argument"),
            UnrecognizedOption(name) => (name, "is no option, see ftp-proxy --help"),
            // Every option may be repeated and none is required, so these two cannot come.
            OptionMissing(name) | OptionDuplicated(name) => (name, "is misplaced"),
        };
        BadUsage(format!("{} {wrong}", dashed(name)))
    }
}
