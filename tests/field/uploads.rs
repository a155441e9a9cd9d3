//! Scanners, cameras and other devices that upload.

use std::io::{Read as _, Write as _};
use std::thread;

use super::Case;
use super::scene::Scene;
use crate::common::fake::send_all;

/// More than all buffers on the way hold.
const LENGTH: usize = 12_000_000;

pub const CASES: &[Case] = &[
    Case {
        name: "a_device_that_never_reads_loses_nothing",
        report: "A device sends STOR and the data, closes both connections and never reads a reply.",
        options: &[],
        play: closes_without_reading,
        direct: "12000000 bytes",
        proxied: "12000000 bytes",
    },
    Case {
        name: "a_200_before_the_150_holds_no_upload",
        report: "A server answers STOR by 200 and then by 150, and the client sends after the 150.",
        options: &[],
        play: two_replies,
        direct: "200 150 226, 4 bytes",
        proxied: "150 226, 4 bytes",
    },
    Case {
        name: "a_226_before_the_data_ends_cuts_no_download",
        report: "A server says 226 before its last data has been read.",
        options: &[],
        play: early_226,
        direct: "1000000 bytes, 226",
        proxied: "1000000 bytes, 226",
    },
    Case {
        name: "an_empty_file_arrives_as_one",
        report: "A file of no bytes is transferred.",
        options: &[],
        play: empty,
        direct: "0 bytes, 226",
        proxied: "0 bytes, 226",
    },
];

fn closes_without_reading(scene: &mut Scene) -> String {
    let (client, mut server) = scene.passive();
    scene.asks("STOR scan.pdf");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = server.read_to_end(&mut bytes);
        (read.is_ok(), bytes.len())
    });
    // What the device never reads makes its close a reset.
    scene.server.says("150 send it");
    send_all(&client, &vec![7; LENGTH]);
    drop(client);
    let fresh = Scene::direct().client;
    let device = std::mem::replace(&mut scene.client, fresh);
    device.resets();
    let (whole, length) = reader.join().unwrap();
    // The server may find its client gone; that is its own affair.
    let _ = scene.server.stream().write_all(b"226 done\r\n");
    assert!(whole, "cut after {length} bytes");
    format!("{length} bytes")
}

fn two_replies(scene: &mut Scene) -> String {
    let (client, mut server) = scene.passive();
    scene.asks("STOR a");
    scene.server.says("200 ok");
    scene.server.says("150 send it");
    let mut codes = vec![scene.code()];
    // As Python's ftplib does.
    if codes[0] == "200" {
        codes.push(scene.code());
    }
    send_all(&client, b"data");
    drop(client);
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).unwrap();
    drop(server);
    scene.server.says("226 done");
    codes.push(scene.code());
    format!("{}, {} bytes", codes.join(" "), bytes.len())
}

fn early_226(scene: &mut Scene) -> String {
    let (mut client, server) = scene.passive();
    scene.asks("RETR a");
    scene.replies("150 here");
    let sender = thread::spawn(move || send_all(&server, &vec![7; 1_000_000]));
    scene.server.says("226 done");
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    sender.join().unwrap();
    format!("{} bytes, {}", bytes.len(), scene.code())
}

fn empty(scene: &mut Scene) -> String {
    let (mut client, server) = scene.passive();
    scene.asks("RETR a");
    scene.replies("150 here");
    drop(server);
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    scene.server.says("226 done");
    format!("{} bytes, {}", bytes.len(), scene.code())
}
