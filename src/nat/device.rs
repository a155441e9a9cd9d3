//! The device of a packet filter, opened for one question.

use std::fs::File;
use std::io;

use nix::errno::Errno;

use super::NatError;

/// Opens the device, read-only: enough for every look-up, also at a raised securelevel.
///
/// `load` is what to do where the filter is not there.
pub(super) fn open(path: &str, load: &str) -> Result<File, NatError> {
    File::open(path).map_err(|error| why(path, load, error))
}

fn why(path: &str, load: &str, error: io::Error) -> NatError {
    let errno = error.raw_os_error().map(Errno::from_raw);
    match errno {
        Some(Errno::EACCES | Errno::EPERM) => {
            NatError::Unavailable(format!("{path} cannot be opened: {}", NEEDS_ROOT))
        }
        Some(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV) => {
            NatError::Unavailable(format!("{path} is not there: {load}"))
        }
        _ => NatError::System(error),
    }
}

/// What to do about EACCES and EPERM.
pub(super) const NEEDS_ROOT: &str =
    "the look-up needs root, start ftp-proxy as root (in inetd.conf: the user before the path)";
