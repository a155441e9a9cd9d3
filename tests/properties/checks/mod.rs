//! What must hold whatever client, server and a session gone bad send. Each check takes any bytes, as a fuzzer makes them,
//! and panics if it does not hold. The fuzz targets (fuzz/) and the tests beside this folder are made of them.

pub mod address;
pub mod broker;
pub mod command;
pub mod header;
pub mod line;
pub mod reply;
pub mod session;
pub mod telnet;

mod honest;
mod oracle;
mod play;
mod quiet;
mod script;
mod tame;
mod witness;

/// A check.
pub type Check = fn(&[u8]);

/// All checks by name: each has a fuzz target and a corpus of this name.
pub const ALL: [(&str, Check); 8] = [
    ("address", address::check),
    ("broker", broker::check),
    ("command", command::check),
    ("header", header::check),
    ("line", line::check),
    ("reply", reply::check),
    ("session", session::check),
    ("telnet", telnet::check),
];
