//! Work that can wait (sched(7), SCHED_BATCH).

use nix::errno::Errno;

/// When this process wakes it leaves the CPU to who has it, from now on. A policy that somebody has chosen for it stays.
pub fn give_way() {
    change(libc::SCHED_OTHER, libc::SCHED_BATCH);
}

/// The end of that, for a child that has other work.
pub fn take_turns() {
    change(libc::SCHED_BATCH, libc::SCHED_OTHER);
}

fn change(from: libc::c_int, to: libc::c_int) {
    // SAFETY: 0 is this process; the structure is all integers, and a policy without priorities has priority 0.
    unsafe {
        if libc::sched_getscheduler(0) == from {
            let none: libc::sched_param = std::mem::zeroed();
            let done = libc::sched_setscheduler(0, to, &raw const none);
            let _ = Errno::result(done); // refused: it is a matter of microseconds
        }
    }
}
