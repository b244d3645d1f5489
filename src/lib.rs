//! Copies what happened on a Veeam Backup Enterprise Manager into a SQL database, continuously, and never misses a row.
//!
//! A tour, in the order in which data flows:
//!
//! - [`config`]: where to read from, where to write to;
//! - [`em`]: one HTTP client with one logon session; queries, and nothing that changes anything over there;
//! - [`kind`] and [`kinds`]: what a session type is, and the eight that there are: the only place that declares them;
//! - [`decode`] and [`batch`]: from the XML of an answer to typed columns;
//! - [`store`]: from columns to rows, on Postgres and SQLite alike, together with the marks that become true with them;
//! - [`sync`]: what to ask for, so that no row is missed: the heart;
//! - [`report`]: questions that people ask, answered from the views, as a table, CSV, JSON or HTML;
//! - [`simulator`]: an Enterprise Manager to try and test against, as awkward as the real one.
//!
//! `docs/ARCHITECTURE.md` follows one record from end to end.

pub mod batch;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod decode;
pub mod em;
pub mod escape;
pub mod failover;
pub mod health;
pub mod kind;
pub mod kinds;
pub mod lifecycle;
pub mod message;
pub mod metrics;
pub mod notify;
pub mod planted;
pub mod report;
pub mod simulator;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod timestamp;
pub mod web;
