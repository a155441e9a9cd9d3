//! Systems with a limit on processes.

use nix::sys::resource::Resource;

/// What a session may have nothing of: core files, in which a later reader finds it, and files that it writes, and
/// processes.
pub(crate) const NOTHING_OF: &[Resource] = &[
    Resource::RLIMIT_CORE,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_NPROC,
];
