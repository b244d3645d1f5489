//! What must hold whatever comes in: one module a way in, each with a `check` that panics where it does not.
//!
//! The fuzzer calls them with what it makes up (`scripts/torture --fuzz 60s`); the tests call them with every input
//! below `corpus/`.

pub mod config;
pub mod filter;
pub mod time;
pub mod xml;
