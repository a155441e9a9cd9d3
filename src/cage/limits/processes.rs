//! Systems with a limit on processes.

use nix::sys::resource::Resource;

/// What a session may have nothing of.
pub(super) const NOTHING_OF: &[Resource] = &[
    Resource::RLIMIT_CORE,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_NPROC,
];
