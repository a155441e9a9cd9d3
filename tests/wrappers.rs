//! `-w` with the system's own library: rules on where a client comes from, and on where it wants to go.
//!
//! The rules stand in an /etc of the process's own; the servers are other addresses of the loopback network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "common/free.rs"]
mod free;
#[path = "common/syslog.rs"]
mod syslog;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use free::free_address;
use ftp_proxy::wrappers::Wrappers;
use syslog::FakeSyslog;

const PROXY: &str = env!("CARGO_BIN_EXE_ftp-proxy");

/// Gives the process an /etc with nothing but what it needs, and the tables from its environment.
const PRIVATE_ETC: &str = r#"
set -e
mkdir "$KEEP/etc"
for file in passwd group nsswitch.conf ld.so.cache services protocols; do
    [ ! -e "/etc/$file" ] || cp "/etc/$file" "$KEEP/etc/$file"
done
printf '%s\n' '127.0.0.1 client.example' '127.0.0.5 server.example' > "$KEEP/etc/hosts"
printf '%s\n' "$ALLOW" > "$KEEP/etc/hosts.allow"
printf '%s\n' "$DENY" > "$KEEP/etc/hosts.deny"
chmod "$MODE" "$KEEP/etc/hosts.deny"
chmod 755 "$KEEP" "$KEEP/etc"
mount --bind "$KEEP/etc" /etc
"#;

/// Ended when the test does.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server on that address of this machine, which only greets.
fn server(host: &str) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            client.unwrap().write_all(b"220 ready\r\n").unwrap();
        }
    });
    address
}

#[expect(clippy::disallowed_methods, reason = "a test that waits needs a clock")]
fn connect(address: SocketAddr) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(address) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// What hosts.allow and hosts.deny hold, who may read the second, and what the proxy is told beside.
#[derive(Clone, Copy)]
struct Rules {
    allow: &'static str,
    deny: &'static str,
    mode: &'static str,
    options: &'static str,
    /// What the client says first.
    says: &'static str,
}

/// Nothing in them.
const RULES: Rules = Rules {
    allow: "",
    deny: "",
    mode: "644",
    options: "-w",
    says: "",
};

/// The first line that a client hears that wants to reach a server on `to`, and the log; `None` if the test cannot be.
fn answer(rules: Rules, to: &str) -> Option<(String, FakeSyslog)> {
    let log = FakeSyslog::start()?;
    if let Err(error) = Wrappers::load() {
        syslog::skip(&format!("the package libwrap0: {error}"));
        return None;
    }
    let address = free_address("127.0.0.1");
    let mut command = log.command_after(PRIVATE_ETC, PROXY);
    command.env("KEEP", log.directory()).env("MODE", rules.mode);
    command.env("ALLOW", rules.allow).env("DENY", rules.deny);
    command.args(rules.options.split(' '));
    command.args([
        "-R",
        &server(to).to_string(),
        "--listen",
        &address.to_string(),
    ]);
    let _proxy = Proxy(command.stdin(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    let mut client = connect(address);
    client.write_all(rules.says.as_bytes()).unwrap();
    BufReader::new(client).read_line(&mut line).unwrap();
    Some((line, log))
}

fn serves(rules: Rules, to: &str) {
    if let Some((line, _)) = answer(rules, to) {
        assert_eq!(
            line, "220 ready\r\n",
            "hosts.allow {:?}, hosts.deny {:?}",
            rules.allow, rules.deny
        );
    }
}

/// That a client is told so, and the log how the proxy calls client and server.
fn refuses(rules: Rules, client: &str, server: &str) {
    if let Some((line, syslog)) = answer(rules, "127.0.0.5") {
        assert!(line.starts_with("421 "), "{line}");
        let logged = syslog.expect(": hosts.allow and hosts.deny do not permit it");
        let (_, ends) = logged.split_once("refused ").unwrap();
        let (from, to) = ends.split_once(" to ").unwrap();
        assert!(
            from.starts_with(&format!("{client}:")) && to.starts_with(&format!("{server}:")),
            "{logged}"
        );
    }
}

#[test]
fn without_rules_everybody_is_served() {
    serves(RULES, "127.0.0.5");
}

#[test]
fn a_rule_on_the_source_denies_with_421_and_a_line_in_the_log() {
    refuses(
        Rules {
            deny: "ftp-proxy : 127.0.0.1",
            ..RULES
        },
        "127.0.0.1",
        "127.0.0.5",
    );
}

#[test]
fn a_rule_on_another_source_or_another_daemon_is_not_about_this_client() {
    serves(
        Rules {
            deny: "ftp-proxy : 127.0.0.2\nftpd : ALL",
            ..RULES
        },
        "127.0.0.5",
    );
}

#[test]
fn a_rule_on_the_destination_denies_that_server() {
    refuses(
        Rules {
            deny: "ftp-proxy@127.0.0.5 : ALL",
            ..RULES
        },
        "127.0.0.1",
        "127.0.0.5",
    );
}

#[test]
fn a_rule_on_the_destination_leaves_other_servers_alone() {
    serves(
        Rules {
            deny: "ftp-proxy@127.0.0.5 : ALL",
            ..RULES
        },
        "127.0.0.6",
    );
    serves(
        Rules {
            allow: "ftp-proxy@127.0.0.6 : ALL",
            deny: "ALL : ALL",
            ..RULES
        },
        "127.0.0.6",
    );
}

#[test]
fn no_name_is_looked_up_without_being_asked_for() {
    // A client whose name was looked up would be client.example, and known.
    refuses(
        Rules {
            deny: "ftp-proxy : UNKNOWN",
            ..RULES
        },
        "127.0.0.1",
        "127.0.0.5",
    );
}

#[test]
fn rules_on_names_are_obeyed_with_r() {
    for deny in [
        "ftp-proxy : client.example",
        "ftp-proxy@server.example : ALL",
    ] {
        serves(Rules { deny, ..RULES }, "127.0.0.5");
    }
    let rules = Rules {
        deny: "ftp-proxy : client.example",
        options: "-rw",
        ..RULES
    };
    refuses(rules, "client.example", "server.example");
    refuses(
        Rules {
            deny: "ftp-proxy@server.example : ALL",
            ..rules
        },
        "client.example",
        "server.example",
    );
}

#[test]
fn a_rule_may_answer_the_client_by_a_program() {
    let rules = Rules {
        deny: "ftp-proxy : ALL : twist /bin/echo 421 %d hates %a",
        ..RULES
    };
    if let Some((line, _)) = answer(rules, "127.0.0.5") {
        assert_eq!(line, "421 ftp-proxy hates 127.0.0.1\n");
    }
}

#[test]
fn rules_are_about_the_client_that_a_balancer_brings_and_not_about_the_balancer() {
    let brought = Rules {
        options: "-w --accept-proxy-protocol 127.0.0.1",
        says: "PROXY TCP4 127.0.0.9 127.0.0.8 4242 21\r\n",
        ..RULES
    };
    refuses(
        Rules {
            deny: "ftp-proxy : 127.0.0.9",
            ..brought
        },
        "127.0.0.9",
        "127.0.0.5",
    );
    serves(
        Rules {
            deny: "ftp-proxy : 127.0.0.1",
            ..brought
        },
        "127.0.0.5",
    );
}

#[test]
fn a_table_that_cannot_be_read_denies_everybody() {
    refuses(
        Rules {
            deny: "ftpd : ALL",
            mode: "600",
            ..RULES
        },
        "127.0.0.1",
        "127.0.0.5",
    );
}

#[test]
fn a_system_without_the_library_is_told_so_and_exit_69() {
    let Some(syslog) = FakeSyslog::start() else {
        return;
    };
    // Whatever has its name is an empty file.
    let hide = r#"for library in $(find /lib/ /usr/lib/ -name 'libwrap.so*'); do mount --bind /dev/null "$library"; done"#;
    let mut command: Command = syslog.command_after(hide, PROXY);
    command
        .args(["-w", "-R", "127.0.0.1", "--listen", "127.0.0.1:65535"])
        .stdin(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(69));
    assert!(syslog.expect("-w: ").contains("libwrap"));
}
