//! What the broker asks of a packet filter.

use std::io;

use crate::rules::Grant;

/// A packet filter that lets one granted connection through at a time.
pub trait Filter {
    /// Lets this connection through, in place of any that was granted before.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`]: another session has a grant for the same host and port, so try another port. Any
    /// other: the filter cannot do it, and nothing is granted.
    fn grant(&mut self, grant: &Grant) -> io::Result<()>;

    /// Grants nothing any more; a connection that was made goes on.
    ///
    /// # Errors
    /// Something may be left over; a second try may remove it.
    fn revoke(&mut self) -> io::Result<()>;

    /// Keeps what is granted for another while, where grants expire.
    ///
    /// # Errors
    /// As [`Filter::grant`].
    fn renew(&mut self) -> io::Result<()> {
        Ok(())
    }
}
