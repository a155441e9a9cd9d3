//! OpenBSD: nothing is seen of the file system but pfctl(8), and nothing done but running it.

use crate::log::Log;
use crate::sys::pledge::{pledge, unveil};

/// pfctl(8) stays root, and so must we; it is not bound by our promises.
pub(super) fn enter(_: &Log) -> Result<(), String> {
    let promise = || {
        unveil(c"/sbin/pfctl", c"x")?;
        unveil(c"/dev/null", c"rw")?;
        // inet: sockets from port 20. unix: a syslogd that was started anew.
        pledge(c"stdio rpath wpath inet unix proc exec")
    };
    promise().map_err(|error| format!("cannot pledge: {error}"))
}
