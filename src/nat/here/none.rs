//! Systems whose packet filter we do not know.

use crate::nat::Engine;
use crate::options::Destination;

pub(super) const INSTEAD: &str = "use -R for one fixed server, or --forward";

pub(super) fn engine(_: &Destination) -> Option<Engine> {
    None
}
