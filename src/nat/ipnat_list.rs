//! What `ipnat -l` says of a session that a rdr rule made. Pure.
//!
//! One line a session, seen on FreeBSD 13.2: our end, original destination, client, protocol.
//!
//! ```text
//! RDR 127.0.0.1       2121  <- -> 10.2.0.2        21    [10.1.0.2 40021] tcp
//! ```
//!
//! IP-Filter 4 and NetBSD leave the protocol out. Everything else in the list is other things: rules, headings, MAP
//! sessions, sessions that are marked CLONE or ORPHAN and carry nothing.

use std::net::{IpAddr, SocketAddr};
use std::str;

use super::elsewhere;
use crate::endpoint::parse_port;

/// Several sessions have both our ends and different destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// Where the connection from `client` to `proxy`, our end, was going; `None` if the list does not tell.
///
/// # Errors
/// [`Ambiguous`]: it tells several stories.
pub fn original_destination(
    list: &[u8],
    client: SocketAddr,
    proxy: SocketAddr,
) -> Result<Option<SocketAddr>, Ambiguous> {
    let mut found = None;
    for line in list.split_inclusive(|byte| *byte == b'\n') {
        // A destination that is our own end is no answer: nobody was redirected.
        let answer = destination(line, client, proxy).and_then(|at| elsewhere(at, proxy));
        let Some(destination) = answer else { continue };
        if *found.get_or_insert(destination) != destination {
            return Err(Ambiguous);
        }
    }
    Ok(found)
}

/// The destination in this line, if it is about this connection. A line without its end may have lost more than that.
fn destination(line: &[u8], client: SocketAddr, proxy: SocketAddr) -> Option<SocketAddr> {
    let line = str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let (session, protocol) = words.split_at_checked(9)?;
    let [
        "RDR",
        proxy_ip,
        proxy_port,
        "<-",
        "->",
        ip,
        port,
        client_ip,
        client_port,
    ] = *session
    else {
        return None;
    };
    let client_ip = client_ip.strip_prefix('[')?;
    let client_port = client_port.strip_suffix(']')?;
    let ours = is(proxy_ip, proxy.ip()) && parse_port(proxy_port)? == proxy.port();
    // The list has no scopes, so none is compared.
    let theirs = endpoint(client_ip, client_port)?;
    let theirs = (theirs.ip(), theirs.port()) == (client.ip(), client.port());
    let tcp = matches!(protocol, [] | ["tcp"]);
    if line.starts_with("RDR ") && ours && theirs && tcp {
        endpoint(ip, port)
    } else {
        None
    }
}

fn endpoint(ip: &str, port: &str) -> Option<SocketAddr> {
    let ip: IpAddr = ip.parse().ok()?;
    Some(SocketAddr::new(ip, parse_port(port)?))
}

/// Whether `text` is this address of ours. ipnat(8) writes `any` for each IPv6 address that begins with 32 zero bits,
/// as ::1 does, where rules redirect to.
fn is(text: &str, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(ip) if text == "any" => ip.segments()[..2] == [0, 0],
        ip => text.parse() == Ok(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str =
        "RDR 127.0.0.1       2121  <- -> 10.2.0.2        21    [10.1.0.2 40021] tcp\n";

    fn look(list: impl AsRef<[u8]>) -> Result<Option<String>, Ambiguous> {
        look_for(list, "10.1.0.2:40021", "127.0.0.1:2121")
    }

    fn look_for(
        list: impl AsRef<[u8]>,
        client: &str,
        proxy: &str,
    ) -> Result<Option<String>, Ambiguous> {
        let (client, proxy) = (client.parse().unwrap(), proxy.parse().unwrap());
        original_destination(list.as_ref(), client, proxy)
            .map(|found| found.map(|at| at.to_string()))
    }

    #[test]
    fn the_session_with_both_our_ends_is_found_among_everything_else() {
        let list = format!(
            "List of active MAP/Redirect filters:\n\
             rdr em0 0.0.0.0/0 port 21 -> 127.0.0.1 port 2121 tcp\n\
             \n\
             List of active sessions:\n\
             MAP 10.1.0.2        40021 <- -> 192.0.2.1       40021 [10.2.0.9 21] tcp\n\
             RDR 127.0.0.1       2121  <- -> 10.2.0.8        21    [10.1.0.3 40021] tcp\n\
             RDR 127.0.0.1       2121  <- -> 10.2.0.7        21    [10.1.0.2 40022] tcp\n\
             RDR 127.0.0.1       2122  <- -> 10.2.0.6        21    [10.1.0.2 40021] tcp\n\
             {SESSION}\
             RDR CLONE 127.0.0.1       2121  <- -> 10.2.0.5        21    [10.1.0.2 40021] tcp\n\
             RDR ORPHAN 127.0.0.1       2121  <- -> 10.2.0.4        21    [10.1.0.2 40021] tcp\n\
             RDR 127.0.0.1       2121  <- -> 10.2.0.3        21    [10.1.0.2 40021] udp\n"
        );
        assert_eq!(look(&list), Ok(Some("10.2.0.2:21".to_owned())));
        let without = list.replace(SESSION, "");
        assert_eq!(look(without), Ok(None));
    }

    #[test]
    fn ipv6_has_the_same_columns_and_any_for_our_loopback() {
        let at = |ours: &str, proxy: &str| {
            let line =
                format!("RDR {ours} 2121  <- -> 2001:db8:2::2 21    [2001:db8:1::2 40021] tcp\n");
            look_for(line, "[2001:db8:1::2]:40021", proxy)
        };
        let found = Ok(Some("[2001:db8:2::2]:21".to_owned()));
        assert_eq!(at("2001:db8::1", "[2001:db8::1]:2121"), found);
        assert_eq!(at("any", "[::1]:2121"), found);
        assert_eq!(at("any", "[2001:db8::1]:2121"), Ok(None));
        assert_eq!(at("any", "127.0.0.1:2121"), Ok(None));
        assert_eq!(at("2001:db8::1", "[2001:db8::1]:2122"), Ok(None));
    }

    #[test]
    fn ip_filter_4_names_no_protocol() {
        let list = SESSION.replace(" tcp", "");
        assert_eq!(look(list), Ok(Some("10.2.0.2:21".to_owned())));
    }

    #[test]
    fn several_destinations_are_no_answer_but_the_same_one_twice_is() {
        let twice = SESSION.repeat(2);
        assert_eq!(look(&twice), Ok(Some("10.2.0.2:21".to_owned())));
        let other = twice + &SESSION.replace("10.2.0.2", "10.2.0.3");
        assert_eq!(look(other), Err(Ambiguous));
    }

    #[test]
    fn our_own_end_is_no_destination() {
        let own = SESSION.replace("10.2.0.2        21 ", "127.0.0.1       2121 ");
        assert_eq!(look(&own), Ok(None));
        assert_eq!(look(own + SESSION), Ok(Some("10.2.0.2:21".to_owned())));
    }

    #[test]
    fn a_line_that_is_not_exactly_so_tells_nothing() {
        for (written, garbled) in [
            ("RDR", " RDR"),
            ("RDR", "rdr"),
            ("RDR", "RDR-MAP"),
            ("RDR", "RWR-RDR"),
            ("127.0.0.1", "127.0.0.01"),
            ("127.0.0.1", "127.1"),
            ("127.0.0.1", "any"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("2121 ", "02121x"),
            ("<- ->", "<-->"),
            ("<- ->", "->"),
            ("10.2.0.2 ", "10.2.0.256 "),
            ("10.2.0.2 ", "ftp.example.org "),
            ("10.2.0.2 ", "10.2.0.2\t"),
            ("21    [", "0     ["),
            ("21    [", "65557 ["),
            ("21    [", "-21   ["),
            ("21    [", "ftp   ["),
            ("[10.1.0.2", "10.1.0.2"),
            ("40021]", "40021"),
            ("40021] tcp", "40021]tcp"),
            ("tcp", "tcp tcp"),
            ("tcp", "tcp\r"),
            ("tcp", "6"),
            ("tcp\n", "tcp"),
        ] {
            let line = SESSION.replacen(written, garbled, 1);
            assert_ne!(line, SESSION, "{written}");
            assert_eq!(look(&line), Ok(None), "{line:?}");
        }
    }

    #[test]
    fn bytes_of_any_kind_are_survived_and_hide_no_session() {
        let mut list = b"RDR \xff\xfe\0 <- -> [] \n\n\r\n".to_vec();
        list.extend((0..=255).cycle().take(70_000));
        list.push(b'\n');
        list.extend(SESSION.as_bytes());
        assert_eq!(look(&list), Ok(Some("10.2.0.2:21".to_owned())));
        // However it is cut, a piece of the line is no other session.
        for cut in 0..SESSION.len() {
            assert_eq!(look(&SESSION[..cut]), Ok(None), "{cut}");
        }
    }
}
