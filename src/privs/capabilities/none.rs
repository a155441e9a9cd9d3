//! Systems on which root is all or nothing.

use super::{Needs, Root};
use crate::error::Error;

#[expect(clippy::unnecessary_wraps, reason = "as on Linux, where it can fail")]
pub(super) fn keep(root: &Root, _: Needs) -> Result<Root, Error> {
    Ok(root.clone())
}

#[expect(clippy::unnecessary_wraps, reason = "as on Linux, where it can fail")]
pub(super) fn give_up() -> Result<(), Error> {
    Ok(())
}

/// All of root's rights stay: the system cannot tell them apart.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "Linux may refuse")]
pub(super) fn only_port_20() -> Result<(), Error> {
    Ok(())
}

/// All of them stay: the system cannot tell them apart.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "Linux may refuse")]
pub(super) fn guard(_is_root: bool, _needs: Needs) -> Result<(), Error> {
    Ok(())
}
