//! Both ends of a benchmark's FTP sessions, so cheap that what stands between them is the limit: data comes from memory
//! by sendfile(2) and goes away unread. Started by `bench/run`, which bounds every wait by ending the process.
//!
//!     bench-peer serve 10.2.0.2:21
//!     bench-peer serve-nagle 10.2.0.5:21    (Nagle's algorithm is on at its control connections)
//!     bench-peer client               (orders on standard input, see client.rs)
//!     bench-peer grants kernel 500    (on the gateway, no session needed)
//!     bench-peer relay 0.0.0.0:8021   (on the gateway: the blind relay, see relay.rs)
//!     bench-peer inetd 0.0.0.0:8021 /usr/sbin/ftp-proxy --netfilter

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "not the program: descriptor 1 is the harness, and the clock is what this is about"
)]

mod bulk;
mod client;
mod control;
mod grants;
mod relay;
mod server;

use std::io;
use std::process::ExitCode;

use control::Nagle;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["serve", address] => server::serve(address, Nagle::Off),
        ["serve-nagle", address] => server::serve(address, Nagle::On),
        ["relay", address] => relay::relay(address),
        ["inetd", address, program, arguments @ ..] => relay::inetd(address, program, arguments),
        ["client"] => client::obey(io::stdin().lock()),
        ["grants", path, count] => count
            .parse()
            .map_err(io::Error::other)
            .and_then(|count| grants::measure(path, count)),
        _ => Err(io::Error::other(
            "serve ADDRESS:PORT | serve-nagle ADDRESS:PORT | relay ADDRESS:PORT | client | grants PATH COUNT | inetd ADDRESS:PORT PROGRAM ...",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peer {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}
