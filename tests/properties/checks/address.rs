//! Addresses as peers write them: PORT, EPRT, 227, 229, and the server that a login names.

use std::net::SocketAddr;

use ftp_proxy::endpoint::{Host, HostPort};
use ftp_proxy::ftp::{Action, DataPlan, EprtArgument, PortArgument, Session, Side, Terms};

use super::oracle::{body, words};
use super::script::{CLIENT, SERVER};
use super::tame::terms;

/// First byte: which form; the rest is the text.
pub fn check(bytes: &[u8]) {
    let Some((form, text)) = bytes.split_first() else {
        return;
    };
    // One line that Telnet leaves alone.
    let text: Vec<u8> = text
        .iter()
        .filter(|&&b| !matches!(b, 255 | b'\r' | b'\n' | 0))
        .take(1000)
        .copied()
        .collect();
    match form % 6 {
        0 => port(&text),
        1 => eprt(&text),
        2 => passive(b"PASV", b"227", &text),
        3 => passive(b"EPSV", b"229", &text),
        4 => login(b"USER", &text),
        _ => login(b"SITE", &text),
    }
}

/// The text itself, and the address in it as it would be written by everybody.
fn port(text: &[u8]) {
    let parsed = PortArgument::parse(text);
    let string = String::from_utf8_lossy(text).into_owned();
    let numbers: Option<Vec<u8>> = string
        .trim_ascii()
        .split(',')
        .map(|n| {
            n.parse()
                .ok()
                .filter(|_| n.len() <= 3 && !n.starts_with('+'))
        })
        .collect();
    assert_eq!(
        parsed.is_some(),
        numbers.as_ref().is_some_and(|n| n.len() == 6),
        "{string:?}"
    );
    if let (Some(PortArgument(at)), Some(n)) = (parsed, numbers) {
        assert_eq!(at.ip().octets(), n[..4]);
        assert_eq!(
            u32::from(at.port()),
            u32::from(n[4]) * 256 + u32::from(n[5])
        );
        assert_eq!(
            PortArgument::parse(PortArgument(at).to_string().as_bytes()),
            parsed
        );
    }
    active(b"PORT", text, parsed.map(|a| a.0.into()));
}

fn eprt(text: &[u8]) {
    let parsed = EprtArgument::parse(text).ok();
    if let Some(EprtArgument(at)) = parsed {
        assert_eq!(at.ip(), at.ip().to_canonical());
        assert_eq!(
            EprtArgument::parse(EprtArgument(at).to_string().as_bytes()),
            Ok(EprtArgument(at))
        );
        let fields: Vec<&[u8]> = text
            .trim_ascii()
            .split(|&b| b == text.trim_ascii()[0])
            .collect();
        assert_eq!(fields.len(), 5);
        assert_eq!(String::from_utf8_lossy(fields[3]).parse(), Ok(at.port()));
        assert_eq!(String::from_utf8_lossy(fields[2]).parse(), Ok(at.ip()));
    }
    active(b"EPRT", text, parsed.map(|a| a.0));
}

/// The client's own address, a port that is no service's, and nothing else.
fn active(verb: &[u8], text: &[u8], parsed: Option<SocketAddr>) {
    let mut session = Session::new(terms(), Some(SERVER));
    session.receive(Side::Server, b"220 Hi.\r\n");
    session.receive(Side::Client, &[verb, b" ", text, b"\r\n"].concat());
    let good = parsed.filter(|at| at.ip() == CLIENT && at.port() >= 1024);
    // The argument as the session sees it has no vertical tab at its ends.
    let tab = text.contains(&0x0b);
    match planned(&mut session) {
        Some(DataPlan::Active { client }) if tab => assert_eq!(client.ip(), CLIENT),
        plan => assert_eq!(plan, good.map(|client| DataPlan::Active { client })),
    }
}

/// The server's own address, and a port that it wrote.
fn passive(verb: &[u8], code: &[u8], text: &[u8]) {
    let mut session = Session::new(terms(), Some(SERVER));
    session.receive(Side::Server, b"220 Hi.\r\n");
    session.receive(Side::Client, &[verb, b"\r\n"].concat());
    assert_eq!(planned(&mut session), None, "before the server's answer");
    session.receive(Side::Server, &[code, b" ", text, b"\r\n"].concat());
    let Some(plan) = planned(&mut session) else {
        return;
    };
    let DataPlan::Passive { server } = plan else {
        panic!("{plan:?}");
    };
    assert!(server.ip() == SERVER && server.port() >= 1024, "{server}");
    let numbers: Vec<u32> = String::from_utf8_lossy(text)
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let port = u32::from(server.port());
    let written = if code == b"227" {
        numbers
            .windows(6)
            .any(|n| n.iter().all(|n| *n < 256) && n[4] * 256 + n[5] == port)
    } else {
        numbers.contains(&port)
    };
    assert!(written, "{server} is not in {numbers:?}");
}

fn planned(session: &mut Session) -> Option<DataPlan> {
    std::iter::from_fn(|| session.poll()).find_map(|action| match action {
        Action::Prepare(plan) => Some(plan),
        _ => None,
    })
}

/// The server that is dialled is one that the text names, and the name that logs in there is what else the text has.
fn login(verb: &[u8], text: &[u8]) {
    let line = [verb, b" ", text].concat();
    let (_, argument) = words(&line);
    for any_port in [false, true] {
        let terms = Terms {
            any_port,
            ..terms()
        };
        let mut session = Session::new(terms, None);
        session.receive(Side::Client, &[&line[..], b"\r\n"].concat());
        let dialled = std::iter::from_fn(|| session.poll()).find_map(|action| match action {
            Action::Dial(server) => Some(server),
            _ => None,
        });
        let Some(server) = dialled else {
            continue;
        };
        assert_eq!(server.to_string().parse(), Ok(server.clone()));
        assert!(server.port == 21 || any_port && argument.contains(&server.port.to_string()));
        names(&server, &argument);
        session.connected(SERVER);
        session.receive(Side::Server, b"220 Hi.\r\n");
        let sent = std::iter::from_fn(|| session.poll()).find_map(|action| match action {
            Action::Send(Side::Server, bytes) => Some(bytes),
            _ => None,
        });
        let sent: Option<String> = sent.map(|s| body(&s).iter().map(|&b| char::from(b)).collect());
        let user = sent.map(|sent| sent.strip_prefix("USER ").map(str::to_owned));
        match user {
            None => assert_eq!(verb, b"SITE", "nobody logs in"),
            Some(user) => {
                let user = user.unwrap_or_default();
                assert!(
                    !user.is_empty() && argument.contains(&user),
                    "{user:?} of {argument:?}"
                );
            }
        }
    }
}

fn names(server: &HostPort, argument: &str) {
    match &server.host {
        Host::Name(name) => assert!(argument.contains(name.as_str()), "{name} of {argument:?}"),
        Host::Address(ip) => {
            let part = |c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'));
            // With a port behind it, it may have been read as a longer one.
            let same = |text: &str| text.parse() == Ok(*ip) || canonical(text) == Some(*ip);
            let written = argument.split(part).any(|text| {
                same(text) || text.rsplit_once(':').is_some_and(|(host, _)| same(host))
            });
            assert!(written, "{ip} of {argument:?}");
        }
        Host::Zoned(..) => panic!("a client names an interface of ours: {argument:?}"),
    }
}

fn canonical(text: &str) -> Option<std::net::IpAddr> {
    text.parse::<std::net::IpAddr>()
        .ok()
        .map(|ip| ip.to_canonical())
}
