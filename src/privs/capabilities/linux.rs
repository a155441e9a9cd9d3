//! Linux: root's rights one by one (capabilities(7)).

use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl::set_keepcaps;

use super::{Needs, Root};
use crate::error::Error;

/// The user, with what is needed, as far as we have it ourselves, and no way to more.
pub(super) fn keep(root: &Root, needs: Needs) -> Result<Root, Error> {
    let wanted = [
        (needs.filter, Capability::CAP_NET_ADMIN),
        (needs.port_20, Capability::CAP_NET_BIND_SERVICE),
    ];
    let wanted = wanted.into_iter().filter(|(needed, _)| *needed);
    let had = caps::read(None, CapSet::Permitted).map_err(|error| failed(&error))?;
    let keep: CapsHashSet = wanted
        .map(|(_, capability)| capability)
        .filter(|capability| had.contains(capability))
        .collect();
    if had.contains(&Capability::CAP_SETPCAP) {
        // Not every kernel knows each of these.
        for capability in caps::all().difference(&keep) {
            let _ = caps::drop(None, CapSet::Bounding, *capability);
        }
    }
    set_keepcaps(true).map_err(|errno| {
        Error::Config(format!(
            "cannot keep capabilities: {}",
            io::Error::from(errno)
        ))
    })?;
    root.become_user()?;
    let settle = || {
        caps::clear(None, CapSet::Ambient)?;
        caps::set(None, CapSet::Effective, &keep)?;
        caps::set(None, CapSet::Permitted, &keep)?;
        caps::clear(None, CapSet::Inheritable)
    };
    settle().map_err(|error| failed(&error))?;
    Ok(Root {
        target: None,
        ignored: root.ignored,
    })
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
