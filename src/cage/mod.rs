//! The cage of a session: what it gives up once everything is set up, before it reads a byte of a stranger's; where it can,
//! before it has a client.
//!
//! From then on it can talk to client and server, to its broker and its resolver, and to the syslogd that it knows; a
//! file, a program or another process is out of its reach (docs/trust.md).

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub(crate) mod calls;
#[cfg_attr(target_os = "linux", path = "here/linux.rs")]
#[cfg_attr(target_os = "openbsd", path = "here/openbsd.rs")]
#[cfg_attr(target_os = "freebsd", path = "here/freebsd.rs")]
#[cfg_attr(
    not(any(target_os = "freebsd", target_os = "linux", target_os = "openbsd")),
    path = "here/none.rs"
)]
mod here;
#[cfg(target_os = "linux")]
mod program;

#[cfg_attr(
    any(
        target_os = "freebsd",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    ),
    path = "limits/processes.rs"
)]
#[cfg_attr(
    not(any(
        target_os = "freebsd",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    )),
    path = "limits/files.rs"
)]
mod limits;
pub(crate) use limits::NOTHING_OF;

use std::env;
use std::fs;
use std::io;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{chdir, chroot};

use crate::error::Error;
use crate::log::Log;
use crate::sys::random;

/// Descriptors that a session, or its broker, may have at once: both control connections, a data connection and its pipes, and a few.
const DESCRIPTORS: libc::rlim_t = 64;

/// Address space, in bytes, that a session, its broker or its resolver may have: many times what they use, and nothing that
/// the machine would notice.
#[cfg(target_os = "linux")]
const ADDRESS_SPACE: libc::rlim_t = 128 << 20;

/// Where systems that have a file system in memory for root's own use keep it (hier(7), file-hierarchy(7)).
const MEMORY: &str = "/run";

/// Whether it can be closed while a client is still waited for: on Linux what takes one, and learns where it wants to go, is
/// among the calls of the relay.
pub const BEFORE_A_CLIENT: bool = cfg!(target_os = "linux");

/// Closes the cage.
///
/// # Errors
/// [`Error::Config`]: the system did not let us; the session must not begin.
pub fn enter(log: &Log) -> Result<(), Error> {
    // A line behind that limit would be the end of the session.
    let written = |resource: &Resource| *resource == Resource::RLIMIT_FSIZE && log.is_a_file();
    let nothing_of = NOTHING_OF.iter().copied();
    let nothing_of: Vec<_> = nothing_of.filter(|one| !written(one)).collect();
    limit(&nothing_of).map_err(Error::os("cannot set limits"))?;
    log.seek_no_more();
    here::close(log).map_err(|why| Error::Config(format!("no cage: {why}, or use --no-cage")))
}

/// Nothing of these, few descriptors, and on Linux little memory, for good.
pub(crate) fn limit(nothing_of: &[Resource]) -> io::Result<()> {
    for resource in nothing_of {
        setrlimit(*resource, 0, 0)?;
    }
    #[cfg(target_os = "linux")]
    {
        let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
        let most = hard.min(ADDRESS_SPACE);
        setrlimit(Resource::RLIMIT_AS, most, most)?;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let most = hard.min(DESCRIPTORS);
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// Leaves the file system for a folder that is empty, and nowhere any more, so that nothing can be put there either.
/// For root alone.
///
/// # Errors
/// The system does not let us, or there is nowhere to make that folder.
pub fn leave_files() -> io::Result<()> {
    let random = u64::from_ne_bytes(random::bytes()?);
    let name = format!("ftp-proxy-{random:016x}");
    // In memory if there is such a place: on a disk it would be half of what a cage costs.
    let (memory, disk) = (Path::new(MEMORY).join(&name), env::temp_dir().join(&name));
    // Not there before, so it is nobody else's.
    let made = fs::create_dir(&memory).map(|()| memory);
    let folder = made.or_else(|_| fs::create_dir(&disk).map(|()| disk))?;
    let gone = chdir(&folder);
    fs::remove_dir(&folder)?;
    gone?;
    chroot(".")?;
    Ok(chdir("/")?)
}
