//! Whatever the system has: getrandom(2), getentropy(2), sysctl(7).

use std::io;

pub(super) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}
