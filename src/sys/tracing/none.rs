//! Systems on which a process that has changed its user cannot be traced by that user, or that have no call for it.

use std::io;

/// Does nothing.
///
/// # Errors
/// None.
pub fn forbid() -> io::Result<()> {
    Ok(())
}
