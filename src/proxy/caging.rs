//! When a session goes into its cage.

use super::refusal::{Refusal, fault};
use super::{Proxy, Standing};
use crate::cage;
use crate::net::Interfaces;
use crate::options::Destination;
use crate::privs::Root;

/// Listeners that leave descriptors enough to who waits at them in its cage.
const FEW_LISTENERS: usize = 16;

impl Proxy<'_> {
    /// What can be done before there is a client. Where the cage does not close, the client shall hear of it: then it is tried
    /// again when there is one.
    pub(super) fn prepare(&self, standing: &mut Standing, listeners: usize) {
        let Standing::Dropped(_, caged) = standing else {
            return;
        };
        // Who looks up names or opens a file later is not ready, nor whose log might not be found again from within.
        let ready = self.options.cage
            && cage::BEFORE_A_CLIENT
            && !self.reads_files()
            && !self.masks_by_name()
            && !matches!(self.options.destination, Destination::Forward { .. })
            && listeners <= FEW_LISTENERS
            && self.log.is_lasting();
        if !ready {
            return;
        }
        let interfaces = Interfaces::open().ok();
        *caged = interfaces.filter(|_| self.close_cage().is_ok());
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
