//! The broker's own process: reads a request, judges it, does it, answers.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use super::filter::Filter;
use super::request::{Answer, LENGTH, Request};
use super::rights::{Objection, Rights};
use super::{cage, here};
use crate::log::{Log, Provoked};
use crate::net::{self, SourcePort};
use crate::options::{DataPath, RuleOptions};
use crate::privs::{Needs, Root};
use crate::sys::passing;

/// How often a grant is renewed, in milliseconds: well within what it lives (30 s on Linux).
const RENEWAL: u16 = 10_000;

/// How long the rest of a request may take that has begun.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process.
pub(super) struct Hand<'a> {
    session: UnixStream,
    rights: Rights,
    /// `None`: only sockets are asked for.
    filter: Option<Box<dyn Filter>>,
    granted: bool,
    log: &'a Log,
}

/// Why the session is served no more.
enum Over {
    /// It has ended.
    Session,
    /// It asks for what it may not have, so somebody else speaks for it.
    Bad(Objection),
    /// It cannot be heard.
    Os(io::Error),
}

impl<'a> Hand<'a> {
    /// Takes what it needs and gives up everything else.
    pub(super) fn new(
        session: UnixStream,
        rights: Rights,
        rules: &RuleOptions,
        of: Pid,
        root: &Root,
        log: &'a Log,
    ) -> Result<Self, String> {
        // It ends with its session, by the end of the socket, and not before: there is a grant to take away.
        SigSet::all()
            .thread_block()
            .map_err(|errno| io::Error::from(errno).to_string())?;
        session
            .set_read_timeout(Some(PATIENCE))
            .map_err(|error| error.to_string())?;
        passing::keep_few_waiting(&session).map_err(|error| error.to_string())?;
        let filter = if rights.path == DataPath::Relay {
            None
        } else {
            Some(here::filter(rules, of).map_err(|error| error.to_string())?)
        };
        let needs = Needs {
            filter: filter.is_some(),
            port_20: rights.from_port_20 && rights.path != DataPath::Redirect,
        };
        cage::enter(root, needs, log)?;
        Ok(Hand {
            session,
            rights,
            filter,
            granted: false,
            log,
        })
    }

    /// Serves the session until it ends; the exit code.
    pub(super) fn serve(mut self) -> u8 {
        let over = loop {
            match self.request().and_then(|request| self.obey(&request)) {
                Ok(()) => {}
                Err(over) => break over,
            }
        };
        let code = match over {
            Over::Session => 0,
            Over::Bad(why) => {
                self.log.warning(format_args!(
                    "broker: bad request of the session: {why}; it gets no more"
                ));
                1
            }
            Over::Os(error) => {
                self.log
                    .error(format_args!("broker: cannot hear the session: {error}"));
                1
            }
        };
        if let Some(Err(error)) = self.revoke() {
            self.log
                .error(format_args!("broker: cannot take a grant away: {error}"));
        }
        self.log.provoked_sums();
        code
    }

    /// The next request; meanwhile a grant is kept alive.
    fn request(&mut self) -> Result<Request, Over> {
        loop {
            let timeout = if self.granted {
                PollTimeout::from(RENEWAL)
            } else {
                PollTimeout::NONE
            };
            let mut fds = [PollFd::new(self.session.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(0) => self.renew(),
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Over::Os(errno.into())),
            }
        }
        let mut bytes = [0; LENGTH];
        let begun = self.session.read(&mut bytes).map_err(Over::Os)?;
        if begun == 0 {
            return Err(Over::Session);
        }
        // In one piece, as the session sends it; another cuts it.
        if begun < LENGTH {
            return Err(Over::Bad("wrong length"));
        }
        Request::decode(&bytes).map_err(Over::Bad)
    }

    fn obey(&mut self, request: &Request) -> Result<(), Over> {
        let done = match request {
            Request::Grant(wanted) => {
                let grant = self.rights.grant(wanted).map_err(Over::Bad)?;
                let granted = self.filter.as_mut().map(|filter| filter.grant(&grant));
                self.granted = matches!(granted, Some(Ok(())));
                granted.unwrap_or_else(|| Err(Errno::ENOSYS.into()))
            }
            Request::Revoke => self.revoke().unwrap_or(Ok(())),
            Request::Dial { port } => {
                if !passing::is_received(&self.session).map_err(Over::Os)? {
                    return Err(Over::Bad("earlier answers are not received"));
                }
                let (to, from) = self.rights.dial(*port).map_err(Over::Bad)?;
                match net::dial_data(to, from, SourcePort::FtpData) {
                    Ok(socket) => {
                        let done = Answer::Done.encode();
                        return passing::send(&self.session, &done, &socket)
                            .map_err(|_| Over::Session);
                    }
                    Err(error) => Err(error),
                }
            }
        };
        let answer = match &done {
            Ok(()) => Answer::Done,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Answer::Taken,
            Err(error) => {
                self.log.provoked(Provoked::NoData, |log| {
                    log.error(format_args!("broker: {error}"));
                });
                Answer::Failed(error.raw_os_error().unwrap_or(Errno::EIO as i32))
            }
        };
        self.session
            .write_all(&answer.encode())
            .map_err(|_| Over::Session)
    }

    fn revoke(&mut self) -> Option<io::Result<()>> {
        let granted = std::mem::take(&mut self.granted);
        let filter = self.filter.as_mut().filter(|_| granted)?;
        Some(filter.revoke().or_else(|_| filter.revoke()))
    }

    fn renew(&mut self) {
        if let Some(Err(error)) = self.filter.as_mut().map(|filter| filter.renew()) {
            self.log
                .error(format_args!("broker: cannot renew a grant: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::request::ANSWER;
    use crate::broker::{Wanted, Way};
    use crate::endpoint::PortRange;
    use crate::log::To;
    use crate::net::LocalAddresses;
    use crate::rules::Grant;
    use std::sync::{Arc, Mutex};
    use std::thread::{JoinHandle, spawn};

    /// What a filter was asked for, as words.
    type Asked = Arc<Mutex<Vec<&'static str>>>;

    struct Fake(Asked);

    impl Filter for Fake {
        fn grant(&mut self, grant: &Grant) -> io::Result<()> {
            self.0.lock().unwrap().push("grant");
            match grant.at.port() {
                50_000 => Ok(()),
                50_001 => Err(io::ErrorKind::AddrInUse.into()),
                _ => Err(Errno::EPERM.into()),
            }
        }

        fn revoke(&mut self) -> io::Result<()> {
            self.0.lock().unwrap().push("revoke");
            Ok(())
        }
    }

    /// A hand that serves the other end of the socket; and its exit code.
    fn hand() -> (UnixStream, Asked, JoinHandle<u8>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let asked = Asked::default();
        let filter = Fake(asked.clone());
        let rights = Rights {
            client: ([10, 0, 0, 2], 40000).into(),
            dialled: [192, 0, 2, 1].into(),
            facing_client: [10, 0, 0, 1].into(),
            source_to_client: [10, 0, 0, 1].into(),
            servers: vec![[192, 0, 2, 1].into()],
            local: LocalAddresses::read().unwrap(),
            ports: PortRange::DEFAULT,
            path: DataPath::Kernel,
            from_port_20: false,
            low_ports: false,
        };
        let serving = spawn(move || {
            let log = Log::open(0, false, To::Syslog);
            let hand = Hand {
                session: theirs,
                rights,
                filter: Some(Box::new(filter)),
                granted: false,
                log: &log,
            };
            hand.serve()
        });
        (ours, asked, serving)
    }

    fn wanted(announced: u16) -> Request {
        Request::Grant(Wanted {
            way: Way::KernelPassive,
            announced,
            real: 40001,
            server: [192, 0, 2, 1].into(),
            facing_server: [127, 0, 0, 1].into(),
        })
    }

    fn ask(session: &mut UnixStream, request: &Request) -> Answer {
        session.write_all(&request.encode()).unwrap();
        let mut bytes = [0; ANSWER];
        session.read_exact(&mut bytes).unwrap();
        Answer::decode(&bytes)
    }

    #[test]
    fn a_grant_is_taken_away_when_the_session_is_gone() {
        let (mut session, asked, serving) = hand();
        assert_eq!(ask(&mut session, &wanted(50_000)), Answer::Done);
        drop(session);
        assert_eq!(serving.join().unwrap(), 0);
        assert_eq!(*asked.lock().unwrap(), ["grant", "revoke"]);
    }

    #[test]
    fn the_session_hears_what_the_filter_says() {
        let (mut session, asked, serving) = hand();
        assert_eq!(ask(&mut session, &wanted(50_001)), Answer::Taken);
        let failed = Answer::Failed(Errno::EPERM as i32);
        assert_eq!(ask(&mut session, &wanted(50_002)), failed);
        assert_eq!(ask(&mut session, &wanted(50_000)), Answer::Done);
        assert_eq!(ask(&mut session, &Request::Revoke), Answer::Done);
        assert_eq!(ask(&mut session, &Request::Revoke), Answer::Done);
        drop(session);
        assert_eq!(serving.join().unwrap(), 0);
        assert_eq!(
            *asked.lock().unwrap(),
            ["grant", "grant", "grant", "revoke"]
        );
    }

    #[test]
    fn a_bad_request_ends_the_broker_and_takes_the_grant_away() {
        let low_port = wanted(21).encode();
        let unknown = [9; LENGTH];
        let cut = &wanted(50_000).encode()[..LENGTH - 1];
        let port_20 = Request::Dial { port: 2000 };
        for bad in [low_port.as_slice(), &unknown, cut, &port_20.encode()] {
            let (mut session, asked, serving) = hand();
            assert_eq!(ask(&mut session, &wanted(50_000)), Answer::Done);
            session.write_all(bad).unwrap();
            assert_eq!(
                session.read(&mut [0; 1]).unwrap(),
                0,
                "{bad:?} was answered"
            );
            assert_eq!(serving.join().unwrap(), 1);
            assert_eq!(*asked.lock().unwrap(), ["grant", "revoke"]);
        }
    }
}
