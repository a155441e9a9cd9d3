//! What a signal's handler may do: set a flag and write a byte.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use libc::c_int;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// One bit for each signal that came and has not been taken.
static CAME: AtomicU32 = AtomicU32::new(0);

/// The descriptor that gets a byte for each; -1: none does.
static TOLD: AtomicI32 = AtomicI32::new(-1);

/// Catches these signals from now on, and forgets those that came before: they were another's, whose fork(2) we are. One
/// that comes is kept for [`take`], and a byte is written to who is [`told`].
///
/// # Errors
/// None that sigaction(2) has for signals that can be caught; passed on all the same.
pub fn catch(signals: &[Signal]) -> io::Result<()> {
    CAME.store(0, Ordering::SeqCst);
    let handler = SigHandler::Handler(note);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    for signal in signals {
        // SAFETY: the handler calls nothing but what signal-safety(7) permits, and leaves errno as it found it.
        unsafe { sigaction(*signal, &action) }?;
    }
    Ok(())
}

/// Who is told of signals from now on, in place of any before; `None`: nobody. It must not block, and must outlive being
/// told: say so before it is closed.
pub fn told(to: Option<BorrowedFd<'_>>) {
    TOLD.store(to.map_or(-1, |fd| fd.as_raw_fd()), Ordering::SeqCst);
}

/// Whether this signal came since it was taken last.
#[must_use]
pub fn take(signal: Signal) -> bool {
    CAME.fetch_and(!bit(signal as c_int), Ordering::SeqCst) & bit(signal as c_int) != 0
}

/// Signals of 32 and above are none that are caught.
const fn bit(signal: c_int) -> u32 {
    1 << (signal % 32)
}

extern "C" fn note(signal: c_int) {
    let errno = Errno::last_raw();
    // The flag first: the byte must not come before what it tells.
    CAME.fetch_or(bit(signal), Ordering::SeqCst);
    let to = TOLD.load(Ordering::SeqCst);
    if to >= 0 {
        // SAFETY: the byte lives as long as the call. The descriptor is open for as long as it is told (see `told`); if its
        // buffer is full there is something to be read already.
        unsafe { libc::write(to, b"!".as_ptr().cast(), 1) };
    }
    Errno::set_raw(errno);
}
