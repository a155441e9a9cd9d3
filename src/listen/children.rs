//! The ids of the children that have not been waited for.

use nix::unistd::Pid;

/// So many are remembered before they are written down.
const LATEST: usize = 32;

/// What the parent writes between two calls of fork(2) is no longer shared: each child is left with a page of its own that
/// it has no use for. So the latest ones are kept here, where the parent writes anyway, and the long list is written to
/// seldom.
#[derive(Default)]
pub(super) struct Children {
    latest: [Option<Pid>; LATEST],
    others: Vec<Pid>,
}

impl Children {
    pub(super) fn add(&mut self, child: Pid) {
        let mut free = self.latest.iter_mut().filter(|place| place.is_none());
        match free.next() {
            Some(place) => *place = Some(child),
            None => {
                self.others
                    .extend(self.latest.iter_mut().filter_map(Option::take));
                self.latest[0] = Some(child);
            }
        }
    }

    /// Forgets this one; `false` if it is none of ours.
    pub(super) fn remove(&mut self, child: Pid) -> bool {
        if let Some(place) = self.latest.iter_mut().find(|place| **place == Some(child)) {
            *place = None;
            return true;
        }
        let place = self.others.iter().position(|other| *other == child);
        place.map(|place| self.others.swap_remove(place)).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Pid> {
        let latest = self.latest.iter().flatten();
        latest.chain(&self.others).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.iter().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_added_and_not_removed_is_there_once() {
        let mut children = Children::default();
        let pids = || (1..=5 * i32::try_from(LATEST).unwrap()).map(Pid::from_raw);
        pids().for_each(|child| children.add(child));
        let odd = |child: &Pid| child.as_raw() % 2 == 1;
        assert!(pids().filter(odd).all(|child| children.remove(child)));
        assert!(!pids().filter(odd).any(|child| children.remove(child)));
        let mut left: Vec<_> = children.iter().collect();
        left.sort();
        assert!(left.into_iter().eq(pids().filter(|child| !odd(child))));
        assert_eq!(children.len(), 5 * LATEST / 2);
    }
}
