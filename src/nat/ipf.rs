//! ipf(4): the NAT session of the redirected connection knows where it was going. `SIOCGNATL` on /dev/ipnat.
//!
//! Only where the kernel survives the question: elsewhere it is [`super::ipnat`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::errno::Errno;

use super::device::{self, NEEDS_ROOT};
use super::{NatError, NatLookup, Redirected, elsewhere};

/// What to do where IP-Filter is not there.
pub(super) const LOAD: &str = "load and enable IP-Filter (kldload ipl or modload ipl, then ipf -E) and load the rules (ipnat -f)";

/// What to look at if IP-Filter does not know the connection.
pub(super) const LOOK_AT: &str = "(no rdr rule matched?); ipnat -l shows rules and sessions";

/// The engine. What it asks is an argument of its, so that its judgement is tested where there is no IP-Filter.
#[derive(Clone, Copy, Debug)]
pub struct Ipf {
    /// /dev/ipnat.
    pub device: &'static str,
    /// [`crate::sys::ipf::natlookup`] in the layout of this system: with the client, then our end.
    pub natlookup: fn(BorrowedFd<'_>, SocketAddr, SocketAddr) -> nix::Result<SocketAddr>,
    /// What asking is known to do to this system, if it is known to do harm.
    pub danger: Option<&'static str>,
}

impl NatLookup for Ipf {
    fn original_dst(&self, _: BorrowedFd<'_>, of: &Redirected) -> Result<SocketAddr, NatError> {
        let device = device::open(self.device, LOAD)?;
        match (self.natlookup)(device.as_fd(), of.client, of.proxy) {
            Ok(answer) => elsewhere(answer, of.proxy).ok_or(NatError::NotRedirected(LOOK_AT)),
            Err(Errno::ESRCH) => Err(NatError::NotRedirected(LOOK_AT)),
            Err(errno) => Err(why(errno)),
        }
    }

    /// /dev/ipnat is for root.
    fn needs_root(&self) -> bool {
        true
    }

    fn warning(&self) -> Option<&'static str> {
        self.danger
    }
}

fn why(errno: Errno) -> NatError {
    let text = match errno {
        Errno::EPERM | Errno::EACCES => format!("IP-Filter does not answer: {NEEDS_ROOT}"),
        Errno::EIO => format!("IP-Filter does not run: {LOAD}"),
        Errno::EOPNOTSUPP => {
            "IP-Filter does not answer in a jail: run ftp-proxy on the host".to_owned()
        }
        Errno::EAFNOSUPPORT => "this IP-Filter knows no IPv6: redirect IPv4 only".to_owned(),
        Errno::EINVAL | Errno::ENOTTY => format!(
            "IP-Filter does not understand SIOCGNATL ({}): give --ipf-lookup=list, or use an ftp-proxy that was \
             built for this release",
            io::Error::from(errno)
        ),
        errno => return NatError::System(errno.into()),
    };
    NatError::Unavailable(text)
}

/// Whether FreeBSD of this release (uname -r) survives SIOCGNATL: up to 9 it has IP-Filter 4. From 10 the kernel
/// follows a pointer that it never set.
#[must_use]
pub fn freebsd_survives(release: &str) -> bool {
    let major = release.split('.').next().map(str::parse::<u32>);
    matches!(major, Some(Ok(..=9)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    type Natlookup = fn(BorrowedFd<'_>, SocketAddr, SocketAddr) -> nix::Result<SocketAddr>;

    fn judged(device: &'static str, natlookup: Natlookup) -> Result<SocketAddr, String> {
        let engine = Ipf {
            device,
            natlookup,
            danger: None,
        };
        let ends = Redirected {
            client: "10.1.0.2:40021".parse().unwrap(),
            proxy: "127.0.0.1:8021".parse().unwrap(),
        };
        engine
            .original_dst(io::stdin().as_fd(), &ends)
            .map_err(|why| why.to_string())
    }

    #[test]
    fn ip_filter_is_asked_with_the_client_first_and_its_answer_taken() {
        let server = "10.2.0.2:21".parse().unwrap();
        let answer = judged("/dev/null", |_, client, proxy| {
            assert_eq!((client.port(), proxy.port()), (40021, 8021));
            Ok("10.2.0.2:21".parse().unwrap())
        });
        assert_eq!(answer, Ok(server));
    }

    #[test]
    fn no_session_or_an_answer_that_is_our_own_end_is_not_redirected() {
        let answers: [Natlookup; 2] = [|_, _, _| Err(Errno::ESRCH), |_, _, proxy| Ok(proxy)];
        for natlookup in answers {
            let why = judged("/dev/null", natlookup).unwrap_err();
            assert!(
                why.starts_with("not redirected (no rdr rule matched?)"),
                "{why}"
            );
        }
    }

    #[test]
    fn each_fault_says_what_to_do() {
        let says = |natlookup: Natlookup, hint: &str| {
            let why = judged("/dev/null", natlookup).unwrap_err();
            assert!(why.contains(hint), "{why}");
        };
        says(|_, _, _| Err(Errno::EPERM), "as root");
        says(|_, _, _| Err(Errno::EIO), "ipf -E");
        says(|_, _, _| Err(Errno::EINVAL), "--ipf-lookup=list");
        says(|_, _, _| Err(Errno::EOPNOTSUPP), "on the host");
        // The real question, to a device that knows it as little as one for a newer release.
        let real = crate::sys::ipf::natlookup::<crate::sys::ipf::ipf5::Natlookup>;
        says(real, "does not understand SIOCGNATL");
        let absent = judged("/dev/no-such-filter", real).unwrap_err();
        assert!(absent.contains("is not there: load"), "{absent}");
    }

    #[test]
    fn only_freebsd_up_to_9_survives_the_question() {
        for release in ["9.3-RELEASE-p53", "8.4-STABLE", "9.0"] {
            assert!(freebsd_survives(release), "{release}");
        }
        for release in ["10.4-RELEASE", "13.2-RELEASE", "15.1-STABLE", "", "x", "-9"] {
            assert!(!freebsd_survives(release), "{release}");
        }
    }
}
