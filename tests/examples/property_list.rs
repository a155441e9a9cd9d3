//! contrib/launchd: the property list is one by the rules of plutil(1) and launchd.plist(5).

use std::net::IpAddr;

use ftp_proxy::endpoint::parse_port;
use ftp_proxy::options::Destination;
use plist::{Dictionary, Value};

use super::inetd::options;
use super::{PORT, shipped};

const LABEL: &str = "local.ftp-proxy";

fn text() -> String {
    shipped(&format!("contrib/launchd/{LABEL}.plist"))
}

/// What is wrong with a property list for a service of our kind.
fn read(text: &str) -> Result<Dictionary, String> {
    let list = Value::from_reader_xml(text.as_bytes()).map_err(|error| error.to_string())?;
    let list = list.into_dictionary().ok_or("the root is no dictionary")?;
    // Two keys of one name would hide one another.
    if keys(&list) != text.matches("<key>").count() {
        return Err("a key twice".to_owned());
    }
    // XML forbids two dashes within a comment; the parser is lenient, plutil is not.
    for comment in text.split("<!--").skip(1) {
        let (inside, _) = comment.split_once("-->").ok_or("an open comment")?;
        if inside.contains("--") || inside.ends_with('-') {
            return Err("two dashes in a comment".to_owned());
        }
    }
    for (key, value) in &list {
        let fits = match key.as_str() {
            "Label" => value.as_string().is_some(),
            "ProgramArguments" => value
                .as_array()
                .is_some_and(|words| words.iter().all(|word| word.as_string().is_some())),
            "inetdCompatibility" => value.as_dictionary().is_some_and(|inner| {
                inner.len() == 1 && inner.get("Wait").and_then(Value::as_boolean).is_some()
            }),
            "Sockets" => value
                .as_dictionary()
                .is_some_and(|sockets| sockets.values().all(is_socket)),
            _ => false,
        };
        if !fits {
            return Err(format!("{key}: unknown, or of another type"));
        }
    }
    Ok(list)
}

fn is_socket(value: &Value) -> bool {
    let strings = ["SockNodeName", "SockServiceName", "SockType", "SockFamily"];
    value.as_dictionary().is_some_and(|socket| {
        socket
            .iter()
            .all(|(key, value)| strings.contains(&key.as_str()) && value.as_string().is_some())
    })
}

fn keys(list: &Dictionary) -> usize {
    let inner = list.values().filter_map(Value::as_dictionary).map(keys);
    list.len() + inner.sum::<usize>()
}

fn string<'a>(list: &'a Dictionary, key: &str) -> &'a str {
    let value = list.get(key).and_then(Value::as_string);
    value.unwrap_or_else(|| panic!("{key} is missing"))
}

fn inner<'a>(list: &'a Dictionary, key: &str) -> &'a Dictionary {
    let value = list.get(key).and_then(Value::as_dictionary);
    value.unwrap_or_else(|| panic!("{key} is missing"))
}

#[test]
fn a_list_that_plutil_or_launchd_would_refuse_is_noticed() {
    let good = text();
    assert!(read(&good).is_ok());
    for (part, wrong) in [
        ("</dict>\n</plist>", "</plist>"),
        ("<dict>\n\t<key>Label", "<array>\n\t<key>Label"),
        ("<false/>", "<string>false</string>"),
        ("<false/>", "<no/>"),
        ("<string>8021</string>", "<integer>8021</integer>"),
        ("<string>-p</string>", "<true/>"),
        ("SockNodeName", "SockAddress"),
        ("Label", "label"),
        ("SockType", "SockFamily"),
        ("<!--\n", "<!-- --listen\n"),
    ] {
        assert!(good.contains(part), "{part:?}");
        assert!(read(&good.replacen(part, wrong, 1)).is_err(), "{wrong:?}");
    }
}

#[test]
fn it_is_named_after_its_label_and_claims_no_name_of_apple_s() {
    let list = read(&text()).unwrap();
    assert_eq!(string(&list, "Label"), LABEL);
    assert!(!LABEL.starts_with("com.apple"));
}

#[test]
fn launchd_accepts_each_connection_as_inetd_does_and_runs_what_the_program_takes() {
    let list = read(&text()).unwrap();
    let compatible = inner(&list, "inetdCompatibility");
    assert_eq!(
        compatible.get("Wait").and_then(Value::as_boolean),
        Some(false)
    );
    let words = list.get("ProgramArguments").and_then(Value::as_array);
    let words: Vec<_> = words
        .expect("a program")
        .iter()
        .filter_map(Value::as_string)
        .collect();
    let ["/usr/local/sbin/ftp-proxy", arguments @ ..] = words.as_slice() else {
        panic!("{words:?}");
    };
    let options = options(arguments).unwrap();
    assert_eq!(options.destination, Destination::Pf);
    assert!(options.listen.is_empty());
    assert!(
        options.user.is_some(),
        "macOS has no user of the default name"
    );
}

#[test]
fn launchd_listens_where_the_rule_of_pf_leads() {
    let list = read(&text()).unwrap();
    let sockets = inner(&list, "Sockets");
    assert_eq!(sockets.len(), 1);
    let socket = inner(sockets, "Listeners");
    let address: IpAddr = string(socket, "SockNodeName").parse().unwrap();
    assert_eq!(parse_port(string(socket, "SockServiceName")), Some(PORT));
    assert_eq!(string(socket, "SockType"), "stream");
    assert_eq!(string(socket, "SockFamily"), "IPv4");
    let rule = format!("-> {address} port {PORT}\n");
    assert!(shipped("pf.conf.example").contains(&rule));
}
