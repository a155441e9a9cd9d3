//! Systems that limit processes in another way, or for which nix knows no name of that limit.

use nix::sys::resource::Resource;

/// What a session may have nothing of: core files, in which a later reader finds it, and files that it writes.
pub(crate) const NOTHING_OF: &[Resource] = &[Resource::RLIMIT_CORE, Resource::RLIMIT_FSIZE];
