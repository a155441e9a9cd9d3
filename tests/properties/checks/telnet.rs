//! Telnet within the client's commands: it hides nothing from us, and none of it but a Synch reaches the server.

use ftp_proxy::ftp::{Action, Session, Side};

use super::oracle::{Unit, units};
use super::script::SERVER;
use super::tame::{talk, terms};

/// What a client hears that speaks no FTP.
const FOREIGN: &[u8] = b"421 This is FTP.\r\n";

/// With its Telnet taken out beforehand the same bytes have the same effect; every offer is refused once.
pub fn check(bytes: &[u8]) {
    let plain: Vec<u8> = units(bytes)
        .into_iter()
        .filter_map(|unit| match unit {
            Unit::Byte(byte) => Some(byte),
            _ => None,
        })
        .collect();
    for cut in [1, 3, 4096] {
        assert_eq!(talk(bytes, cut), talk(&plain, 4096), "cut {cut}");
    }
    refusals(bytes);
    // All the rest is a session's, too.
    let line: Vec<u8> = bytes
        .iter()
        .map(|&b| if b == b'\n' { b' ' } else { b })
        .collect();
    let script = [b"\nR0\nC", &line[..], b"\nCNOOP\nR0\nR0\nR0"].concat();
    super::session::check(&script);
}

/// The greeting has not come: nothing is answered but offers, and those who speak no FTP.
fn refusals(bytes: &[u8]) {
    let mut session = Session::new(terms(), Some(SERVER));
    session.receive(Side::Client, bytes);
    let said = std::iter::from_fn(|| session.poll()).filter_map(|action| match action {
        Action::Send(Side::Client, bytes) if bytes != FOREIGN => Some(bytes),
        _ => None,
    });
    let said: Vec<Vec<u8>> = said.collect();
    let due = units(bytes).into_iter().filter_map(|unit| match unit {
        Unit::Offer(refusal) => Some(refusal.to_vec()),
        _ => None,
    });
    assert_eq!(said, due.collect::<Vec<_>>());
}
