//! The one integration binary: the library and the program against the simulator, on both databases, always.
//!
//! No Postgres at hand is a failure, not a skip: `scripts/test` starts one and sets `VEMSYNC_TEST_POSTGRES`.

#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod client;
mod contract;
mod copy;
mod daemon;
mod deploy;
mod docs;
mod failover;
mod faults;
mod golden;
mod grant;
mod histories;
mod hostile;
mod input;
mod page;
mod program;
mod report;
mod secrets;
mod stores;
mod support;
mod sweeps;
mod sync;
mod tls;
mod views;
mod writer;
