//! The pure parts: what a line of a control connection costs, without a system call. `bench/instructions` counts the same by
//! instructions, which a busy machine does not disturb.

use std::net::IpAddr;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ftp_proxy::ftp::{Action, EprtArgument, PortArgument, Session, Side, Terms};

const CLIENT: [u8; 4] = [192, 0, 2, 2];
const SERVER: [u8; 4] = [198, 51, 100, 1];

/// Lines in one sample.
const LINES: usize = 1000;

fn main() {
    divan::main();
}

/// Hears everything in turn, as the relay would tell it; a data connection is always to be had.
fn hear(session: &mut Session, said: &[(Side, &[u8])]) {
    for (side, line) in said {
        session.receive(*side, line);
        while let Some(action) = session.poll() {
            if let Action::Prepare(_) = black_box(action) {
                session.prepared(([192, 0, 2, 1], 50_000).into());
            }
        }
    }
}

/// A session that hears this over and over: each sample is [`LINES`] lines of it.
fn over_and_over(bencher: Bencher<'_, '_>, said: &[(Side, &[u8])]) {
    let terms = || Terms::of(IpAddr::from(CLIENT));
    bencher
        .counter(ItemsCount::new(LINES))
        .with_inputs(|| {
            let mut session = Session::new(terms(), Some(IpAddr::from(SERVER)));
            hear(
                &mut session,
                &[
                    (Side::Server, b"220 ready\r\n"),
                    (Side::Client, b"USER ftp\r\n"),
                    (Side::Server, b"331 any password\r\n"),
                    (Side::Client, b"PASS bench\r\n"),
                    (Side::Server, b"230 welcome\r\n"),
                ],
            );
            session
        })
        .bench_local_refs(|session| {
            for _ in 0..LINES / said.len() {
                hear(session, said);
            }
        });
}

#[divan::bench]
fn a_command_and_its_reply(bencher: Bencher<'_, '_>) {
    let said: [(_, &[u8]); 2] = [
        (Side::Client, b"SIZE pub/a-file-of-some-length.tar.gz\r\n"),
        (Side::Server, b"213 1048576\r\n"),
    ];
    over_and_over(bencher, &said);
}

#[divan::bench]
fn pasv_and_227(bencher: Bencher<'_, '_>) {
    let said: [(_, &[u8]); 2] = [
        (Side::Client, b"PASV\r\n"),
        (
            Side::Server,
            b"227 Entering Passive Mode (198,51,100,1,195,80)\r\n",
        ),
    ];
    over_and_over(bencher, &said);
}

#[divan::bench]
fn port_and_200(bencher: Bencher<'_, '_>) {
    let said: [(_, &[u8]); 2] = [
        (Side::Client, b"PORT 192,0,2,2,195,80\r\n"),
        (Side::Server, b"200 so be it\r\n"),
    ];
    over_and_over(bencher, &said);
}

#[divan::bench]
fn addresses_of_port(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(LINES)).bench_local(|| {
        for _ in 0..LINES {
            black_box(PortArgument::parse(black_box(b"192,0,2,2,195,80")));
        }
    });
}

#[divan::bench]
fn addresses_of_eprt(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(LINES)).bench_local(|| {
        for _ in 0..LINES {
            let _ = black_box(EprtArgument::parse(black_box(b"|2|2001:db8::2|50000|")));
        }
    });
}
