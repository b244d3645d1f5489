//! Bugs put in on purpose, to see that the tests would find them. Without the feature `planted` there are none, and
//! [`is`] is a constant. No release may have it.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("the feature `planted` puts bugs in on purpose: it is for tests only");

/// A bug that a sync like this one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// `>` for `>=` at a window's lower bound.
    LowerBound = 1,
    /// A mark is committed before its rows.
    MarkBeforeRows,
    /// Each part of a split window raises the mark.
    MarkPerWindow,
    /// A mark is rounded up to the second.
    MarkRoundedUp,
    /// All servers share the greatest mark.
    OneMark,
    /// A mark rises though the scan did not reach back to it.
    NoContiguity,
    /// What has not ended is not read again.
    NoOpenRefresh,
    /// A final row is overwritten by a running one.
    NoFinalGuard,
    /// After the source went back, a mark stays the greater of old and new.
    MaxAfterReset,
    /// What one sweep does not find is marked as missing.
    MissingAtOnce,
    /// A sweep that was interrupted begins anew.
    SweepFromZero,
}

impl Bug {
    /// All of them, by the names that `scripts/torture` uses.
    pub const ALL: [(&'static str, Bug); 11] = [
        ("lower-bound", Bug::LowerBound),
        ("mark-before-rows", Bug::MarkBeforeRows),
        ("mark-per-window", Bug::MarkPerWindow),
        ("mark-rounded-up", Bug::MarkRoundedUp),
        ("one-mark", Bug::OneMark),
        ("no-contiguity", Bug::NoContiguity),
        ("no-open-refresh", Bug::NoOpenRefresh),
        ("no-final-guard", Bug::NoFinalGuard),
        ("max-after-reset", Bug::MaxAfterReset),
        ("missing-at-once", Bug::MissingAtOnce),
        ("sweep-from-zero", Bug::SweepFromZero),
    ];
}

#[cfg(feature = "planted")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Plants a bug into this process, for good: statements are made once.
#[cfg(feature = "planted")]
pub fn plant(bug: Bug) {
    PLANTED.store(bug as u8, std::sync::atomic::Ordering::Relaxed);
}

#[cfg(feature = "planted")]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as u8
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
