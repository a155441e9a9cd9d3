//! getrandom(2) itself. The crate of that name looks for it by dlsym(3), which finds nothing in a statically linked
//! program, and then opens /dev/urandom.

use std::io;

use nix::errno::Errno;

/// A few bytes only: up to 256 come all at once (getrandom(2)).
pub(super) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    loop {
        // SAFETY: the pointer and the length are those of one live slice that is ours to write.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match Errno::result(got) {
            Ok(got) if usize::try_from(got) == Ok(bytes.len()) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
