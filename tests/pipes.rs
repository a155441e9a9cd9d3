//! Pipes of data connections. Those of all sessions share a bound (pipe(7), pipe-user-pages-soft), so a connection that
//! stands still holds no more of it than a new one.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;

use common::eventually;
use common::session::Session;
use nix::fcntl::{FcntlArg, fcntl};

/// What a new pipe holds.
const NARROW: i32 = 1 << 16;

/// Bytes of a piece: a prime, so that a byte lost or doubled shows.
const PIECE: usize = 65_521;

/// Pieces of the file. It is far more than all buffers on the way hold.
const PIECES: usize = 8000;

fn is_pipe(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("pipe:"))
}

/// The most that one of the session's pipes holds. `None`: it has none, or this test has no right to look.
fn widest_pipe(session: &Session) -> Option<i32> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", session.proxy.pid())).ok()?;
    let pipes = descriptors.flatten().map(|entry| entry.path());
    pipes
        .filter(|path| is_pipe(path))
        .filter_map(|path| fcntl(File::open(path).ok()?, FcntlArg::F_GETPIPE_SZ).ok())
        .max()
}

fn piece() -> Vec<u8> {
    (0..PIECE)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

/// Sends until `enough`, then waits for the word to send the rest of the file.
fn send_until(mut to: &TcpStream, mut enough: impl FnMut() -> bool) -> usize {
    let piece = piece();
    let sent = (1..=PIECES).find(|_| {
        to.write_all(&piece).unwrap();
        enough()
    });
    sent.expect("the pipe becomes wide")
}

/// Reads whole pieces, each of which must be as it was sent, until `enough`.
fn read_until(mut from: &TcpStream, mut enough: impl FnMut() -> bool) -> usize {
    let (expected, mut got) = (piece(), vec![0; PIECE]);
    let read = (1..=PIECES).find(|_| {
        from.read_exact(&mut got).unwrap();
        assert!(got == expected, "a piece is damaged");
        enough()
    });
    read.expect("the pipe becomes wide")
}

fn is_wide(session: &Session) -> bool {
    widest_pipe(session).is_some_and(|size| size > NARROW)
}

#[track_caller]
fn is_narrowed(session: &Session) {
    eventually("the pipe is narrow again", || {
        (widest_pipe(session)? <= NARROW).then_some(())
    });
}

#[test]
fn a_download_nobody_reads_keeps_no_wide_pipe() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("RETR a");
    if widest_pipe(&session).is_none() {
        return; // not ours to look at
    }
    let server = data.server;
    let sending = thread::spawn(move || {
        let piece = piece();
        (0..PIECES).for_each(|_| (&server).write_all(&piece).unwrap());
    });
    let read = read_until(&data.client, || is_wide(&session));
    is_narrowed(&session);
    // What was in the pipe has kept its place.
    let mut left = PIECES - read;
    read_until(&data.client, || {
        left -= 1;
        left == 0
    });
    sending.join().unwrap();
    assert_eq!((&data.client).read(&mut [0]).unwrap(), 0, "the end");
    session.reply("226 done");
    session.quits();
}

#[test]
fn an_upload_that_pauses_keeps_no_wide_pipe() {
    let mut session = Session::begin(&[]);
    let data = session.passive_data();
    session.begin_transfer("STOR a");
    if widest_pipe(&session).is_none() {
        return; // not ours to look at
    }
    let mut server = data.server;
    let reading = thread::spawn(move || std::io::copy(&mut server, &mut std::io::sink()).unwrap());
    let sent = send_until(&data.client, || is_wide(&session));
    is_narrowed(&session);
    (&data.client).write_all(b"the rest").unwrap();
    drop(data.client);
    let whole = sent * PIECE + "the rest".len();
    assert_eq!(reading.join().unwrap(), u64::try_from(whole).unwrap());
    session.reply("226 done");
    session.quits();
}
