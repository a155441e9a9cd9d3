//! The fault, and what those who are left live to see.

use std::net::Shutdown;

use nix::sys::signal::Signal;

use crate::common::fake::{read_all, reset};
use crate::common::is_reset;
use crate::play::Play;
use crate::table::{Case, Deed, Fault, Step};

/// Plays to the step, makes the fault, and looks at what comes of it.
pub fn of(case: Case) {
    let mut play = Play::begin(case);
    for step in case.way.steps() {
        if case.is_past(step) {
            play.make(step);
        }
    }
    match case.fault {
        Fault::ClientResets => client_resets(play),
        Fault::ClientFinishes => client_finishes(play),
        Fault::ServerResets => {
            play.server.take().expect("a server").resets();
            without_server(play);
        }
        Fault::ServerCloses => {
            play.server = None;
            without_server(play);
        }
        Fault::BothClose => both_close(play),
        Fault::Terminated => terminated(play),
        Fault::Killed => killed(play),
        Fault::ClientDataResets { noticed } => {
            reset(play.data.client.take().expect("data"));
            data_reset(play, noticed);
        }
        Fault::ServerDataResets { noticed } => {
            reset(play.data.server.take().expect("data"));
            data_reset(play, noticed);
        }
        Fault::ClientDataFinishes => data_finishes(play, case.deed.is_upload()),
        Fault::ServerDataFinishes => data_finishes(play, !case.deed.is_upload()),
        Fault::ReceiverFinishesThenTerminated => {
            receiver_finishes(&mut play);
            terminated(play);
        }
        Fault::ReceiverFinishesThenClientResets => {
            receiver_finishes(&mut play);
            client_resets(play);
        }
    }
}

/// An upload goes on: a client that closes with replies unread has sent its data all the same.
fn client_resets(mut play: Play) {
    play.client.take().expect("a client").resets();
    let case = play.case;
    if case.is_transferring() && case.deed == Deed::Stor {
        if case.has_data() {
            let sent = play.send_rest();
            assert!(play.arrives() && sent.is_ok(), "the upload is cut short");
        }
        play.server().says("226 done");
    } else {
        data_is_cut(&mut play);
    }
    play.server().hears_end();
    play.server = None;
    play.ends();
}

/// What was asked is answered; then the proxy sees that nobody asks for more.
fn client_finishes(mut play: Play) {
    let case = play.case;
    play.client().shuts_down();
    if case.is_transferring() {
        go_on(&mut play, Step::Done);
    } else if case.step == Step::Asked {
        play.make(Step::Agreed);
    } else if case.step == Step::Quitting {
        play.reply("221 bye");
    } else {
        data_is_cut(&mut play);
    }
    play.server().hears_end();
    play.server = None;
    play.client().hears_end();
    play.client = None;
    play.ends();
}

/// The data of a transfer that has begun goes on without it: nobody knows that it is not all.
fn without_server(mut play: Play) {
    if play.case.is_transferring() && play.case.has_data() {
        let sent = play.send_rest();
        let whole = play.arrives() && sent.is_ok();
        let begun = play.case.is_past(Step::Begun);
        assert!(whole || !begun, "the data is cut short");
    } else {
        data_is_cut(&mut play);
    }
    play.data.client = None;
    play.data.server = None;
    hears_421(&mut play);
    play.ends();
}

fn both_close(mut play: Play) {
    play.client = None;
    play.server = None;
    if play.case.has_data() {
        // Which end comes first is chance: the data goes on or it does not.
        let _ = play.send_rest();
        play.arrives();
    }
    play.data.client = None;
    play.data.server = None;
    play.ends();
}

fn terminated(mut play: Play) {
    play.program.terminate();
    hears_421(&mut play);
    data_is_cut(&mut play);
    play.server().hears_end();
    play.server = None;
    play.ends();
}

/// The kernel closes what a killed process has open. Nobody hears why, but nobody is deceived.
fn killed(mut play: Play) {
    play.program.signal(Signal::SIGKILL);
    data_is_cut(&mut play);
    for mut control in [play.client.take(), play.server.take()]
        .into_iter()
        .flatten()
    {
        let rest = control.rest();
        assert!(
            is_reset(&rest) || rest.is_ok_and(|rest| rest.is_empty()),
            "words of the dead"
        );
    }
    play.program.lies_dead();
}

/// 421 and the end, and nothing else.
fn hears_421(play: &mut Play) {
    play.client().hears_code("421 ");
    play.client().hears_end();
    play.client = None;
}

/// Nobody may take for whole what has arrived.
fn data_is_cut(play: &mut Play) {
    if play.case.has_data() {
        assert!(!play.arrives(), "the data connection is not cut");
    }
}

/// What had been delivered before stays complete; otherwise the client hears of the failure or sees it, whatever the
/// server thinks, and so does the receiver.
fn data_reset(mut play: Play, noticed: bool) {
    let case = play.case;
    if case.is_past(Step::Delivered) {
        play.make(Step::Done);
        return quits(play);
    }
    if !case.is_past(Step::Commanded) {
        play.make(Step::Commanded);
    }
    if case.is_past(Step::Begun) {
        other_end_is_reset(&mut play);
    }
    match (noticed, case.step < Step::Begun) {
        (true, true) => play.reply("425 where are you?"),
        (true, false) => play.reply("426 where are you?"),
        (false, early) => {
            if early {
                play.reply("150 here it comes");
            }
            play.server().says("226 done");
            hears_of_failure(&mut play);
        }
    }
    quits(play);
}

/// A server that resets a connection before the proxy has seen it open, and calls that a success, is believed: to the
/// client it is one that was never opened, and its end is reset.
fn hears_of_failure(play: &mut Play) {
    let line = play.client().hears_line();
    let never_opened = play.case.step < Step::Begun;
    match line.get(..4) {
        Some("426 ") => {}
        Some("425 ") if never_opened => {}
        Some("226 ") if never_opened && play.data.client.is_some() => {
            other_end_is_reset(play);
        }
        _ => panic!("the client hears {line:?} of a broken transfer"),
    }
}

fn other_end_is_reset(play: &mut Play) {
    let data = &mut play.data;
    let left = data.client.take().or_else(|| data.server.take());
    let end = read_all(&left.expect("an end that is left"));
    assert!(is_reset(&end), "the other end sees {end:?}");
}

/// One direction ends early: as a file that is shorter, or not at all.
fn data_finishes(mut play: Play, by_sender: bool) {
    if by_sender {
        play.end_data().expect("shutdown");
    } else {
        receiver_finishes(&mut play);
    }
    go_on(&mut play, Step::Done);
    quits(play);
}

fn receiver_finishes(play: &mut Play) {
    let (_, receiver) = play.ends_of_data();
    let receiver = receiver.as_ref().expect("a receiver");
    receiver.shutdown(Shutdown::Write).expect("shutdown");
}

/// All steps that are still to come, up to this one.
fn go_on(play: &mut Play, last: Step) {
    let case = play.case;
    for step in case.way.steps() {
        if !case.is_past(step) && step <= last {
            play.make(step);
        }
    }
}

/// The session goes on to a good end, and what is left of the data connection ends too.
fn quits(mut play: Play) {
    play.has_given_back_its_descriptors();
    play.make(Step::Quitting);
    play.reply("221 bye");
    play.server = None;
    play.client().hears_end();
    play.client = None;
    play.receiver_is_not_deceived();
    play.ends();
}
