//! x
pub mod kind;
pub mod kinds;
pub mod simulator;
