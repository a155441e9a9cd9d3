//! Bytes to lines: where a line ends, and what happens to one that is too long.

use ftp_proxy::ftp::{Action, Session, Side};

use super::oracle::{LONGEST_COMMAND, body};
use super::script::SERVER;
use super::tame::{ANSWER, talk, terms};

/// Lines of either side arrive as they are, or are refused by the rules of the manual. The first byte says how the bytes
/// are cut; a byte of 1 stands for many.
pub fn check(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let bytes: Vec<u8> = bytes
        .iter()
        .flat_map(|&b| if b == 1 { vec![b'x'; 1000] } else { vec![b] })
        .collect();
    let cut = usize::from(*cut) * 20 + 1;
    client(&bytes, cut);
    server(&bytes, cut);
}

fn client(bytes: &[u8], cut: usize) {
    // No command of ours begins with an X, and Telnet is another check's.
    let mut lines: Vec<Vec<u8>> = bytes
        .split(|&b| b == b'\n')
        .map(|line| line.iter().map(|&b| if b == 255 { 254 } else { b }))
        .map(|line| std::iter::once(b'X').chain(line).chain([b'\n']).collect())
        .collect();
    lines.pop();
    let mut to_server: Vec<&[u8]> = Vec::new();
    let mut to_client: Vec<&[u8]> = vec![b"220 Hi.\r\n"];
    for line in &lines {
        to_client.push(if line.len() > LONGEST_COMMAND {
            b"500 Line too long.\r\n"
        } else if body(line).iter().any(|b| matches!(b, 0 | b'\r')) {
            b"500 Commands may hold no NUL and no bare CR.\r\n"
        } else {
            to_server.push(line);
            ANSWER
        });
    }
    let talk = talk(&lines.concat(), cut);
    assert_eq!(talk.to_server, to_server);
    assert_eq!(talk.to_client, to_client);
}

fn server(bytes: &[u8], cut: usize) {
    // Which replies pass is another check's: these lines are text.
    let lines = bytes.split(|&b| b == b'\n');
    let bytes = lines.map(|line| [b"X", line].concat()).collect::<Vec<_>>();
    let bytes = &bytes.join(&b'\n')[..];
    let mut session = Session::new(terms(), Some(SERVER));
    let mut heard = Vec::new();
    let mut ended = false;
    let mut obey = |session: &mut Session| {
        while let Some(action) = session.poll() {
            match action {
                Action::Send(Side::Client, bytes) => heard.extend(bytes),
                Action::End(_) => ended = true,
                Action::Note(_) => {}
                other => panic!("nobody asked for {other:?}"),
            }
        }
        ended
    };
    for piece in bytes.chunks(cut) {
        session.receive(Side::Server, piece);
        assert!(!obey(&mut session), "a line is too long");
    }
    session.closed(Side::Server);
    assert!(obey(&mut session), "the server is gone");
    let last = heard.strip_prefix(bytes);
    assert!(
        last.is_some_and(|last| last.starts_with(b"421 ")),
        "{} bytes of {}",
        heard.len(),
        bytes.len()
    );
}
