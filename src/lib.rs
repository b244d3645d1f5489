//! x
pub mod kind;
pub mod kinds;
