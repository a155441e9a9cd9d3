//! The server's replies, whatever they are: the client hears them byte for byte, and ours in its place among them.

use ftp_proxy::ftp::{Action, Session, Side};

use super::oracle::{Finals, LONGEST, Part, without_addresses};
use super::script::SERVER;
use super::tame::terms;

/// Replies that nothing asked for, at most (ftp-proxy(8), LOGGING).
const UNASKED: usize = 20;

const TOO_MANY: &[u8] = b"421 The server sends replies that nothing asked for.\r\n";

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
    let expected = without_addresses(&expected(asked, lines()));
    for cut in [1, 5, server.len().max(1)] {
        let heard = heard(asked, server, cut);
        assert_eq!(without_addresses(&heard), expected, "cut {cut}");
    }
}

/// What is asked for passes, then nothing but one 421; ours comes when the greeting and that many final replies are through.
fn expected<'a>(asked: usize, lines: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut finals, mut due, mut expected) = (Finals::default(), asked + 1, Vec::new());
    let (mut passes, mut unasked, mut farewell) = (true, 0, false);
    for line in lines.filter(|line| line.ends_with(b"\n")) {
        let part = finals.read(line);
        let (first, last) = match part {
            Part::Text => (false, false),
            Part::Ambiguous => (true, false),
            Part::Reply { first, last, .. } => (first, last),
        };
        if first {
            let says_421 = matches!(part, Part::Reply { code: 421, .. });
            passes = part != Part::Ambiguous && (due > 0 || says_421 && !farewell);
            farewell |= due == 0 && says_421;
            unasked += usize::from(!passes);
            if unasked > UNASKED {
                expected.extend(TOO_MANY);
                return expected;
            }
        }
        if passes || part == Part::Text {
            expected.extend(line);
        }
        if last && due > 0 && matches!(part, Part::Reply { code: 200.., .. }) {
            due -= 1;
            if due == 0 {
                expected.extend(OURS);
            }
        }
    }
    expected
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
                Action::Note(_) | Action::End(_) => {}
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }
    heard
}
