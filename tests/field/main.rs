//! Devices and servers of public reports: a scripted client and server, played directly and through the proxy. Each case says
//! what kind of report it comes from, and what both ways must have in common.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;

mod names;
mod replies;
mod scene;
mod uploads;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use scene::Scene;

/// A kind of report.
pub struct Case {
    /// A claim.
    pub name: &'static str,
    /// What is reported, in one sentence.
    pub report: &'static str,
    /// Options of the proxy.
    pub options: &'static [&'static str],
    /// Plays both peers; what each way gives, to be compared.
    pub play: fn(&mut Scene) -> String,
    /// What a client gets without a proxy.
    pub direct: &'static str,
    /// What it gets with the proxy; mostly the same.
    pub proxied: &'static str,
}

fn check(case: &Case) -> Result<(), Failed> {
    for (scene, expected) in [
        (Scene::direct(), case.direct),
        (Scene::proxied(case.options), case.proxied),
    ] {
        let mut scene = scene;
        let way = scene.way();
        let got = (case.play)(&mut scene);
        if got != expected {
            let report = case.report;
            return Err(format!("{way}: {got}, not {expected}: {report}").into());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let cases = [replies::CASES, uploads::CASES, names::CASES].into_iter();
    let trials = cases.flatten().map(|case| {
        assert!(case.name.len() <= 50, "{} is too long", case.name);
        Trial::test(case.name, move || check(case))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
