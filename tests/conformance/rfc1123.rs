//! Requirements for Internet Hosts, the part on FTP.

use ftp_proxy::ftp::DataPlan;

use crate::stage::Stage;

/// What a client may say in one breath: names that hold commands, a bounce, Telnet's NOP and Synch, line ends of all kinds.
const SAID: &[u8] = b"USER a\r\nRETR xPORT 1,2,3,4,5,6\r\nCWD \xff\xff\r\nNO\xff\xf1OP\r\n\
    CWD a\nPORT 10,9,9,9,200,10\r\nSTAT 227 (1,2,3,4,5,6)\r\n\xff\xf4\xff\xf2ABOR\r\nPORT 127,0,0,2,200,10\r\n\
    PWD\rQUIT\n \tpasv \r\nRETR a\r\nEPSV\r\nEPSV ALL\r\nPASV\r\n\r\nNOOP\r\n";

/// What its server answers.
fn answer(line: &[u8]) -> &'static [u8] {
    let verb: Vec<u8> = line
        .iter()
        .filter(|b| b.is_ascii_alphabetic())
        .take(4)
        .map(u8::to_ascii_uppercase)
        .collect();
    match verb.as_slice() {
        b"PASV" => {
            b"227-As you wish\r\n227-wait\r\n227 Entering Passive Mode (10,9,9,9,200,10)\r\n"
        }
        b"EPSV" => b"500 EPSV?\r\n",
        b"RETR" => b"550-a\rb\r\n227 (127,0,0,4,200,10)\r\n550 no\r\n",
        b"STAT" => b"213-227 (127,0,0,4,200,10)\r\n200 \xff\n213 End\n",
        b"ABOR" => b"226 nothing\r\n",
        b"USER" => b"230 in\r\n",
        _ => b"200 ok\r\n",
    }
}

/// Everything that both sides hear, and each data connection that is asked for.
type Heard = (Vec<u8>, Vec<u8>, Vec<DataPlan>);

/// The client's bytes in these pieces, the server's in pieces of so many.
fn play<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, of_server: usize) -> Heard {
    let mut stage = Stage::greeted();
    let mut answered = 0;
    for piece in pieces {
        stage.client(piece);
        while let Some(end) = stage.server_heard[answered..]
            .iter()
            .position(|&b| b == b'\n')
        {
            let line = stage.server_heard[answered..=answered + end].to_vec();
            answered += end + 1;
            for piece in answer(&line).chunks(of_server) {
                stage.server(piece);
            }
        }
    }
    (stage.client_heard, stage.server_heard, stage.plans)
}

/// §4.1.2.10, and the tricks with packets that other gateways fell for.
#[test]
fn section_4_1_2_10_the_bounds_of_packets_mean_nothing() {
    let whole = play([SAID], usize::MAX);
    let asked = whole.2.len();
    assert_eq!(
        asked, 3,
        "PORT, pasv and EPSV, and nothing else: {:?}",
        whole.2
    );
    assert!(whole.1.ends_with(b"NOOP\r\n"), "all is answered");
    for cut in 1..SAID.len() {
        let (first, second) = SAID.split_at(cut);
        assert_eq!(play([first, second], usize::MAX), whole, "cut at {cut}");
    }
    for size in 1..64 {
        assert_eq!(
            play(SAID.chunks(size), usize::MAX),
            whole,
            "pieces of {size}"
        );
        assert_eq!(play([SAID], size), whole, "answers in pieces of {size}");
        assert_eq!(
            play(SAID.chunks(size), size),
            whole,
            "both in pieces of {size}"
        );
    }
}
