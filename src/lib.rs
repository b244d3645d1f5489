//! x
pub mod cli;
pub mod config;
pub mod escape;
pub mod kind;
pub mod kinds;
pub mod telemetry;
