//! ipnat(8): the list of sessions, for kernels that must not be asked about a single one.
//!
//! It runs as root and is somebody else's program, so it is run within bounds.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ipf::{LOAD, LOOK_AT};
use super::ipnat_list::{Ambiguous, original_destination};
use super::{NatError, NatLookup, Redirected};
use crate::program::{Failure, Run, Said};

/// Where ipnat(8) is: on FreeBSD; on NetBSD and illumos.
const PROGRAMS: [&str; 2] = ["/sbin/ipnat", "/usr/sbin/ipnat"];

/// Longest list that is read, in bytes: 50000 sessions, more than IP-Filter's own limit of old.
const MAX_LIST: usize = 4 << 20;

/// Longest that ipnat(8) may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The engine.
#[derive(Clone, Debug)]
pub struct Ipnat {
    /// Absolute paths; the first that is there is run.
    pub programs: Vec<PathBuf>,
    /// Longest that it may take.
    pub patience: Duration,
}

impl Default for Ipnat {
    fn default() -> Self {
        Ipnat {
            programs: PROGRAMS.map(PathBuf::from).into(),
            patience: PATIENCE,
        }
    }
}

impl NatLookup for Ipnat {
    fn original_dst(&self, _: BorrowedFd<'_>, of: &Redirected) -> Result<SocketAddr, NatError> {
        match original_destination(&self.list()?, of.client, of.proxy) {
            Ok(Some(destination)) => Ok(destination),
            Ok(None) => Err(NatError::NotRedirected(LOOK_AT)),
            Err(Ambiguous) => Err(NatError::Ambiguous),
        }
    }

    /// ipnat(8) opens /dev/ipnat.
    fn needs_root(&self) -> bool {
        true
    }
}

impl Ipnat {
    /// All that `ipnat -l` says.
    fn list(&self) -> Result<Vec<u8>, NatError> {
        let mut tries = self.programs.iter().map(|program| self.run(program));
        let unavailable = match tries.find(|said| !matches!(said, Err(Failure::Absent))) {
            Some(Ok(said)) if said.status.success() => return Ok(said.output),
            Some(Ok(said)) => format!(
                "ipnat -l failed ({}): start ftp-proxy as root, {LOAD}",
                said.status
            ),
            Some(Err(Failure::TooLong)) => {
                format!(
                    "ipnat -l says more than {MAX_LIST} bytes: too many sessions to look through"
                )
            }
            Some(Err(Failure::TooLate)) => {
                "ipnat -l takes too long and was stopped: try it by hand".to_owned()
            }
            Some(Err(Failure::System(error))) => return Err(NatError::System(error)),
            Some(Err(Failure::Absent)) | None => self.absent(),
        };
        Err(NatError::Unavailable(unavailable))
    }

    fn run(&self, program: &Path) -> Result<Said, Failure> {
        let run = Run {
            program,
            arguments: &["-l"],
            directory: Some(Path::new("/")),
            input: None,
            longest: MAX_LIST,
            complaint: 0,
            patience: self.patience,
        };
        run.run()
    }

    fn absent(&self) -> String {
        let paths = self.programs.iter().map(|path| path.display().to_string());
        let paths: Vec<_> = paths.collect();
        format!("no ipnat(8) at {}: install IP-Filter", paths.join(" or "))
    }
}
