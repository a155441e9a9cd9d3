//! Forward mode with the real lftp and NcFTP, which know several ways to log in at a firewall and then at a server.
//!
//! The clients are those that tests/setup/peers unpacks. A trial without them, or without root for a server at port 21, is
//! passed over and says so.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use common::address::{SERVER, numbers};
use common::listening::Listening;

const FILE: &[u8] = b"the file\n";

/// Where tests/setup/peers unpacks.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.work/root")
}

/// A client from there, with the libraries from there.
fn client(name: &str) -> Option<Command> {
    let program = root().join("usr/bin").join(name);
    if !program.exists() {
        skip("tests/setup/peers");
        return None;
    }
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let libraries = ["usr/lib", "lib"].map(|folder| root().join(folder).join(&triplet));
    let mut command = Command::new("timeout");
    command
        .arg("30")
        .arg(program)
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Some(command)
}

fn skip(needs: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: needs {needs}");
}

/// A server for one file; what it hears of USER, PASS and ACCT.
fn serve(listener: TcpListener) -> Receiver<String> {
    let (logins, heard) = channel();
    thread::spawn(move || {
        for control in listener.incoming() {
            let logins = logins.clone();
            thread::spawn(move || session(&control.unwrap(), &logins));
        }
    });
    heard
}

fn session(mut control: &TcpStream, logins: &Sender<String>) -> Option<()> {
    control.write_all(b"220 ready\r\n").ok()?;
    let mut passive = None;
    for line in BufReader::new(control).lines() {
        let line = line.ok()?;
        let verb = line.split(' ').next()?.to_ascii_uppercase();
        if ["USER", "PASS", "ACCT", "OPEN"].contains(&verb.as_str()) {
            logins.send(line.clone()).ok()?;
        }
        let reply = match verb.as_str() {
            "USER" => "331 and a password".to_owned(),
            "PASS" => "230 in".to_owned(),
            "PWD" => "257 \"/\"".to_owned(),
            "PASV" => {
                let listener = TcpListener::bind((SERVER, 0)).ok()?;
                let at = numbers(listener.local_addr().ok()?);
                passive = Some(listener);
                format!("227 ok ({at})")
            }
            "RETR" => {
                control.write_all(b"150 here\r\n").ok()?;
                passive.take()?.accept().ok()?.0.write_all(FILE).ok()?;
                "226 done".to_owned()
            }
            "TYPE" | "CWD" => "200 ok".to_owned(),
            "QUIT" => "221 bye".to_owned(),
            _ => "500 what".to_owned(),
        };
        control.write_all(format!("{reply}\r\n").as_bytes()).ok()?;
    }
    Some(())
}

/// A folder of its own for a client, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("firewall-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The client fetches the file, and the server hears the login that is for it and nothing else.
#[track_caller]
fn fetches(mut command: Command, folder: &Path, server: &Receiver<String>) {
    let output = command
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let got = fs::read(folder.join("file")).unwrap_or_default();
    assert_eq!(got, FILE, "{command:?}: {said}");
    let logins: Vec<String> = server.try_iter().collect();
    assert_eq!(logins, ["USER bob", "PASS word"], "{said}");
}

fn proxy() -> Listening {
    Listening::begin(&["--forward", "--forward-any-port"])
}

#[test]
fn lftp_logs_in_by_each_of_its_ways() {
    let listener = TcpListener::bind((SERVER, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let heard = serve(listener);
    let proxy = proxy();
    for (way, login) in [
        ("user", ""),
        ("user", "fw:secret@"),
        ("joined", "fw:secret@"),
        ("joined-acct", "fw:secret@"),
        ("open", ""),
        ("open", "fw:secret@"),
    ] {
        let Some(mut lftp) = client("lftp") else {
            return;
        };
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 15; set ftp:ssl-allow no; \
             set ftp:proxy-auth-type {way}; set ftp:proxy ftp://{login}{}; \
             open -u bob,word ftp://{server}; get file -o file",
            proxy.at
        );
        lftp.args(["-c", &script]);
        fetches(
            lftp,
            &folder(&format!("lftp-{way}-{}", login.len())),
            &heard,
        );
    }
}

#[test]
fn ncftp_logs_in_by_each_of_its_firewall_types() {
    let Ok(listener) = TcpListener::bind((SERVER, 21)) else {
        return skip("root, and port 21 of 127.0.0.4");
    };
    let server: SocketAddr = listener.local_addr().unwrap();
    let heard = serve(listener);
    let proxy = proxy();
    for kind in [1, 2, 3, 4, 5, 7, 8, 9] {
        let Some(mut ncftp) = client("ncftpget") else {
            return;
        };
        let home = folder(&format!("ncftp-{kind}"));
        fs::create_dir(home.join(".ncftp")).unwrap();
        let settings = format!(
            "firewall-type={kind}\nfirewall-host={}\nfirewall-port={}\nfirewall-user=fw\n\
             firewall-password=secret\nfirewall-exception-list=.example.org\n",
            proxy.at.ip(),
            proxy.at.port()
        );
        fs::write(home.join(".ncftp/firewall"), settings).unwrap();
        ncftp.args([
            "-u", "bob", "-p", "word", "-t", "15", "-r", "0", "-d", "stderr", "-F", "-V", "-Z",
            "-C",
        ]);
        ncftp.args([server.ip().to_string().as_str(), "file", "file"]);
        fetches(ncftp, &home, &heard);
    }
}
