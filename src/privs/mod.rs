//! Who we are: root only until the descriptors that need it are open, then somebody else for good.
//!
//! The order is in the types: a session demands a [`Dropped`], which only [`Root::drop`] makes.

#![forbid(unsafe_code)]

#[cfg_attr(target_os = "linux", path = "capabilities/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "capabilities/none.rs")]
mod capabilities;
#[cfg(target_os = "linux")]
mod passwd;

use std::io;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, geteuid, setgid, setuid};

use crate::error::Error;
use crate::log::Log;
use crate::options::{OWN_USER, USER};
use crate::sys::fork::in_a_child;
use crate::sys::tracing;

/// Whom to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    uid: Uid,
    gid: Gid,
}

/// Not yet dropped.
#[derive(Clone, Debug)]
pub struct Root {
    /// `None`: not started as root, so we stay who we are.
    target: Option<Identity>,
    /// `-u` or `-g` was given and cannot be obeyed.
    ignored: bool,
}

/// Whoever we are from now on, for good.
#[derive(Debug)]
pub struct Dropped {
    root: bool,
}

impl Root {
    /// Looks up `-u` and `-g` while the name service is sure to be there. Without `-u` the user is [`USER`], or [`OWN_USER`]
    /// if there is no such user; without `-g` the group is the user's own. Not started as root, only names that were given
    /// are looked up.
    ///
    /// # Errors
    /// [`Error::Usage`]: no such user or group; exit before anything is open.
    pub fn begin(user: Option<&str>, group: Option<&str>, log: &Log) -> Result<Root, Error> {
        let group = group.map(group_named).transpose()?;
        if !geteuid().is_root() {
            user.map(|user| user_named(user, group)).transpose()?;
            return Ok(Root {
                target: None,
                ignored: user.is_some() || group.is_some(),
            });
        }
        let own = match user {
            Some(user) => user_named(user, group)?,
            None => default_user(log)?,
        };
        let target = Identity {
            gid: group.unwrap_or(own.gid),
            ..own
        };
        Ok(Root {
            target: Some(target),
            ignored: false,
        })
    }

    /// Becomes the user and group, and makes sure that root cannot come back.
    ///
    /// # Errors
    /// [`Error::Config`]: the system did not let us, or root came back; the process must end.
    pub fn drop(self, log: &Log) -> Result<Dropped, Error> {
        self.say_ignored(log);
        self.become_user()?;
        match self.target {
            Some(target) => {
                if target.uid.is_root() {
                    capabilities::only_port_20()?;
                }
                log.debug(
                    1,
                    format_args!("now user {} group {}", target.uid, target.gid),
                );
            }
            // What root leaves behind by becoming another, whoever starts us with less has to be asked for.
            None => capabilities::give_up()?,
        }
        // The kernel sets it back to a default of its own with the user.
        tracing::forbid().map_err(Error::os("cannot forbid tracing"))?;
        let root = geteuid().is_root();
        Ok(Dropped { root })
    }

    /// Whether this is root still, with somebody else to become.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.target.is_some()
    }

    /// Becomes the user and group, but keeps what is needed for this, where the system can tell it from root's other
    /// rights; elsewhere it stays root. [`Root::drop`] is still to come, or else this is the broker (docs/trust.md).
    ///
    /// # Errors
    /// As [`Root::drop`].
    pub fn keep(&self, needs: Needs) -> Result<Root, Error> {
        let kept = capabilities::keep(self, needs)?;
        tracing::forbid().map_err(Error::os("cannot forbid tracing"))?;
        Ok(kept)
    }

    /// Stays the user that the program was started as, and keeps of root's rights what a super-server and its sessions use:
    /// to become another user, to signal such a process, to leave the file system, and `needs`. Where the system cannot
    /// tell these apart, and with `-u root`, it keeps all of them.
    ///
    /// # Errors
    /// [`Error::Config`]: sessions could not drop root; the process must end.
    pub fn guard(mut self, needs: Needs, log: &Log) -> Result<Root, Error> {
        self.say_ignored(log);
        self.ignored = false;
        if self.target.is_some_and(|target| target.uid.is_root()) {
            return Ok(self);
        }
        capabilities::guard(self.is_root(), needs)?;
        Ok(self)
    }

    /// Tries in a child whether sessions can drop root: what a worker cannot do is known before there is a client.
    ///
    /// # Errors
    /// [`Error::Config`]: they cannot; the process must end.
    pub fn prove(&self, log: &Log) -> Result<(), Error> {
        let trial = || match self.clone().drop(log) {
            Ok(_) => 0,
            Err(error) => {
                log.error(format_args!("{error}"));
                1
            }
        };
        if self.is_root() && in_a_child(trial).map_err(Error::os("cannot fork"))? != Some(0) {
            return Err(Error::Config("no session can drop root".to_owned()));
        }
        Ok(())
    }

    fn say_ignored(&self, log: &Log) {
        if self.ignored {
            log.notice(format_args!(
                "not started as root: -u and -g have no effect"
            ));
        }
    }

    /// The ids alone.
    fn become_user(&self) -> Result<(), Error> {
        match self.target {
            Some(target) => {
                become_identity(target)
                    .map_err(|errno| failed("cannot drop root privileges", errno))?;
                prove(target)
            }
            None => Ok(()),
        }
    }
}

/// What of root's rights is needed for longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// To change what the packet filter lets through.
    pub filter: bool,
    /// To take port 20.
    pub port_20: bool,
}

impl Dropped {
    /// Whether we are root still (`-u root`), so that data connections may leave from port 20 (RFC 959 §3.2).
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.root
    }
}

fn default_user(log: &Log) -> Result<Identity, Error> {
    user_named(USER, None).or_else(|none| {
        let own = user_named(OWN_USER, None).map_err(|_| none)?;
        log.notice(format_args!(
            "no user {USER}: sessions run as {OWN_USER}; -u names another user"
        ));
        Ok(own)
    })
}

/// The user of this name, or of this number; a number that no user has needs a `group`.
fn user_named(name: &str, group: Option<Gid>) -> Result<Identity, Error> {
    // To set up the name service for one line of this file takes 12 KiB, which a session would keep, and 70 µs.
    #[cfg(target_os = "linux")]
    if let Some(own) = passwd::user(name) {
        return Ok(own);
    }
    let number = number(name);
    let found = users::get_user_by_name(name).or_else(|| number.and_then(users::get_user_by_uid));
    let Some(user) = found else {
        return match (number, group) {
            (Some(uid), Some(gid)) => Ok(Identity {
                uid: Uid::from_raw(uid),
                gid,
            }),
            (Some(_), None) => Err(Error::Usage(format!(
                "-u {name}: no user has this number, give a group too with -g"
            ))),
            (None, _) => Err(Error::Usage(format!(
                "-u {name}: no such user, create it or name another with -u"
            ))),
        };
    };
    Ok(Identity {
        uid: Uid::from_raw(user.uid()),
        gid: Gid::from_raw(user.primary_group_id()),
    })
}

fn group_named(name: &str) -> Result<Gid, Error> {
    let found = users::get_group_by_name(name).map(|group| group.gid());
    match found.or_else(|| number(name)) {
        Some(gid) => Ok(Gid::from_raw(gid)),
        None => Err(Error::Usage(format!(
            "-g {name}: no such group, create it or name another with -g"
        ))),
    }
}

/// An id in plain digits. The highest number is none: setuid(2) takes it for "no change".
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}

/// Groups first and the user last: each step needs the right that the last one gives away.
fn become_identity(target: Identity) -> nix::Result<()> {
    ids::set_groups(target.gid)?;
    ids::set_group(target.gid)?;
    ids::set_user(target.uid)
}

/// The only proof that root is gone is to ask for it.
fn prove(target: Identity) -> Result<(), Error> {
    let root = Uid::from_raw(0);
    let back = !target.uid.is_root() && setuid(root) != Err(Errno::EPERM);
    let group_back = !target.uid.is_root()
        && target.gid.as_raw() != 0
        && setgid(Gid::from_raw(0)) != Err(Errno::EPERM);
    if back || group_back || !ids::are(target).unwrap_or(false) {
        return Err(Error::Config(
            "cannot drop root privileges: root came back".to_owned(),
        ));
    }
    Ok(())
}

/// Where the kernel tells real, effective and saved ids apart by name.
#[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd"))]
mod ids {
    use super::{Gid, Identity, Uid};
    use nix::unistd::{getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};

    pub(super) fn set_groups(gid: Gid) -> nix::Result<()> {
        setgroups(&[gid])
    }

    pub(super) fn set_group(gid: Gid) -> nix::Result<()> {
        setresgid(gid, gid, gid)
    }

    pub(super) fn set_user(uid: Uid) -> nix::Result<()> {
        setresuid(uid, uid, uid)
    }

    pub(super) fn are(target: Identity) -> nix::Result<bool> {
        let (users, groups) = (getresuid()?, getresgid()?);
        let users = [users.real, users.effective, users.saved];
        let groups = [groups.real, groups.effective, groups.saved];
        // FreeBSD lists the effective group first and may list it twice.
        let others = getgroups()?.iter().all(|group| *group == target.gid);
        Ok(users == [target.uid; 3] && groups == [target.gid; 3] && others)
    }
}

/// Elsewhere setgid(2) and setuid(2) set all three ids when root calls them.
#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")))]
mod ids {
    use super::{Gid, Identity, Uid, geteuid};
    use nix::unistd::{getegid, getgid, getuid, setgid, setuid};

    #[cfg(not(target_vendor = "apple"))]
    pub(super) fn set_groups(gid: Gid) -> nix::Result<()> {
        nix::unistd::setgroups(&[gid])
    }

    #[cfg(target_vendor = "apple")]
    pub(super) use crate::sys::groups::set_groups;

    pub(super) fn set_group(gid: Gid) -> nix::Result<()> {
        setgid(gid)
    }

    pub(super) fn set_user(uid: Uid) -> nix::Result<()> {
        setuid(uid)
    }

    pub(super) fn are(target: Identity) -> nix::Result<bool> {
        let users = [getuid(), geteuid()];
        Ok(users == [target.uid; 2] && [getgid(), getegid()] == [target.gid; 2])
    }
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::Config(format!("{what}: {}", io::Error::from(errno)))
}
