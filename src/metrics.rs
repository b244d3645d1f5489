//! What Prometheus is told: every metric with its help, once, here.
//!
//! Counters are counted where the work is done; gauges are set when somebody asks, from [`Health`] and the database.
//! Labels come from the configuration and from [`crate::kinds::KINDS`], never from data.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{
    Encoder as _, Gauge, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

use crate::health::{Condition, Health};
use crate::store::ManagerStatus;
use crate::sync::{Error, Mode, Summary, SweepSummary};

/// All of them.
pub struct Metrics {
    registry: Registry,
    build_info: IntGaugeVec,
    start_time: Gauge,
    ready: IntGauge,
    database_up: IntGauge,
    manager_up: IntGaugeVec,
    manager_refused: IntGaugeVec,
    leads: IntGaugeVec,
    lag: GaugeVec,
    passes: IntCounterVec,
    pass_duration: GaugeVec,
    rows: IntCounterVec,
    repaired: IntCounterVec,
    rejects: IntGaugeVec,
    requests: IntCounterVec,
    collect_age: GaugeVec,
    reload_success: IntGauge,
    deleted: IntCounterVec,
    process_start_time: Gauge,
    memory: Gauge,
    files: Gauge,
}

impl Metrics {
    /// All of them, at nought.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        let registry = Registry::new();
        let metrics = Self {
            build_info: add(&registry, ints("vemsync_build_info", "Always 1; the label is the version", &["version"])),
            start_time: add(&registry, one("vemsync_start_time_seconds", "When the daemon started, in Unix time")),
            ready: add(&registry, flag("vemsync_ready", "Whether /readyz says so")),
            database_up: add(&registry, flag("vemsync_database_up", "Whether the database answers")),
            manager_up: add(
                &registry,
                ints("vemsync_manager_up", "Whether the last pass read from the Enterprise Manager", &["em"]),
            ),
            manager_refused: add(
                &registry,
                ints("vemsync_manager_refused", "Whether the Enterprise Manager refuses the account", &["em"]),
            ),
            leads: add(
                &registry,
                ints("vemsync_leads", "Whether this instance, and no other, follows the Enterprise Manager", &["em"]),
            ),
            lag: add(
                &registry,
                floats(
                    "vemsync_lag_seconds",
                    "Time since the last complete pass over the session type began",
                    &["em", "kind"],
                ),
            ),
            passes: add(
                &registry,
                counts("vemsync_passes_total", "Passes over a session type", &["em", "kind", "mode", "outcome"]),
            ),
            pass_duration: add(
                &registry,
                floats("vemsync_pass_duration_seconds", "How long the last pass took", &["em", "mode"]),
            ),
            rows: add(
                &registry,
                counts("vemsync_rows_total", "Rows that were read, by what became of them", &["em", "kind", "change"]),
            ),
            repaired: add(
                &registry,
                counts(
                    "vemsync_repaired_rows_total",
                    "Rows that passes had missed and a sweep has stored",
                    &["em", "kind"],
                ),
            ),
            rejects: add(
                &registry,
                ints("vemsync_rejects", "Records in sync_rejects: they could not be stored", &["em", "kind"]),
            ),
            requests: add(
                &registry,
                counts("vemsync_requests_total", "Requests that were sent to the Enterprise Manager", &["em"]),
            ),
            collect_age: add(
                &registry,
                floats(
                    "vemsync_collect_age_seconds",
                    "Time since the Enterprise Manager itself last finished collecting from its backup servers",
                    &["em"],
                ),
            ),
            reload_success: add(
                &registry,
                flag("vemsync_config_reload_success", "Whether the configuration could be used when it was last read"),
            ),
            deleted: add(
                &registry,
                counts(
                    "vemsync_retention_deleted_rows_total",
                    "Sessions deleted because of [retention] keep",
                    &["kind"],
                ),
            ),
            process_start_time: add(
                &registry,
                one("process_start_time_seconds", "When the process started, in Unix time"),
            ),
            memory: add(&registry, one("process_resident_memory_bytes", "Memory that the process takes")),
            files: add(&registry, one("process_open_fds", "Files and connections that the process has open")),
            registry,
        };
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        // The daemon is put together in the process's first second.
        for gauge in [&metrics.start_time, &metrics.process_start_time] {
            gauge.set(now.timestamp_millis() as f64 / 1000.0);
        }
        metrics.reload_success.set(1);
        metrics
    }

    /// Counts a pass.
    pub fn pass(&self, manager: &str, mode: Mode, summary: &Summary, took: Duration) {
        for outcome in &summary.kinds {
            let word = match &outcome.result {
                Ok(()) => "done",
                Err(Error::Unavailable) => "unavailable",
                Err(_) => "failed",
            };
            let counts = outcome.counts;
            self.passes.with_label_values(&[manager, outcome.kind, mode.name(), word]).inc();
            // From nought on, so that the first repair is a change.
            self.repaired.with_label_values(&[manager, outcome.kind]).inc_by(0);
            for (change, count) in [
                ("inserted", counts.inserted),
                ("updated", counts.updated),
                ("unchanged", counts.unchanged()),
                ("rejected", counts.rejected),
            ] {
                self.rows.with_label_values(&[manager, outcome.kind, change]).inc_by(count);
            }
        }
        self.pass_duration.with_label_values(&[manager, mode.name()]).set(took.as_secs_f64());
        self.requests.with_label_values(&[manager]).inc_by(summary.requests);
    }

    /// Counts a portion of a sweep.
    pub fn sweep(&self, manager: &str, summary: &SweepSummary) {
        for outcome in &summary.kinds {
            let word = match &outcome.result {
                Err(Error::Unavailable) => "unavailable",
                Err(_) => "failed",
                Ok(()) if outcome.is_finished() => "done",
                Ok(()) => continue,
            };
            self.passes.with_label_values(&[manager, outcome.kind, "sweep", word]).inc();
            if let (Ok(()), Some(sweep)) = (&outcome.result, &outcome.sweep) {
                let repaired = self.repaired.with_label_values(&[manager, outcome.kind]);
                repaired.inc_by(sweep.missing + sweep.different);
            }
        }
        self.requests.with_label_values(&[manager]).inc_by(summary.requests);
    }

    /// Counts what was deleted because of its age.
    pub fn deleted(&self, kind: &str, rows: u64) {
        self.deleted.with_label_values(&[kind]).inc_by(rows);
    }

    /// Whether the configuration that was just read can be used.
    pub fn reloaded(&self, is_usable: bool) {
        self.reload_success.set(is_usable.into());
    }

    /// Everything as text. `stored` is what the database says, where it answers.
    #[must_use]
    pub fn text(
        &self,
        health: &Health,
        stored: Option<&[ManagerStatus]>,
        is_ready: bool,
        now: DateTime<Utc>,
    ) -> String {
        self.ready.set(is_ready.into());
        self.database_up.set(stored.is_some().into());
        // What is no longer configured must not be told for ever.
        for gauge in [&self.manager_up, &self.manager_refused, &self.leads, &self.rejects] {
            gauge.reset();
        }
        for gauge in [&self.lag, &self.collect_age] {
            gauge.reset();
        }
        let managers = health.managers();
        for (name, manager) in &managers {
            let condition = &manager.condition;
            self.manager_up
                .with_label_values(&[name])
                .set(matches!(condition, Condition::Following | Condition::Slow).into());
            self.manager_refused.with_label_values(&[name]).set(matches!(condition, Condition::Refused(_)).into());
            self.leads.with_label_values(&[name]).set((!matches!(condition, Condition::StandingBy(_))).into());
            for kind in manager.kinds.iter().filter(|kind| kind.is_known) {
                if let Some(read_at) = kind.read_at {
                    self.lag.with_label_values(&[name.as_str(), kind.kind]).set((now - read_at).as_seconds_f64());
                }
            }
        }
        for manager in stored.unwrap_or_default().iter().filter(|manager| managers.contains_key(&manager.name)) {
            for kind in &manager.kinds {
                self.rejects.with_label_values(&[manager.name.as_str(), kind.kind]).set(kind.rejects);
            }
            if let Some(collected_at) = manager.collection.collected_at {
                self.collect_age.with_label_values(&[&manager.name]).set((now - collected_at).as_seconds_f64());
            }
        }
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.files.set(files.count() as f64);
        }
        let mut text = Vec::new();
        // Into memory, of names that were checked when they were declared.
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("metrics that were registered can be written");
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// What the system counts as this process's memory; only Linux tells it this way.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn add<M: Collector + Clone + 'static>(registry: &Registry, metric: Result<M, prometheus::Error>) -> M {
    let metric = metric.expect("names and labels are fit for it");
    registry.register(Box::new(metric.clone())).expect("every name stands here once");
    metric
}

fn one(name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    Gauge::new(name, help)
}

fn flag(name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    IntGauge::new(name, help)
}

fn ints(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

fn floats(name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
    GaugeVec::new(Opts::new(name, help), labels)
}

fn counts(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}
