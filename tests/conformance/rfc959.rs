//! File Transfer Protocol.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use ftp_proxy::ftp::{DataEnd, NoData, Side, Terms};

use crate::stage::{CLIENT, Dialled, SERVER, Stage, V6, terms};

/// The replies that each command may have (§5.4: "These must be strictly adhered to"). EPRT and EPSV may have those of
/// PORT and PASV, and 522 (RFC 2428 §2, §3), which leaves open what answers EPSV ALL. 421 "may be a reply to any
/// command" (§4.2.2).
const TABLE: &str = "\
USER 230 530 500 501 331 332
PASS 230 202 530 500 501 503 332
ACCT 230 202 530 500 501 503
CWD 250 500 501 502 530 550
CDUP 200 500 501 502 530 550
SMNT 202 250 500 501 502 530 550
REIN 120 220 500 502
QUIT 221 500
PORT 200 500 501 530
PASV 227 500 501 502 530
MODE 200 500 501 504 530
TYPE 200 500 501 504 530
STRU 200 500 501 504 530
ALLO 200 202 500 501 504 530
REST 500 501 502 530 350
STOR 125 150 110 226 250 425 426 451 551 552 532 450 452 553 500 501 530
STOU 125 150 110 226 250 425 426 451 551 552 532 450 452 553 500 501 530
RETR 125 150 110 226 250 425 426 451 450 550 500 501 530
LIST 125 150 226 250 425 426 451 450 500 501 502 530
NLST 125 150 226 250 425 426 451 450 500 501 502 530
APPE 125 150 110 226 250 425 426 451 551 552 532 450 550 452 553 500 501 502 530
RNFR 450 550 500 501 502 530 350
RNTO 250 532 553 500 501 502 503 530
DELE 250 450 550 500 501 502 530
RMD 250 500 501 502 530 550
MKD 257 500 501 502 530 550
PWD 257 500 501 502 550
ABOR 225 226 500 501 502
SYST 215 500 501 502
STAT 211 212 213 450 500 501 502 530
HELP 211 214 500 501 502
SITE 200 202 500 501 530
NOOP 200 500
EPRT 200 500 501 522 530
EPSV 200 229 500 501 502 522 530";

/// The commands of the table, each with the replies that it may have.
fn table() -> impl Iterator<Item = (&'static str, Vec<u16>)> {
    TABLE.lines().map(|line| {
        let (verb, codes) = line.split_once(' ').unwrap();
        (verb, codes.split(' ').map(|c| c.parse().unwrap()).collect())
    })
}

/// What our replies to RFC 959's commands are, all of them, each with the command that it answers.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    /// The last line that the client heard answers this command.
    #[track_caller]
    fn to(&mut self, command: &str, stage: &mut Stage) {
        let heard = stage.heard();
        let line = heard.lines().last().unwrap_or_default();
        assert!(!line.is_empty(), "{command}: no answer");
        self.0.push((command.to_owned(), line.to_owned()));
    }

    /// A client says this to a session of this kind and is answered at once.
    #[track_caller]
    fn by(&mut self, mut stage: Stage, line: &[u8]) {
        let verb = line.split(|b| !b.is_ascii_alphabetic()).next().unwrap();
        stage.client([line, b"\r\n"].concat());
        self.to(&String::from_utf8_lossy(verb), &mut stage);
    }
}

/// A session with a port for data of this kind, and a transfer that has begun.
fn transferring(verb: &str) -> Stage {
    let mut stage = Stage::greeted();
    stage.client("PASV\r\n");
    stage.server("227 (127,0,0,4,200,10)\r\n");
    stage.client(format!("{verb} a\r\n"));
    stage.server("150 here\r\n");
    stage.client_heard.clear();
    stage
}

fn forward(any_port: bool, dialled: Dialled) -> Stage {
    let terms = Terms {
        any_port,
        ..terms(CLIENT)
    };
    let mut stage = Stage::set(terms, None);
    stage.dialled = dialled;
    stage
}

fn before_there_is_a_server(said: &mut Said) {
    let mut greeted = forward(false, Dialled::Connected);
    said.to("", &mut greeted);
    for (verb, _) in table() {
        said.by(forward(false, Dialled::Connected), verb.as_bytes());
    }
    said.by(forward(false, Dialled::Connected), b"");
    said.by(forward(false, Dialled::Connected), b"AUTH TLS");
    for line in ["USER bob@127.0.0.4:25", "SITE 127.0.0.4 25"] {
        said.by(forward(false, Dialled::Connected), line.as_bytes());
    }
    said.by(forward(false, Dialled::Connected), b"USER fw");
    for line in ["USER bob@127.0.0.4", "SITE 127.0.0.4"] {
        said.by(forward(false, Dialled::Unreachable), line.as_bytes());
        said.by(forward(false, Dialled::Forbidden), line.as_bytes());
    }
    let mut firewall = forward(false, Dialled::Connected);
    firewall.client("USER fw\r\n");
    said.to("USER", &mut firewall);
    said.by(firewall, b"PASS x");
    for line in ["USER a@127.0.0.4@127.0.0.5", "OPEN 127.0.0.4 25"] {
        said.by(forward(false, Dialled::Connected), line.as_bytes());
    }
    let mut account = forward(false, Dialled::Connected);
    account.client("USER bob@127.0.0.4 fw\r\n");
    account.server("220 hidden\r\n331 p\r\n");
    account.client("PASS x\r\n");
    account.server("230 in\r\n");
    account.client_heard.clear();
    said.by(account, b"ACCT y");
    let mut opened = forward(false, Dialled::Connected);
    opened.client("OPEN 127.0.0.4\r\n");
    opened.server("220 hidden\r\n");
    opened.client_heard.clear();
    said.by(opened, b"OPEN 127.0.0.5");
    let mut connected = forward(false, Dialled::Connected);
    connected.client("SITE 127.0.0.4\r\n");
    connected.server("220 hidden\r\n");
    said.to("SITE", &mut connected);
    said.by(connected, b"USER bob@127.0.0.5");
}

fn malformed(said: &mut Said) {
    let long = "x".repeat(5000);
    for (verb, _) in table() {
        said.by(Stage::greeted(), format!("{verb} {long}").as_bytes());
        said.by(Stage::greeted(), format!("{verb} a\0b").as_bytes());
        said.by(Stage::greeted(), &[verb.as_bytes(), b"\xff\xff a"].concat());
    }
    said.by(Stage::greeted(), b"");
    said.by(Stage::greeted(), b"GET / HTTP/1.1");
    said.by(Stage::greeted(), b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2");
}

fn about_addresses(said: &mut Said) {
    for line in [
        "PORT 1",
        "PORT 10,9,9,9,200,10",
        "PORT 127,0,0,2,0,25",
        "EPRT 1",
        "EPRT |1|10.9.9.9|51210|",
        "EPRT |1|127.0.0.2|25|",
        "EPRT |2|::1|51210|",
        "EPSV 2",
        "EPSV ALL",
        "AUTH TLS",
        "LPRT 4,4,127,0,0,2,2,200,10",
        "LPSV",
    ] {
        said.by(Stage::greeted(), line.as_bytes());
    }
    let from_v6 = || Stage::set(terms(V6), Some(SERVER)).greet();
    for line in ["PASV", "PORT 127,0,0,1,200,10", "EPRT |1|127.0.0.1|51210|"] {
        said.by(from_v6(), line.as_bytes());
    }
    let mut all = Stage::greeted();
    all.client("EPSV ALL\r\n");
    for verb in ["PASV", "PORT", "EPRT"] {
        all.client(format!("{verb}\r\n"));
        said.to(verb, &mut all);
    }
    let transparent = Terms {
        epsv: false,
        ..terms(CLIENT)
    };
    said.by(Stage::set(transparent, Some(SERVER)).greet(), b"EPSV");
    for (verb, _) in table().filter(|(verb, _)| !matches!(*verb, "USER" | "PASS" | "QUIT")) {
        let mut denying = terms(CLIENT);
        denying.permit.denied = verb.parse().unwrap();
        said.by(Stage::set(denying, Some(SERVER)).greet(), verb.as_bytes());
    }
    let anonymous = Terms {
        anonymous_only: true,
        ..terms(CLIENT)
    };
    let in_nat_mode = Terms {
        nat_mode: true,
        ..anonymous.clone()
    };
    said.by(Stage::set(anonymous, Some(SERVER)).greet(), b"USER bob");
    said.by(Stage::set(in_nat_mode, Some(SERVER)).greet(), b"AUTH TLS");
}

fn about_translation(said: &mut Said) {
    for (client, server) in [(V6, SERVER), (CLIENT, V6)] {
        for denied in ["NOOP", "EPSV", "EPRT"] {
            for line in ["ALGS STATUS64", "ALGS DISABLE64", "ALGS"] {
                let mut terms = terms(client);
                terms.permit.denied = denied.parse().unwrap();
                said.by(Stage::set(terms, Some(server)).greet(), line.as_bytes());
            }
        }
    }
}

fn about_data(said: &mut Said) {
    let answers = [
        ("PASV", "227 (127,0,0,4,200,10)\r\n"),
        ("PASV", "227 Mode 9 (127,0,0,4,200,10)\r\n"),
        ("PASV", "227 (127,0,0,4,0,25)\r\n"),
        ("EPSV", "229 (|||51210|)\r\n"),
        ("EPSV", "229 |||51210|\r\n"),
        ("EPSV", "229 (|||25|)\r\n"),
    ];
    for at in [
        Ok(SocketAddr::new(SERVER, 50002)),
        Ok(SocketAddr::new(V6, 50002)),
        Ok(SocketAddr::from(([0, 0, 0, 0], 50002))),
        Err(NoData::Ports),
        Err(NoData::Forbidden),
        Err(NoData::Other),
    ] {
        for (verb, answer) in answers {
            let mut stage = Stage::greeted();
            stage.listening_at = at;
            stage.client(format!("{verb}\r\n"));
            stage.server(answer);
            said.to(verb, &mut stage);
        }
    }
    for line in ["PORT 127,0,0,2,200,10", "EPRT |1|127.0.0.2|51210|"] {
        for why in [NoData::Ports, NoData::Forbidden, NoData::Other] {
            let mut stage = Stage::greeted();
            stage.listening_at = Err(why);
            said.by(stage, line.as_bytes());
        }
    }
    for verb in ["RETR", "STOR", "STOU", "APPE", "LIST", "NLST"] {
        for end in [DataEnd::Broken, DataEnd::ClientUnreachable] {
            let mut stage = transferring(verb);
            stage.data(end);
            stage.server("226 done\r\n");
            said.to(verb, &mut stage);
        }
        for end in [DataEnd::Broken, DataEnd::Unopened] {
            let mut stage = transferring(verb);
            stage.data(end);
            stage.server_is_silent();
            said.to(verb, &mut stage);
        }
    }
}

fn at_the_end(said: &mut Said) {
    for (verb, _) in table() {
        let mut stage = Stage::greeted();
        stage.client(format!("{verb}\r\n"));
        stage.client_heard.clear();
        stage.stop();
        said.to(verb, &mut stage);
    }
    let mut lost = transferring("RETR");
    lost.data(DataEnd::Delivered(Side::Client));
    lost.server_goes();
    said.to("RETR", &mut lost);
    let mut long = Stage::greeted();
    long.client("NOOP\r\n");
    long.server(format!("200 {}\r\n", "x".repeat(5000)));
    said.to("NOOP", &mut long);
    let mut unasked = Stage::greeted();
    unasked.client("NOOP\r\n");
    unasked.server("200 ok\r\n".repeat(22));
    said.to("NOOP", &mut unasked);
}

fn all_of_them() -> Said {
    let mut said = Said::default();
    before_there_is_a_server(&mut said);
    malformed(&mut said);
    about_addresses(&mut said);
    about_translation(&mut said);
    about_data(&mut said);
    at_the_end(&mut said);
    said
}

#[test]
fn section_5_4_each_reply_of_our_own_is_one_that_its_command_may_have() {
    for (command, reply) in all_of_them().0 {
        let code: u16 = reply[..3].parse().unwrap();
        assert!(reply[3..].starts_with(' '), "{command}: {reply}");
        // Not kept (docs/conformance.md): no other code says "try again".
        let ports = reply.starts_with("425 Every port");
        // Not kept either: NcFTP goes on after no other code.
        if command == "SITE" && reply.starts_with("220 Connected") {
            continue;
        }
        let about_data = matches!(command.as_str(), "PORT" | "EPRT" | "PASV" | "EPSV");
        assert!(!ports || about_data, "{command}: {reply}");
        // NcFTP goes on after this code alone (docs/conformance.md).
        let connected = command == "SITE" && reply.starts_with("220 Connected");
        let Some((_, codes)) = table().find(|(verb, _)| *verb == command) else {
            continue;
        };
        assert!(
            ports || connected || code == 421 || codes.contains(&code),
            "{command}: {reply}"
        );
    }
}

/// Otherwise a reply that somebody adds to the program would be held against no table.
#[test]
fn section_5_4_no_reply_of_our_own_is_left_out() {
    let said = all_of_them();
    let mut found = 0;
    for literal in replies_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ftp")) {
        found += 1;
        assert!(
            said.0.iter().any(|(_, reply)| reply.starts_with(&literal)),
            "nobody has heard {literal:?}"
        );
    }
    assert!(found > 25, "only {found} replies in src/ftp");
}

/// The beginnings of the replies that the sources hold, up to what is filled in.
fn replies_in(folder: &Path) -> Vec<String> {
    let mut replies = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            replies.extend(replies_in(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for literal in code.split('"').skip(1) {
            let digits = literal.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 3 && literal[3..].starts_with(' ') {
                let end = literal.find(['{', '\\']).unwrap_or(literal.len());
                replies.push(literal[..end].to_owned());
            }
        }
    }
    replies
}
