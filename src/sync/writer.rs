//! The one writer: commits what the kinds read, in order, a few windows to a transaction.
//!
//! The queue is short. Reading stays ahead of writing by a few pages and no more, whatever the history's length.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::Error;
use crate::clock::Clock;
use crate::store::{self, Commit, Counts, Pass, Store};

/// Windows that wait to be written.
const QUEUE: usize = 3;

/// Rows in one transaction, unless one window has more.
const ROWS: usize = 2000;

/// What became of the rows so far, by kind.
pub(super) type Totals = HashMap<&'static str, Counts>;

enum Job {
    Commit(Box<Commit>),
    Record(Box<Pass>),
    Flush(oneshot::Sender<Totals>),
}

/// The kinds' end of the queue.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
}

/// The writing end, running on its own.
pub(super) struct WriterTask(JoinSet<Result<Totals, store::Error>>);

impl Writer {
    pub(super) fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> (Self, WriterTask) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let mut task = JoinSet::new();
        task.spawn(write(store, clock, jobs));
        (Self { queue }, WriterTask(task))
    }

    /// Queues a commit. Commits of one kind are written in the order in which they are queued.
    pub(super) async fn commit(&self, commit: Commit) -> Result<(), Error> {
        self.queue.send(Job::Commit(Box::new(commit))).await.map_err(|_| Error::WriterGone)
    }

    /// Queues a line of the diary.
    pub(super) async fn record(&self, pass: Pass) -> Result<(), Error> {
        self.queue.send(Job::Record(Box::new(pass))).await.map_err(|_| Error::WriterGone)
    }

    /// Waits until everything queued before is committed, and returns the counts so far.
    pub(super) async fn flush(&self) -> Result<Totals, Error> {
        let (done, flushed) = oneshot::channel();
        self.queue.send(Job::Flush(done)).await.map_err(|_| Error::WriterGone)?;
        flushed.await.map_err(|_| Error::WriterGone)
    }
}

impl WriterTask {
    /// Waits for the end, once every [`Writer`] is gone.
    pub(super) async fn finish(mut self) -> Result<Totals, Error> {
        match self.0.join_next().await {
            Some(Ok(outcome)) => Ok(outcome?),
            _ => Err(Error::WriterGone),
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

async fn write(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mut jobs: mpsc::Receiver<Job>,
) -> Result<Totals, store::Error> {
    let mut totals = Totals::new();
    // A record that comes in several windows of a pass is rejected once.
    let mut rejected: HashSet<(&'static str, u64)> = HashSet::new();
    let mut next = jobs.recv().await;
    while let Some(job) = next.take() {
        match job {
            Job::Commit(first) => {
                let mut rows = first.batch.len();
                let mut commits = vec![*first];
                while rows < ROWS {
                    match jobs.try_recv() {
                        Ok(Job::Commit(commit)) => {
                            rows += commit.batch.len();
                            commits.push(*commit);
                        }
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let counts = store.commit(&commits, clock.now()).await?;
                for (commit, counts) in commits.iter().zip(counts) {
                    let fresh =
                        commit.rejects.iter().filter(|reject| rejected.insert((commit.kind, hash(&reject.raw))));
                    let counts = Counts { rejected: fresh.count() as u64, ..counts };
                    totals.entry(commit.kind).or_default().add(counts);
                }
            }
            Job::Record(pass) => store.record_pass(&pass).await?,
            // Whoever asked may have been interrupted since.
            Job::Flush(done) => drop(done.send(totals.clone())),
        }
        if next.is_none() {
            next = jobs.recv().await;
        }
    }
    Ok(totals)
}
