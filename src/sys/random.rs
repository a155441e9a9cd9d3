//! Numbers that nobody can guess, from the system and from no file: a session in its cage can open none.

use std::io;

#[cfg_attr(target_os = "linux", path = "random/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "random/elsewhere.rs")]
mod here;

/// Fresh random bytes.
///
/// # Errors
/// The system has none to give: do without what needs them.
pub fn bytes<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    here::fill(&mut bytes)?;
    Ok(bytes)
}
