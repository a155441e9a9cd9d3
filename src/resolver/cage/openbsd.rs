//! OpenBSD: pledge(2), for what getaddrinfo(3) does.

use crate::log::Log;
use crate::sys::pledge::pledge;

pub(super) fn enter(_: &Log) -> Result<(), String> {
    pledge(c"stdio rpath inet unix dns").map_err(|error| format!("cannot pledge: {error}"))
}
