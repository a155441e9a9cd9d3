//! What is shown.

use std::fs;
use std::net::SocketAddr;

use crate::common::address::{extended, numbers, port_in};
use crate::common::eventually;
use crate::common::fake::{Listener, dial, read_all, visit};
use crate::gateway::on;
use crate::net::Family;
use crate::scene::{Inner, Plan, Scene, Server};
use crate::world::{self, PASSWORD, SERVED, USER};

type Claim = Box<dyn FnOnce() + Send>;

pub fn all() -> Vec<(String, Claim)> {
    let mut all: Vec<(String, Claim)> = Vec::new();
    for version in [1, 2] {
        for family in [Family::V4, Family::V6] {
            let plan = Plan {
                family,
                version,
                inner: Inner::Nothing,
                options: &[],
            };
            let name = format!("{family}/version_{version}/a_client_behind_haproxy_is_served");
            all.push((name, Box::new(move || is_served(plan))));
        }
        for (who, server) in [("vsftpd", Server::Vsftpd), ("proftpd", Server::Proftpd)] {
            let options: &[&str] = match version {
                1 => &["--send-proxy-protocol", "1"],
                _ => &["--send-proxy-protocol", "2"],
            };
            let plan = Plan {
                family: Family::V4,
                version,
                inner: Inner::HaProxy(server),
                options,
            };
            let name = format!("version_{version}/haproxy_before_{who}_is_told_the_client");
            all.push((name, Box::new(move || is_told(plan))));
        }
    }
    all.push((
        "active_data_goes_to_the_client_that_haproxy_brings".to_owned(),
        Box::new(active),
    ));
    all.push((
        "a_stranger_by_way_of_haproxy_gets_no_data_of_the_client_s".to_owned(),
        Box::new(stranger),
    ));
    all
}

const PLAN: Plan = Plan {
    family: Family::V4,
    version: 2,
    inner: Inner::Nothing,
    options: &[],
};

/// Downloads, uploads and listings, by EPSV and PASV, and the log has the client.
fn is_served(plan: Plan) {
    let begun = world::log_position();
    let scene = Scene::new(plan);
    transfers(&scene, plan.family);
    let from = SocketAddr::new(scene.client(), 1).to_string();
    let from = format!(
        "accepted connection from {} by way of 10.0.0.1:",
        from.trim_end_matches('1')
    );
    let (from, way) = from.split_once(" by way of ").unwrap();
    eventually("the client in the log", || {
        let log = world::logged_since(begun);
        let found = |line: &String| line.contains(from) && line.contains(way);
        log.iter().any(found).then_some(())
    });
}

fn transfers(scene: &Scene, family: Family) {
    let kept = fs::read(format!("{SERVED}/pub/data.bin")).unwrap();
    let name = scene.clients.name();
    let mut ways: Vec<&[&str]> = vec![&["--ftp-pasv"]];
    if family == Family::V4 {
        // The 227 is believed, and names what the client has dialled.
        ways.push(&["--ftp-pasv", "--disable-epsv"]);
    }
    for (count, way) in ways.into_iter().enumerate() {
        let got = format!("{}/{name}-{count}.bin", world::ROOM);
        scene.curl(&[way, &["-o", &got]].concat(), "pub/data.bin");
        assert!(fs::read(&got).unwrap() == kept, "another file");
        let up = format!("{name}-{count}.up");
        scene.curl(&[way, &["-T", &got]].concat(), &format!("incoming/{up}"));
        let stored = fs::read(format!("{SERVED}/incoming/{up}")).unwrap();
        assert!(stored == kept, "stored another file");
        let listing = scene.curl(&[way, &["-l"]].concat(), "pub/few/");
        assert_eq!(listing.lines().count(), 50);
    }
}

/// HAProxy takes the header off and logs the client; the server gets what it always gets.
fn is_told(plan: Plan) {
    let begun = world::log_position();
    let scene = Scene::new(plan);
    transfers(&scene, plan.family);
    let control = " to 203.0.113.5:21, ";
    let data = " to 203.0.113.5:4000";
    for to in [control, data] {
        eventually("the client in HAProxy's log", || {
            let log = world::logged_since(begun);
            let found = |line: &String| line.contains("inner: 203.0.113.9:") && line.contains(to);
            log.iter().any(found).then_some(())
        });
    }
}

fn active() {
    let scene = Scene::new(PLAN);
    let kept = fs::read(format!("{SERVED}/pub/data.bin")).unwrap();
    let got = format!("{}/active.bin", world::ROOM);
    for way in [&["-P", "-"][..], &["-P", "-", "--disable-eprt"]] {
        scene.curl(&[way, &["-o", &got]].concat(), "pub/data.bin");
        assert!(fs::read(&got).unwrap() == kept, "another file");
    }
    // And nobody else's.
    let mut control = scene.dials(scene.client());
    control.hears_code("220 ");
    control.says(&format!("USER {USER}"));
    control.hears_code("331 ");
    control.says(&format!("PASS {PASSWORD}"));
    control.hears_code("230 ");
    for foreign in ["203.0.113.66:50000", "10.0.0.1:50000", "10.0.0.5:50000"] {
        let foreign: SocketAddr = foreign.parse().unwrap();
        control.says(&format!("PORT {}", numbers(foreign)));
        control.hears_code("501 ");
        control.says(&format!("EPRT {}", extended(foreign)));
        control.hears_code("501 ");
    }
}

fn stranger() {
    let scene = Scene::new(PLAN);
    let mut control = scene.dials(scene.client());
    control.hears_code("220 ");
    // A header of the client's own is a command by now.
    control.says("PROXY TCP4 203.0.113.66 203.0.113.5 4242 21");
    control.hears_code("530 ");
    control.says(&format!("USER {USER}"));
    control.hears_code("331 ");
    control.says(&format!("PASS {PASSWORD}"));
    control.hears_code("230 ");
    let foreign = on(&scene.clients, || Listener::at(scene.stranger()));
    control.says(&format!("PORT {}", numbers(foreign.address())));
    control.hears_code("501 ");
    control.says("EPSV");
    let port = port_in(control.hears_code("229 ").trim_end_matches('.'));
    let at = SocketAddr::new(scene.published(), port);
    let refused = on(&scene.clients, || visit(scene.stranger(), at));
    assert!(refused.is_err() || refused.unwrap().is_empty());
    let data = on(&scene.clients, || dial(scene.client(), at)).unwrap();
    control.says("NLST pub/few");
    control.hears_code("150 ");
    let listing = String::from_utf8(read_all(&data).unwrap()).unwrap();
    assert_eq!(listing.lines().count(), 50, "{listing}");
    control.hears_code("226 ");
}
