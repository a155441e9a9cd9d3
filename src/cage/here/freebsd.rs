//! FreeBSD: the descriptors that a session has are good for nothing but what it does with them.
//!
//! Capability mode allows no bind(2) and no connect(2) to an address, which a session needs for each data connection. So it
//! can make new sockets still, and those are not limited: who could misuse them could make others.

use super::DESCRIPTORS;
use crate::log::Log;
use crate::sys::capsicum::limit_descriptors;

pub(super) fn close(log: &Log) -> Result<(), String> {
    let end = i32::try_from(DESCRIPTORS).unwrap_or(i32::MAX);
    if let Err(error) = limit_descriptors(end) {
        // A kernel without the option CAPABILITIES: another user and the limits are what there is.
        log.debug(1, format_args!("no limits of descriptors: {error}"));
    }
    Ok(())
}
