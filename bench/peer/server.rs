//! A server of files that are named by their length: `RETR 1024` is 1 KiB. A thread for each session, a listener for each
//! passive transfer, as real servers have.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::bulk::{Source, sink};
use crate::control::{Control, Nagle, announce};

/// Goes on until it is ended.
pub fn serve(address: &str, nagle: Nagle) -> io::Result<()> {
    let source = Arc::new(Source::new()?);
    let listener = TcpListener::bind(address)?;
    loop {
        let (client, _) = listener.accept()?;
        let source = Arc::clone(&source);
        thread::spawn(move || {
            if let Err(error) = session(client, &source, nagle) {
                eprintln!("bench-peer: a session ended: {error}");
            }
        });
    }
}

fn session(client: TcpStream, source: &Source, nagle: Nagle) -> io::Result<()> {
    let mut control = Control::with(client, nagle)?;
    let mut passive = None;
    control.say("220 ready")?;
    loop {
        let line = control.hear()?.to_owned();
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "USER" => control.say("331 any password")?,
            "PASS" => control.say("230 welcome")?,
            "PASV" => passive = Some(listen(&mut control)?),
            "RETR" | "STOR" => {
                let bytes = argument.parse().map_err(io::Error::other)?;
                let Some(listener) = passive.take() else {
                    control.say("425 PASV first")?;
                    continue;
                };
                transfer(&mut control, &listener, verb, bytes, source)?;
            }
            "NOOP" => control.say("200 so be it")?,
            "QUIT" => return control.say("221 bye"),
            "" => return Ok(()),
            _ => control.say("502 not here")?,
        }
    }
}

fn listen(control: &mut Control) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((control.local_addr()?.ip(), 0))?;
    let SocketAddr::V4(at) = listener.local_addr()? else {
        return Err(io::Error::other("IPv4 only"));
    };
    control.say(&announce(at))?;
    Ok(listener)
}

/// `226` says how many bytes came, so that the client sees whether all did.
fn transfer(
    control: &mut Control,
    listener: &TcpListener,
    verb: &str,
    bytes: u64,
    source: &Source,
) -> io::Result<()> {
    let (data, _) = listener.accept()?;
    control.say("150 here it comes")?;
    let moved = if verb == "RETR" {
        source.pour(&data, bytes, || ())?;
        bytes
    } else {
        sink(&data, || ())?
    };
    drop(data);
    control.say(&format!("226 {moved} bytes"))
}
