//! Servers whose replies have unusual forms.

use std::io::Read as _;

use super::Case;
use super::scene::Scene;
use crate::common::address::address_in;
use crate::common::fake::send_all;

pub const CASES: &[Case] = &[
    Case {
        name: "the_servers_words_stay_in_227",
        report: "A client or its test looks at the words of a 227, not only at the numbers.",
        options: &[],
        play: |scene| {
            let (_, at) = Scene::listens();
            scene.asks("PASV");
            scene.server.says(&format!("227 Passive it is ({at})"));
            let heard = scene.client.hears_code("227 ");
            heard.split('(').next().unwrap().to_owned()
        },
        direct: "227 Passive it is ",
        proxied: "227 Passive it is ",
    },
    Case {
        name: "a_227_may_have_its_address_in_the_first_line",
        report: "A server sends a 227 of two lines with the address in the first.",
        options: &[],
        play: |scene| {
            let (listener, at) = Scene::listens();
            scene.asks("PASV");
            scene
                .server
                .says(&format!("227-Entering passive mode ({at})"));
            scene.server.says("227 ready");
            let first = scene.client.hears_code("227");
            if first.starts_with("227-") {
                scene.client.hears("227 ready");
            }
            let data = scene.dials(address_in(&first), &listener);
            downloads(scene, data)
        },
        direct: "150 226, 4 bytes",
        proxied: "150 226, 4 bytes",
    },
    Case {
        name: "an_epsv_answered_by_227_is_passive_all_the_same",
        report: "A server answers EPSV by the 227 of PASV; curl and others try PASV then.",
        options: &[],
        play: |scene| {
            let (listener, at) = Scene::listens();
            scene.asks("EPSV");
            scene.server.says(&format!("227 ok ({at})"));
            // Directly the client goes on by itself; the proxy has done so.
            if scene.way() == "directly" {
                scene.client.hears_code("227 ");
                scene.client.says("PASV");
            }
            scene.server.hears("PASV");
            scene.server.says(&format!("227 ok ({at})"));
            let data = if scene.way() == "directly" {
                let to = address_in(&scene.client.hears_code("227 "));
                scene.dials(to, &listener)
            } else {
                scene.dials_229(&listener)
            };
            downloads(scene, data)
        },
        direct: "150 226, 4 bytes",
        proxied: "150 226, 4 bytes",
    },
    Case {
        name: "a_reply_that_ends_in_the_bare_code_ends",
        report: "A server ends a reply of several lines by the code without a blank.",
        options: &[],
        play: |scene| {
            scene.asks("HELP");
            scene.server.says_bytes(b"214-help\r\n214\r\n");
            scene.client.hears("214-help");
            scene.client.hears("214");
            scene.asks("NOOP");
            scene.replies("200 ok");
            scene.passive();
            "goes on".to_owned()
        },
        direct: "goes on",
        proxied: "goes on",
    },
    Case {
        name: "a_transfer_may_be_125_and_250",
        report: "z/OS and IBM i begin a transfer by 125 or 150 and end it by 250.",
        options: &[],
        play: |scene| {
            let (mut client, server) = scene.passive();
            scene.asks("RETR 'SYS1.PARMLIB(A)'");
            scene.replies("125 Sending data set");
            send_all(&server, b"data");
            drop(server);
            let mut bytes = Vec::new();
            client.read_to_end(&mut bytes).unwrap();
            scene.server.says("250 Transfer completed");
            format!("{}, {} bytes", scene.code(), bytes.len())
        },
        direct: "250, 4 bytes",
        proxied: "250, 4 bytes",
    },
    Case {
        name: "commands_during_a_transfer_are_answered",
        report: "A client sends NOOP during a transfer to keep a firewall's entry alive.",
        options: &[],
        play: |scene| {
            let data = scene.passive();
            scene.asks("RETR a");
            scene.replies("150 here");
            scene.asks("NOOP");
            scene.replies("200 ok");
            let (mut client, server) = data;
            send_all(&server, b"data");
            drop(server);
            let mut bytes = Vec::new();
            client.read_to_end(&mut bytes).unwrap();
            scene.server.says("226 done");
            format!("{}, {} bytes", scene.code(), bytes.len())
        },
        direct: "226, 4 bytes",
        proxied: "226, 4 bytes",
    },
    Case {
        name: "a_low_port_of_the_server_is_an_option",
        report: "A server's passive ports are below 1024.",
        options: &["--allow-low-ports"],
        play: |scene| {
            scene.asks("PASV");
            scene.server.says("227 ok (127,0,0,4,3,222)");
            scene.code()
        },
        direct: "227",
        proxied: "227",
    },
    Case {
        name: "features_behind_their_code_are_read",
        report: "A server writes 211-AUTH TLS where the standard has a blank, and the client tries AUTH.",
        options: &[],
        play: |scene| {
            scene.asks("FEAT");
            let lines = "211-Features:\r\n211-AUTH TLS\r\n211-UTF8\r\n211 End\r\n";
            scene.server.says_bytes(lines.as_bytes());
            let mut heard = Vec::new();
            while !heard
                .last()
                .is_some_and(|line: &String| line.starts_with("211 "))
            {
                heard.push(scene.client.hears_line().trim_end().to_owned());
            }
            heard.join("|")
        },
        direct: "211-Features:|211-AUTH TLS|211-UTF8|211 End",
        proxied: "211-Features:|211-UTF8|211 End",
    },
];

/// A file of four bytes.
fn downloads(scene: &mut Scene, data: (std::net::TcpStream, std::net::TcpStream)) -> String {
    let (mut client, server) = data;
    scene.asks("RETR a");
    scene.server.says("150 here");
    let begun = scene.code();
    send_all(&server, b"data");
    drop(server);
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    scene.server.says("226 done");
    format!("{begun} {}, {} bytes", scene.code(), bytes.len())
}
