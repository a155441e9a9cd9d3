//! What the black-box tests share: a client and a server that do exactly as they are told, and the real program
//! between them. Everything happens on loopback, unprivileged, and every wait is bounded.

#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part"
)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

pub mod address;
pub mod fake;
pub mod listening;
pub mod logged;
pub mod process;
pub mod session;

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long a test waits for what must come. Far more than a busy machine needs, so reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Whether `fd` can be read (or has an end or an error to tell) within `limit`.
pub fn readable(fd: impl AsFd, limit: Duration) -> bool {
    ready(fd, PollFlags::POLLIN, limit)
}

/// Whether `fd` can be written within `limit`.
pub fn writable(fd: impl AsFd, limit: Duration) -> bool {
    ready(fd, PollFlags::POLLOUT, limit)
}

fn ready(fd: impl AsFd, what: PollFlags, limit: Duration) -> bool {
    let limit = PollTimeout::try_from(limit).expect("a limit that poll(2) can take");
    let mut fds = [PollFd::new(fd.as_fd(), what)];
    loop {
        match poll(&mut fds, limit) {
            Err(Errno::EINTR) => {}
            ready => return ready.expect("poll") == 1,
        }
    }
}

/// Now; the relay alone is forbidden to ask.
#[expect(clippy::disallowed_methods, reason = "a test has a clock of its own")]
pub fn now() -> Instant {
    Instant::now()
}

/// Asks again and again until there is an answer; for what can only be polled.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: still not so");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The error of a peer that sent a reset.
pub fn is_reset(result: &io::Result<Vec<u8>>) -> bool {
    matches!(result, Err(e) if e.kind() == io::ErrorKind::ConnectionReset)
}
