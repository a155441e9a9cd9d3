//! What counts as a login for --login-timeout: the server's own word, or that it does what it does for nobody else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proxy::ftp::{Action, Session, Side, Terms};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Commands and the replies to them; whether the client is in afterwards.
fn is_in(talk: &[(&str, &str)]) -> bool {
    let mut session = Session::new(Terms::of(CLIENT), Some(SERVER));
    let greeting = [("", "220 hi")];
    for (command, reply) in greeting.iter().chain(talk) {
        if !command.is_empty() {
            session.receive(Side::Client, format!("{command}\r\n").as_bytes());
            obey(&mut session);
        }
        session.receive(Side::Server, format!("{reply}\r\n").as_bytes());
        obey(&mut session);
    }
    session.is_logged_in()
}

fn obey(session: &mut Session) {
    while let Some(action) = session.poll() {
        if let Action::Prepare(_) = action {
            session.prepared(SocketAddr::new(CLIENT, 50000));
        }
    }
}

#[test]
fn a_server_that_lets_a_client_in_is_believed() {
    for talk in [
        &[("USER a", "331 p"), ("PASS b", "230 in")][..],
        &[("USER a", "331 p"), ("PASS b", "202 not needed")],
        &[("USER a", "230 in")],
        &[("USER a", "202 no login here")],
        &[
            ("USER a", "331 p"),
            ("PASS b", "332 a"),
            ("ACCT c", "202 ok"),
        ],
        &[("CWD a", "250 ok")],
        &[("pwd", "257 \"/\"")],
        &[("SIZE a", "213 7")],
        &[("PASV", "227 (192,0,2,1,200,10)")],
        &[("EPSV", "229 (|||50000|)")],
        &[("RETR a", "150 go")],
    ] {
        assert!(is_in(talk), "{talk:?}");
    }
}

#[test]
fn what_servers_do_for_anybody_is_no_login() {
    for talk in [
        &[][..],
        &[("NOOP", "200 ok"), ("SYST", "215 UNIX"), ("FEAT", "211 no")],
        &[
            ("HOST a", "220 ok"),
            ("TYPE I", "200 ok"),
            ("STAT", "211 ok"),
        ],
        &[("USER a", "331 p"), ("PASS b", "530 no")],
        &[("CWD a", "530 no"), ("PASV", "530 no"), ("PWD", "550 no")],
        &[("PASS b", "230 in"), ("REIN", "220 again")],
        // Nothing asked for these.
        &[("NOOP", "200 ok\r\n230 in\r\n150 go")],
    ] {
        assert!(!is_in(talk), "{talk:?}");
    }
}
