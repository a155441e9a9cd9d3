//! OpenBSD, DragonFly and macOS: pf.

use crate::nat::Engine;
use crate::nat::pf::Pf;
use crate::options::Destination;
use crate::sys::pf::{Natlook, natlook};

pub(super) const INSTEAD: &str = "use -p, or --diverted with divert-to (OpenBSD) or ipfw fwd";

pub(super) fn engine(destination: &Destination) -> Option<Engine> {
    match destination {
        Destination::Pf => Some(Box::new(Pf {
            device: "/dev/pf",
            natlook: natlook::<Natlook>,
        })),
        _ => None,
    }
}
