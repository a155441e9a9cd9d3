//! Real clients of a server that says more than it was asked: none of them may be led to a third host.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use common::address::{SERVER, STRANGER, numbers};
use common::fake::{Control, Listener, send_all};
use common::listening::Listening;

const FILE: &[u8] = b"the file";

/// For a client that may have gone to another host.
const MOMENT: Duration = Duration::from_secs(1);

/// What the server says to PASS: `{}` is the third host, and `*` some replies that bring the 227 to its place, since each
/// client asks for something else before its PASV.
const ATTACKS: &[(&str, &str)] = &[
    (
        "replies behind the last line",
        "230 in\r\n*227 Entering Passive Mode ({}).\r\n",
    ),
    (
        "replies within the reply, for curl and wget",
        "230-a\r\n*227 Entering Passive Mode ({}).\r\n230 end\r\n",
    ),
    (
        "replies within the reply, for ftplib",
        "230-a\r\n230\r\n*227 Entering Passive Mode ({}).\r\n230 end\r\n",
    ),
    (
        "replies to some clients alone",
        "230 in\r\n*227\tat {}\r\n227=({})\r\n2270 ({})\r\n",
    ),
];

/// So many of them.
const MOST: usize = 5;

/// A server for one client that answers all it is asked, honestly but for PASS.
fn serve(there: Listener, to_pass: String) -> JoinHandle<()> {
    spawn(move || {
        let mut control = Control::over(there.accepts(), "server");
        control.says("220 ready");
        let mut data = None;
        while let Ok(line) = control.next_line() {
            let line = String::from_utf8_lossy(&line).into_owned();
            match line.split_ascii_whitespace().next().unwrap_or_default() {
                "" => return,
                "USER" => control.says("331 who says so?"),
                "PASS" => control.says_bytes(to_pass.as_bytes()),
                "SYST" => control.says("215 UNIX Type: L8"),
                "PWD" => control.says("257 \"/\""),
                "SIZE" => control.says("213 8"),
                "TYPE" | "CWD" => control.says("200 ok"),
                "PASV" => {
                    let listener = Listener::at(SERVER);
                    control.says(&format!("227 ok ({})", numbers(listener.address())));
                    data = Some(listener);
                }
                "RETR" => {
                    control.says("150 go");
                    if let Some(listener) = data.take().filter(|l| l.is_called(MOMENT)) {
                        send_all(&listener.accepts(), FILE);
                    }
                    control.says("226 done");
                }
                "QUIT" => {
                    control.says("221 bye");
                    return;
                }
                _ => control.says("500 no"),
            }
        }
    })
}

/// The client's command to fetch the file, as those run it who believe the address in a 227.
type Client = fn(&str, u16) -> Command;

const CLIENTS: &[(&str, Client)] = &[("curl", curl), ("ftplib", ftplib), ("wget", wget)];

fn curl(host: &str, port: u16) -> Command {
    let mut command = Command::new("curl");
    command.args([
        "-s",
        "--max-time",
        "10",
        "--disable-epsv",
        "--no-ftp-skip-pasv-ip",
    ]);
    command.arg(format!("ftp://{host}:{port}/a"));
    command
}

fn ftplib(host: &str, port: u16) -> Command {
    let script = format!(
        "import ftplib, sys\n\
         ftp = ftplib.FTP(timeout=3)\n\
         ftp.trust_server_pasv_ipv4_address = True\n\
         ftp.connect('{host}', {port})\n\
         ftp.login()\n\
         ftp.retrbinary('RETR a', sys.stdout.buffer.write)\n\
         ftp.quit()\n"
    );
    let mut command = Command::new("python3");
    command.args(["-c", &script]);
    command
}

fn wget(host: &str, port: u16) -> Command {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.work/root/usr/bin/wget");
    let mut command = Command::new(if fetched.exists() {
        fetched
    } else {
        "wget".into()
    });
    command.args(["-q", "-T", "3", "-t", "1", "-O", "-"]);
    command.arg(format!("ftp://{host}:{port}/a"));
    command
}

/// What the client did, and whether the third host was called. `None`: there is no such client here.
fn attack(client: Client, to_pass: &str, replies: usize) -> Option<(Output, bool)> {
    let (there, third) = (Listener::at(SERVER), Listener::at(STRANGER));
    let to_pass = to_pass.replace('*', &"200 ok\r\n".repeat(replies));
    let to_pass = to_pass.replace("{}", &numbers(third.address()));
    let proxy = Listening::begin(&["-R", &there.address().to_string()]);
    let _server = serve(there, to_pass);
    let output = client(&proxy.at.ip().to_string(), proxy.at.port()).output();
    // The client has ended: whom it dialled, it has dialled.
    Some((output.ok()?, third.is_called(Duration::ZERO)))
}

#[test]
fn no_client_is_led_to_a_third_host() {
    for (name, client) in CLIENTS {
        for (what, to_pass) in ATTACKS {
            for replies in 0..MOST {
                let Some((_, called)) = attack(*client, to_pass, replies) else {
                    let _ = writeln!(io::stderr(), "skipped: needs {name}");
                    break;
                };
                assert!(!called, "{name}: {replies} {what}");
            }
        }
    }
}

/// What nothing asked for costs such a client nothing.
#[test]
fn a_client_gets_its_file_from_such_a_server() {
    let (_, to_pass) = ATTACKS[0];
    for (name, client) in CLIENTS {
        for replies in 0..MOST {
            if let Some((output, _)) = attack(*client, to_pass, replies) {
                assert_eq!(output.stdout, FILE, "{name}: {replies}: {output:?}");
            }
        }
    }
}
