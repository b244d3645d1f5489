//! Whose turn it is to write for an Enterprise Manager: waiting for it, keeping it, giving way.
//!
//! Whoever wants the turn wishes for it and waits until it is free. A visitor (`sync`, `backfill`, …) has it for its
//! work. The `run` that leads keeps it between its passes too, and gives way there to whoever wishes; other `run`s
//! stand by until it ends. `store/lease.rs` has what makes this safe; here is only what makes it fair.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::writer::Writer;
use crate::clock::Clock;
use crate::store::{self, Asked, Leases, Store};

/// Whoever waits for longer is told for whom.
const SAY_AFTER: Duration = Duration::from_secs(2);

/// This instance among those that write for one Enterprise Manager.
pub struct Turns {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    em_id: i64,
    cancel: CancellationToken,
    leads: bool,
    on_stand_by: OnStandBy,
    held: Mutex<Option<Turn>>,
}

/// Told the leader's name once this instance stands by, and `None` once it does not any longer.
pub type OnStandBy = Box<dyn Fn(Option<&str>) + Send + Sync>;

/// A turn under way, renewed for as long as it lives.
struct Turn {
    since: Instant,
    lost: CancellationToken,
    renewal: JoinSet<()>,
}

impl Turns {
    /// A visitor, who has the turn for its work only. The token ends its waiting.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, em_id: i64, cancel: CancellationToken) -> Self {
        Self { store, clock, em_id, cancel, leads: false, on_stand_by: Box::new(|_| {}), held: Mutex::default() }
    }

    /// From now on it leads, or stands by while another does.
    pub fn lead(&mut self, on_stand_by: OnStandBy) {
        self.leads = true;
        self.on_stand_by = on_stand_by;
    }

    /// Waits for the turn. Nothing happens if it is ours already.
    ///
    /// # Errors
    /// If the database cannot be used, or if the waiting is interrupted.
    pub async fn take(&self) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        match &*held {
            Some(turn) if turn.lost.is_cancelled() => self.give_up(&mut held).await,
            Some(_) => return Ok(()),
            None => {}
        }
        if self.leads {
            self.stand_by().await?;
        }
        let waited = self.wait().await;
        if waited.is_err() {
            self.leases().withdraw(self.em_id).await;
        }
        waited?;
        *held = Some(self.begin());
        Ok(())
    }

    /// Lets others write.
    pub async fn end(&self) {
        self.end_turn(&mut *self.held.lock().await).await;
    }

    /// Lets others write, and lead.
    pub async fn leave(&self) {
        self.end().await;
        self.leases().resign(self.em_id).await;
    }

    /// Ends a pass: a visitor's turn ends with it, and so does one that was lost.
    pub(super) async fn end_pass(&self, is_fenced: bool) {
        if is_fenced || !self.leads {
            self.end().await;
        }
        if is_fenced && self.leads {
            self.step_down().await;
        }
    }

    /// Lets another instance lead that has taken over, which takes the locks as soon as they are free.
    async fn step_down(&self) {
        self.leases().resign(self.em_id).await;
        // Interrupted or not, what comes next sees to that.
        drop(self.pause(self.leases().length() / 8).await);
    }

    /// Lets time pass between two passes of a leader. Whoever wishes for the turn has it meanwhile.
    pub async fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.cancel.is_cancelled() {
            if let Err(error) = self.attend().await {
                tracing::debug!(%error, "the turn could not be looked at");
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.pause(left.min(self.leases().length() / 20)).await.is_err() {
                return;
            }
        }
    }

    /// Gives way between two windows, again and again, while something long is under way: to whoever wishes for the
    /// turn, once we have had it for a while. What is under way holds a share of the gate and lets go of it between
    /// two windows, so that nothing is read in one turn and stored in another. Returns only if that fails.
    pub(super) async fn share(&self, gate: &RwLock<()>, writer: &Writer) -> Error {
        loop {
            if let Err(error) = self.share_once(gate, writer).await {
                return error;
            }
        }
    }

    async fn share_once(&self, gate: &RwLock<()>, writer: &Writer) -> Result<(), Error> {
        self.pause(self.leases().length() / 20).await?;
        let since = self.held.lock().await.as_ref().map(|turn| turn.since);
        let is_long = since.is_none_or(|since| since.elapsed() >= self.leases().length() / 4);
        if is_long && self.leases().is_wished(self.em_id).await? {
            let _nothing_under_way = gate.write().await;
            writer.flush().await?;
            self.end().await;
            self.take().await?;
        }
        Ok(())
    }

    /// What a resting leader does every now and then.
    async fn attend(&self) -> Result<(), store::Error> {
        let mut held = self.held.lock().await;
        let leases = self.leases();
        if let Some(turn) = &*held {
            if turn.lost.is_cancelled() {
                self.give_up(&mut held).await;
            } else if leases.is_wished(self.em_id).await? {
                self.end_turn(&mut held).await;
            }
        } else if leases.leads(self.em_id).await
            && leases.take(self.em_id, false, self.clock.now()).await? == Asked::Granted
        {
            *held = Some(self.begin());
        }
        Ok(())
    }

    /// Ends a turn that was lost between two passes.
    async fn give_up(&self, held: &mut Option<Turn>) {
        tracing::warn!(
            "another instance has taken over, or the lease was not renewed in time: this one writes nothing until it has \
             the turn again"
        );
        self.end_turn(held).await;
        if self.leads {
            self.step_down().await;
        }
    }

    /// Waits until no other instance leads.
    async fn stand_by(&self) -> Result<(), Error> {
        let mut stood_by = false;
        while let Asked::Taken(holder) = self.leases().lead(self.em_id, self.clock.now()).await? {
            if !stood_by {
                tracing::info!(holder = holder.as_str(), "standing by: another instance leads");
                stood_by = true;
                (self.on_stand_by)(Some(&holder));
            }
            self.pause((self.leases().length() / 20).mul_f64(0.75 + fastrand::f64() / 2.0)).await?;
        }
        if stood_by {
            (self.on_stand_by)(None);
            tracing::info!("taking over");
        }
        Ok(())
    }

    async fn wait(&self) -> Result<(), Error> {
        let begun = Instant::now();
        let mut has_said = false;
        while let Asked::Taken(holder) = self.leases().take(self.em_id, true, self.clock.now()).await? {
            // Leaders wait for visitors all the time.
            if !has_said && !self.leads && begun.elapsed() >= SAY_AFTER {
                tracing::info!(holder, "waiting until another instance gives way");
                has_said = true;
            }
            self.pause((self.leases().length() / 80).mul_f64(0.75 + fastrand::f64() / 2.0)).await?;
        }
        Ok(())
    }

    async fn pause(&self, pause: Duration) -> Result<(), Error> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(Error::Interrupted),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    fn leases(&self) -> &Leases {
        self.store.leases()
    }

    fn begin(&self) -> Turn {
        let lost = CancellationToken::new();
        let mut renewal = JoinSet::new();
        renewal.spawn(renew(self.store.clone(), self.clock.clone(), self.em_id, self.leads, lost.clone()));
        Turn { since: Instant::now(), lost, renewal }
    }

    async fn end_turn(&self, held: &mut Option<Turn>) {
        let Some(mut turn) = held.take() else { return };
        turn.renewal.shutdown().await;
        if let Err(error) = self.leases().end(self.em_id, self.clock.now()).await {
            tracing::debug!(%error, "the lease could not be ended: it runs out by itself");
        }
    }
}

async fn renew(store: Arc<dyn Store>, clock: Arc<dyn Clock>, em_id: i64, leading: bool, lost: CancellationToken) {
    let length = store.leases().length();
    let mut has_locks = false;
    loop {
        // A lock that is missing, as after a takeover, is one that another instance could take.
        tokio::time::sleep(if has_locks { length / 4 } else { length / 20 }).await;
        match store.leases().keep(em_id, leading, clock.now()).await {
            Ok(has_all) => has_locks = has_all,
            Err(store::Error::Fenced { .. }) => return lost.cancel(),
            Err(error) => tracing::debug!(%error, "the lease could not be renewed"),
        }
    }
}
