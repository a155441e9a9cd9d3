//! A whole session, both sides and the edge scripted (see [`super::script`]).

use super::play::{Cut, Play};
use super::script::Script;

/// What a [`super::witness::Witness`] looks for holds, and holds for every cut of the bytes alike.
pub fn check(bytes: &[u8]) {
    let script = Script::read(bytes);
    let whole = Play::play(&script, Cut::Steps);
    for cut in [Cut::Bytes(1), Cut::Bytes(2 + bytes.len() % 7)] {
        let other = Play::play(&script, cut);
        let steps = whole.comparable.min(other.comparable);
        assert_eq!(whole.until(steps), other.until(steps), "cut {cut:?}");
    }
}
