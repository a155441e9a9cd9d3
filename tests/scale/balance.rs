//! Two gateways behind a balancer.

use crate::client::Session;
use crate::common::eventually;
use crate::net::Family;
use crate::scene::Scene;
use crate::world;

/// Sessions, every other one on the same gateway if the balancer does its work.
const SESSIONS: usize = 8;

pub fn behind_haproxy_a_lost_gateway_ends_only_its_sessions(family: Family) {
    let begun = world::log_position();
    let scene = Scene::behind_haproxy(family);
    loses_a_gateway(&scene, || {});
    let accepted = match family {
        Family::V4 => "accepted connection from 198.51.100.2:",
        Family::V6 => "accepted connection from [2001:db8:2::2]:",
    };
    let log = world::logged_since(begun).concat();
    assert!(log.contains(accepted), "the client is in the log");
}

pub fn behind_nftables_a_lost_gateway_ends_only_its_sessions(family: Family) {
    let scene = Scene::new(family, &[]).behind_nftables();
    loses_a_gateway(&scene, || scene.load("gateway 1 is out"));
}

pub fn with_an_address_for_each_a_lost_gateway_ends_only_its_sessions() {
    let scene = Scene::with_an_address_for_each();
    loses_a_gateway(&scene, || scene.load("gateway 1 is out"));
    let mut session = Session::begin(&scene);
    session.says("EPSV", "502 ");
    session.quits();
}

/// Sessions on both gateways, transfers of every kind in their middle, and then gateway 1 is gone. `notice` is what the
/// balancer is told, if it does not notice by itself.
#[track_caller]
fn loses_a_gateway(scene: &Scene, notice: impl FnOnce()) {
    let mut lost = Vec::new();
    let mut kept = Vec::new();
    for (mut session, gateway) in sessions(scene) {
        let side = if gateway == 0 { &mut lost } else { &mut kept };
        let name = format!("{}-{gateway}-{}", scene.clients.name(), side.len());
        let transfer = match side.len() {
            0 => Some(session.downloads()),
            1 => Some(session.uploads(&name)),
            2 => Some(session.downloads_actively()),
            _ => None,
        };
        side.push((session, transfer));
    }
    assert!(
        lost.len() > 2 && kept.len() > 2,
        "{} and {} sessions",
        lost.len(),
        kept.len()
    );

    scene.gateways[0].is_killed();

    for (mut session, transfer) in kept {
        if let Some(transfer) = transfer {
            session.completes(transfer);
        }
        assert_eq!(session.lists(), 1, "it is where it was");
        if scene.family == Family::V4 {
            assert_eq!(session.lists_by("PASV"), 1, "by the address of the reply");
        }
        session.quits();
    }
    for (session, transfer) in lost {
        session.has_ended(transfer);
    }
    // Now the machine itself, so that nobody refuses connections in its place.
    scene.gateways[0].vanishes();
    notice();
    for (session, gateway) in sessions(scene) {
        assert_eq!(gateway, 1, "who is left");
        session.quits();
    }
}

pub fn behind_haproxy_gateways_are_restarted_one_by_one_and_no_session_ends(family: Family) {
    let scene = Scene::behind_haproxy(family);
    let running: Vec<_> = sessions(&scene)
        .into_iter()
        .map(|(mut session, gateway)| {
            let transfer = session.downloads();
            (session, gateway, transfer)
        })
        .collect();
    let mut drained = Vec::new();
    for (number, gateway) in scene.gateways.iter().enumerate() {
        gateway.is_drained();
        for (session, other) in sessions(&scene) {
            assert_ne!(other, number, "it takes no more clients");
            session.quits();
        }
        drained.push(gateway.is_started_anew());
        // HAProxy may have noticed, and has to notice again.
        eventually("the new one has a session", || {
            let mut session = Session::begin(&scene);
            let found = session.lists() == number;
            session.quits();
            found.then_some(())
        });
    }
    for (mut session, gateway, transfer) in running {
        session.completes(transfer);
        assert_eq!(session.lists(), gateway, "it is where it was");
        session.quits();
    }
    for mut old in drained {
        let status = eventually("the drained one ends", || old.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

/// Logged in, one after the other, each with the number of its gateway.
#[track_caller]
fn sessions(scene: &Scene) -> Vec<(Session<'_>, usize)> {
    let session = |_| {
        let mut session = Session::begin(scene);
        let gateway = session.lists();
        (session, gateway)
    };
    (0..SESSIONS).map(session).collect()
}

pub fn behind_haproxy_without_its_header_active_data_is_refused(family: Family) {
    let scene = Scene::behind_plain_haproxy(family);
    let mut session = Session::begin(&scene);
    // The gateway's client is HAProxy, at another address and, for a client in IPv6, of another family.
    match family {
        Family::V4 => session.says("EPRT |1|198.51.100.2|50000|", "501 "),
        Family::V6 => session.says("EPRT |2|2001:db8:2::2|50000|", "522 "),
    };
    let transfer = session.downloads();
    session.completes(transfer);
    session.quits();
}

pub fn an_abor_behind_a_synch_is_an_abor_behind_haproxy_too() {
    for scene in [
        Scene::new(Family::V4, &[]).behind_nftables(),
        Scene::behind_haproxy(Family::V4),
    ] {
        let mut session = Session::begin(&scene);
        assert_eq!(&session.aborts()[..4], "225 ");
        session.lists();
        session.quits();
    }
}

pub fn a_health_check_is_a_short_session_in_the_log() {
    let begun = world::log_position();
    let _scene = Scene::behind_haproxy(Family::V4);
    // Other trials have sessions of this kind too; none of theirs is without a transfer.
    let is_a_check = |log: &[String], connected: &String| {
        let (process, _) = connected.split_once(": ").unwrap();
        let own: Vec<_> = log.iter().filter(|l| l.starts_with(process)).collect();
        own[0].contains("accepted connection from 10.0.1.1:")
            && own[1] == connected
            && own[own.len() - 1].contains("session ended: 0 transfers, ")
    };
    for gateway in ["10.0.2.21", "10.0.2.22"] {
        let connected = format!("connected to 10.0.2.80:21 from {gateway}:");
        eventually("a check", || {
            let log = world::logged_since(begun);
            let mut lines = log.iter().filter(|line| line.contains(&connected));
            lines.any(|line| is_a_check(&log, line)).then_some(())
        });
    }
}
