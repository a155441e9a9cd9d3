//! pf(4): the state of the redirected connection knows where it was going. `DIOCNATLOOK` on /dev/pf.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::errno::Errno;

use super::device::{self, NEEDS_ROOT};
use super::{NatError, NatLookup, Redirected, elsewhere};
use crate::sys::pf::{Direction, Query, routing_table};

/// What to do where pf is not there.
const LOAD: &str =
    "load pf (kldload pf or modload pf) and enable it (pfctl -e); a jail needs /dev/pf and a vnet";

/// What to look at if pf does not know the connection. A disabled pf knows none.
const LOOK_AT: &str = "(no rdr rule matched?); pfctl -s info tells whether pf is enabled";

/// The engine. What it asks is an argument of its, so that its judgement is tested where there is no pf.
#[derive(Clone, Copy, Debug)]
pub struct Pf {
    /// /dev/pf.
    pub device: &'static str,
    /// This system's [`crate::sys::pf::natlook`].
    pub natlook: fn(BorrowedFd<'_>, &Query) -> nix::Result<SocketAddr>,
}

impl NatLookup for Pf {
    fn original_dst(
        &self,
        control: BorrowedFd<'_>,
        of: &Redirected,
    ) -> Result<SocketAddr, NatError> {
        let query = Query {
            client: of.client,
            proxy: of.proxy,
            direction: Direction::Out,
            rdomain: routing_table(control).map_err(|e| NatError::System(e.into()))?,
        };
        let device = device::open(self.device, LOAD)?;
        match (self.natlook)(device.as_fd(), &query) {
            Ok(answer) => elsewhere(answer, of.proxy).ok_or(NatError::NotRedirected(LOOK_AT)),
            Err(Errno::ENOENT) => Err(NatError::NotRedirected(LOOK_AT)),
            Err(errno) => Err(why(errno)),
        }
    }

    /// /dev/pf is for root, and macOS wants root at the call too.
    fn needs_root(&self) -> bool {
        true
    }
}

fn why(errno: Errno) -> NatError {
    match errno {
        Errno::E2BIG => NatError::Ambiguous,
        Errno::EPERM => NatError::Unavailable(format!("pf does not answer: {NEEDS_ROOT}")),
        // A read-only descriptor is enough for this question, so EACCES means that pf does not know it (pf(4)).
        Errno::EACCES | Errno::ENOTTY | Errno::ENODEV | Errno::EAFNOSUPPORT => {
            NatError::Unavailable(format!(
                "pf does not understand DIOCNATLOOK ({}): use an ftp-proxy that was built for this release",
                io::Error::from(errno)
            ))
        }
        errno => NatError::System(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::os::fd::BorrowedFd;

    const SERVER: &str = "10.2.0.2:21";

    fn ends() -> Redirected {
        Redirected {
            client: "10.1.0.2:40021".parse().unwrap(),
            proxy: "127.0.0.1:8021".parse().unwrap(),
        }
    }

    /// What the engine makes of `natlook`, asked by way of `device`.
    fn judged(
        device: &'static str,
        natlook: fn(BorrowedFd<'_>, &Query) -> nix::Result<SocketAddr>,
    ) -> Result<SocketAddr, String> {
        let engine = Pf { device, natlook };
        engine
            .original_dst(io::stdin().as_fd(), &ends())
            .map_err(|why| why.to_string())
    }

    fn refusal(natlook: fn(BorrowedFd<'_>, &Query) -> nix::Result<SocketAddr>) -> String {
        judged("/dev/null", natlook).unwrap_err()
    }

    #[test]
    fn pf_is_asked_for_the_reply_to_the_client_and_its_answer_taken() {
        let answer = judged("/dev/null", |_, query| {
            let Redirected { client, proxy } = ends();
            let asked = Query {
                client,
                proxy,
                direction: Direction::Out,
                rdomain: 0,
            };
            assert_eq!(*query, asked);
            Ok(SERVER.parse().unwrap())
        });
        assert_eq!(answer, Ok(SERVER.parse().unwrap()));
    }

    #[test]
    fn no_state_or_an_answer_that_is_our_own_end_is_not_redirected() {
        for natlook in [
            |_: BorrowedFd<'_>, _: &Query| Err(Errno::ENOENT),
            |_: BorrowedFd<'_>, query: &Query| Ok(query.proxy),
        ] {
            let why = refusal(natlook);
            assert!(
                why.starts_with("not redirected (no rdr rule matched?)"),
                "{why}"
            );
        }
    }

    #[test]
    fn each_fault_says_what_to_do() {
        let root = refusal(|_, _| Err(Errno::EPERM));
        assert!(root.contains("as root"), "{root}");
        let other = refusal(|_, _| Err(Errno::EACCES));
        assert!(other.contains("built for this release"), "{other}");
        let several = refusal(|_, _| Err(Errno::E2BIG));
        assert!(several.contains("several"), "{several}");
        let absent = judged("/dev/no-such-filter", |_, _| Err(Errno::EIO)).unwrap_err();
        assert!(
            absent.contains("/dev/no-such-filter is not there"),
            "{absent}"
        );
        assert!(absent.contains("kldload pf"), "{absent}");
    }

    #[test]
    fn another_device_does_not_understand_the_real_question() {
        // No system's /dev/null knows DIOCNATLOOK.
        let why = refusal(crate::sys::pf::natlook::<crate::sys::pf::bsd76::Natlook>);
        assert!(why.contains("does not understand DIOCNATLOOK"), "{why}");
    }
}
