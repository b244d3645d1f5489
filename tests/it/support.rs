//! What the tests share: databases, a simulated Enterprise Manager, and the comparison with the truth.

pub mod answer;
pub mod database;
pub mod program;
pub mod world;
