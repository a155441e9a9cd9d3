//! The ids of the children that have not been waited for.

use nix::unistd::Pid;

use super::clients::Client;

/// So many are remembered before they are written down.
const LATEST: usize = 32;

/// What the parent writes between two calls of fork(2) is no longer shared: each child is left with a page of its own that
/// it has no use for. So the latest ones are kept here, where the parent writes anyway, and the long list is written to
/// seldom.
#[derive(Default)]
pub(super) struct Children {
    latest: [Option<Child>; LATEST],
    others: Vec<Child>,
}

#[derive(Clone, Copy)]
struct Child {
    pid: Pid,
    /// Whose session it is; `None`: nobody's yet, or one that is not counted.
    client: Option<Client>,
}

impl Children {
    pub(super) fn add(&mut self, pid: Pid) {
        let child = Some(Child { pid, client: None });
        let mut free = self.latest.iter_mut().filter(|place| place.is_none());
        match free.next() {
            Some(place) => *place = child,
            None => {
                self.others
                    .extend(self.latest.iter_mut().filter_map(Option::take));
                self.latest[0] = child;
            }
        }
    }

    /// This one has a client. Says it once: what was said first stands.
    pub(super) fn takes(&mut self, pid: Pid, client: Client) {
        let latest = self.latest.iter_mut().flatten();
        let mut all = latest.chain(&mut self.others);
        if let Some(child) = all.find(|child| child.pid == pid) {
            child.client.get_or_insert(client);
        }
    }

    /// Sessions of this client.
    pub(super) fn sessions_of(&self, client: Client) -> usize {
        let all = self.latest.iter().flatten().chain(&self.others);
        all.filter(|child| child.client == Some(client)).count()
    }

    /// Forgets this one; `false` if it is none of ours.
    pub(super) fn remove(&mut self, pid: Pid) -> bool {
        let is = |place: &&mut Option<Child>| place.is_some_and(|child| child.pid == pid);
        if let Some(place) = self.latest.iter_mut().find(is) {
            *place = None;
            return true;
        }
        let place = self.others.iter().position(|other| other.pid == pid);
        place.map(|place| self.others.swap_remove(place)).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Pid> {
        let latest = self.latest.iter().flatten();
        latest.chain(&self.others).map(|child| child.pid)
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

    #[test]
    fn the_sessions_of_a_client_are_those_that_have_not_ended() {
        let one = Client::from_bytes([1; 16]);
        let other = Client::from_bytes([2; 16]);
        let mut children = Children::default();
        for pid in (1..=3 * 32).map(Pid::from_raw) {
            children.add(pid);
            let client = if pid.as_raw() % 3 == 0 { other } else { one };
            children.takes(pid, client);
            children.takes(pid, one); // too late
        }
        assert_eq!(
            (children.sessions_of(one), children.sessions_of(other)),
            (64, 32)
        );
        (1..=30).for_each(|pid| assert!(children.remove(Pid::from_raw(pid))));
        assert_eq!(
            (children.sessions_of(one), children.sessions_of(other)),
            (44, 22)
        );
        children.takes(Pid::from_raw(1), one);
        assert_eq!(children.sessions_of(one), 44);
    }
}
