//! Properties of the program: what must hold whatever the peers send. Each is tried on the kept corpus of its fuzz target
//! (fuzz/corpus), and on inputs that proptest makes up.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, and a check that does not hold panics"
)]

mod checks;
mod corpus;
mod random;
