//! x
pub mod batch;
pub mod decode;
pub mod kind;
pub mod kinds;
pub mod message;
pub mod timestamp;
pub mod store;
