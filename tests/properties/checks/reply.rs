//! The server's replies, whatever they are: the client hears them byte for byte, and ours in its place among them.

use ftp_proxy::ftp::{Action, Session, Side};

use super::oracle::{Finals, LONGEST};
use super::script::SERVER;
use super::tame::terms;

const OURS: &[u8] = b"502 Encryption is not possible through this proxy.\r\n";

/// The client asks the server a few things, then what we answer ourselves. First byte: how many; the rest is the server's.
pub fn check(bytes: &[u8]) {
    let Some((count, server)) = bytes.split_first() else {
        return;
    };
    let asked = usize::from(count % 8);
    let lines = || server.split_inclusive(|&b| b == b'\n');
    if lines().any(|line| line.len() > LONGEST) {
        return;
    }
    // Ours comes when the greeting and that many final replies are through.
    let (mut finals, mut due, mut expected) = (Finals::default(), asked + 1, Vec::new());
    for line in lines().filter(|line| line.ends_with(b"\n")) {
        expected.extend(line);
        if finals.ended_by(line).is_some() && due > 0 {
            due -= 1;
            if due == 0 {
                expected.extend(OURS);
            }
        }
    }
    for cut in [1, 5, server.len().max(1)] {
        assert_eq!(heard(asked, server, cut), expected, "cut {cut}");
    }
}

fn heard(asked: usize, server: &[u8], cut: usize) -> Vec<u8> {
    let mut session = Session::new(terms(), Some(SERVER));
    session.receive(Side::Client, &b"NOOP\r\n".repeat(asked));
    session.receive(Side::Client, b"AUTH TLS\r\n");
    let mut heard = Vec::new();
    for piece in std::iter::once(&b""[..]).chain(server.chunks(cut)) {
        session.receive(Side::Server, piece);
        while let Some(action) = session.poll() {
            match action {
                Action::Send(Side::Client, bytes) => heard.extend(bytes),
                Action::Send(Side::Server, bytes) => assert_eq!(bytes, b"NOOP\r\n"),
                Action::Note(_) => {}
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }
    heard
}
