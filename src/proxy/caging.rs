//! When a session goes into its cage.

use nix::unistd::setsid;

use super::refusal::{Refusal, fault};
use super::{Proxy, Standing};
use crate::cage;
use crate::error::Error;
use crate::net::{self, Interfaces};
use crate::options::Destination;
use crate::privs::Root;

/// Listeners that leave descriptors enough to who waits at them in its cage.
const FEW_LISTENERS: usize = 16;

impl Proxy<'_> {
    /// What the super-server keeps: the user it was started as, so that sessions, which are another user, cannot signal it;
    /// and of root's rights those that it or its sessions will use.
    pub(super) fn super_server(&self, root: Root) -> Result<Root, Error> {
        if self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.needs_root())
        {
            return Ok(root);
        }
        root.guard(self.choice.needs.unwrap_or_default(), self.log)
    }

    /// Whether a session needs root once it has a client.
    fn needs_root(&self) -> bool {
        let destination = &self.options.destination;
        matches!(destination, Destination::Reverse(server) if server.is_name())
            || self.choice.needs.is_some()
            || self
                .engine
                .as_ref()
                .is_some_and(|engine| engine.needs_root())
    }

    /// What a worker does before it has a client. Where the cage does not close, it is tried again when there is one, so that
    /// the client is told.
    ///
    /// # Errors
    /// The worker would have more rights than a session may: it must end.
    pub(super) fn prepare(&self, standing: &mut Standing, listeners: usize) -> Result<(), Error> {
        net::leave_standard_descriptors(self.log.is_on_stderr())?;
        leave_terminal();
        match standing {
            Standing::Root(root) if !self.needs_root() => {
                *standing = Standing::Dropped(root.clone().drop(self.log)?, None);
            }
            _ => {}
        }
        let Standing::Dropped(_, caged) = standing else {
            return Ok(());
        };
        // Who looks up names or opens a file later is not ready, nor whose log might not be found again from within.
        let ready = self.options.cage
            && cage::BEFORE_A_CLIENT
            && !self.reads_files()
            && !self.masks_by_name()
            && !matches!(self.options.destination, Destination::Forward { .. })
            && listeners <= FEW_LISTENERS
            && self.log.is_lasting();
        if ready {
            let interfaces = Interfaces::open().ok();
            *caged = interfaces.filter(|_| self.close_cage().is_ok());
        }
        Ok(())
    }

    /// Tcp wrappers and names are read from files, once the client is known and root is gone.
    pub(super) fn reads_files(&self) -> bool {
        self.wrappers.is_some() || self.options.names || self.masks_after_header()
    }

    pub(super) fn close_cage(&self) -> Result<(), Refusal> {
        if self.options.cage {
            cage::enter(self.log).map_err(fault)?;
        }
        Ok(())
    }

    /// Where files are to be read, the rest of the cage must do.
    pub(super) fn leave_files(&self, root: &Root) {
        if !self.options.cage || !root.is_root() || self.reads_files() {
            return;
        }
        if let Err(error) = cage::leave_files() {
            self.log
                .notice(format_args!("cannot leave the file system: {error}"));
        }
    }
}

/// Makes this process the leader of a session without a terminal (setsid(2)), so that no terminal's signals reach it and it
/// cannot type into one.
pub(super) fn leave_terminal() {
    let _ = setsid(); // the leader of a process group stays one: it was started so
}
