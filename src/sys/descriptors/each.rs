//! macOS, and systems we do not know: one by one.

pub(super) use super::close_each_from as close_from;
