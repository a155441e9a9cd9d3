//! Linux: root's rights one by one (capabilities(7)).

use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl::{set_keepcaps, set_no_new_privs};

use super::{Needs, Root};
use crate::error::Error;

/// The user, with what is needed, as far as we have it ourselves, and no way to more.
pub(super) fn keep(root: &Root, needs: Needs) -> Result<Root, Error> {
    let had = permitted()?;
    let keep = needed(needs).filter(|one| had.contains(one)).collect();
    bound(&had, &keep);
    set_keepcaps(true).map_err(|errno| {
        Error::Config(format!(
            "cannot keep capabilities: {}",
            io::Error::from(errno)
        ))
    })?;
    root.become_user()?;
    settle(&keep)?;
    Ok(Root {
        target: None,
        ignored: root.ignored,
    })
}

/// Keeps what a super-server uses, and no way to more; its user stays.
pub(super) fn guard(is_root: bool, needs: Needs) -> Result<(), Error> {
    // For the sessions: to become another user, to drop the rest for good, and to leave the file system.
    let become_another = [Capability::CAP_SETUID, Capability::CAP_SETGID];
    let further = [
        Capability::CAP_KILL,
        Capability::CAP_SETPCAP,
        Capability::CAP_SYS_CHROOT,
    ];
    let had = permitted()?;
    if is_root && !become_another.iter().all(|one| had.contains(one)) {
        return Err(Error::Config(
            "cannot drop root privileges: grant CAP_SETUID and CAP_SETGID, or start as another user"
                .to_owned(),
        ));
    }
    let own = become_another.into_iter().chain(further);
    let keep = own.filter(|_| is_root).chain(needed(needs));
    let keep = keep.filter(|one| had.contains(one)).collect();
    bound(&had, &keep);
    settle(&keep)?;
    set_no_new_privs().map_err(|errno| {
        Error::Config(format!(
            "cannot give up new privileges: {}",
            io::Error::from(errno)
        ))
    })
}

fn permitted() -> Result<CapsHashSet, Error> {
    caps::read(None, CapSet::Permitted).map_err(|error| failed(&error))
}

fn needed(needs: Needs) -> impl Iterator<Item = Capability> {
    let all = [
        (needs.filter, Capability::CAP_NET_ADMIN),
        (needs.port_20, Capability::CAP_NET_BIND_SERVICE),
    ];
    all.into_iter()
        .filter_map(|(needed, one)| needed.then_some(one))
}

/// No execve(2) brings back what is not in `keep`.
fn bound(had: &CapsHashSet, keep: &CapsHashSet) {
    if had.contains(&Capability::CAP_SETPCAP) {
        // Not every kernel knows each of these.
        for capability in caps::all().difference(keep) {
            let _ = caps::drop(None, CapSet::Bounding, *capability);
        }
    }
}

fn settle(keep: &CapsHashSet) -> Result<(), Error> {
    let settle = || {
        caps::clear(None, CapSet::Ambient)?;
        caps::set(None, CapSet::Effective, keep)?;
        caps::set(None, CapSet::Permitted, keep)?;
        caps::clear(None, CapSet::Inheritable)
    };
    settle().map_err(|error| failed(&error))
}

/// For a session that stays root: port 20, and no way to more.
pub(super) fn only_port_20() -> Result<(), Error> {
    let port_20 = Needs {
        port_20: true,
        ..Needs::default()
    };
    let had = permitted()?;
    let keep = needed(port_20).filter(|one| had.contains(one)).collect();
    bound(&had, &keep);
    settle(&keep)
}

/// All of them: what root leaves behind by becoming another, whoever is another already has to put down.
pub(super) fn give_up() -> Result<(), Error> {
    let sets = [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ];
    let cleared = sets.into_iter().try_for_each(|set| caps::clear(None, set));
    cleared.map_err(|error| failed(&error))
}

fn failed(error: &CapsError) -> Error {
    Error::Config(format!("cannot set capabilities: {error}"))
}
