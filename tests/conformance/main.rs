//! What the RFCs ask for in general, tried in all the cases that there are; a file for each RFC. Single cases are
//! transcripts and other tests: docs/conformance.md leads from each section to its proof.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod rfc1123;
mod rfc2428;
mod rfc959;
mod stage;
