//! Systems where nothing narrower than another user, limits and an empty root folder is to be had.
//!
//! FreeBSD's capability mode allows no bind(2) and no connect(2) to an address, which a session needs for each data
//! connection.

use crate::log::Log;

#[expect(clippy::unnecessary_wraps, reason = "as where something is given up")]
pub(super) fn close(_: &Log) -> Result<(), String> {
    Ok(())
}
