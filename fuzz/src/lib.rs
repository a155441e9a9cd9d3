//! The checks of tests/properties, for the fuzzer.

#[path = "../../tests/properties/checks/mod.rs"]
pub mod checks;
