//! Enterprise Manager's own collections from its backup servers: what it does not collect, nobody can read from it.

use chrono::{DateTime, TimeDelta, Utc};

use super::Result;
use super::database::{SqlStore, Tx, Value};
use crate::health::span;

/// Enterprise Manager collects every 15 minutes; so much later it has stopped.
const COLLECTS_WITHIN: TimeDelta = TimeDelta::hours(1);

/// A daemon asks every hour; what it was told longer ago says nothing about now.
const KNOWN_FOR: TimeDelta = TimeDelta::hours(3);

/// Enterprise Manager's own collection from its backup servers, as far as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collection {
    /// When one last ended well enough.
    pub collected_at: Option<DateTime<Utc>>,
    /// State of the newest one, as the API spells it.
    pub state: Option<String>,
    /// What the newest one says.
    pub message: Option<String>,
    /// When that was asked.
    pub asked_at: Option<DateTime<Utc>>,
}

/// Whether Enterprise Manager collects from its backup servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collects {
    /// It does.
    Yes,
    /// Why it is thought not to.
    No(String),
    /// Why that cannot be said.
    NotKnown(String),
}

impl Collection {
    /// Whether it goes on.
    #[must_use]
    pub fn goes_on(&self, now: DateTime<Utc>) -> Collects {
        let Some(asked_at) = self.asked_at else { return Collects::NotKnown("it has not been asked yet".to_owned()) };
        if now - asked_at > KNOWN_FOR {
            return Collects::NotKnown(format!("it was last asked {} ago", span(now - asked_at)));
        }
        if self.state.as_deref() == Some("Failed") {
            let why = self.message.as_deref().filter(|text| !text.is_empty());
            return Collects::No(format!("its last collection failed: {}", why.unwrap_or("it does not say why")));
        }
        match self.collected_at {
            None => Collects::NotKnown("it does not tell this account".to_owned()),
            Some(at) if asked_at - at > COLLECTS_WITHIN => {
                Collects::No(format!("its last good collection ended {} ago", span(now - at)))
            }
            Some(_) => Collects::Yes,
        }
    }
}

pub(super) async fn collection(tx: &mut Tx, em_id: i64) -> Result<Collection> {
    let select = "select collected_at, collect_state, collect_message, collect_asked_at from enterprise_managers\n\
                  where id = $1";
    let rows = tx.query(select, vec![em_id.into()]).await?;
    let Some(row) = rows.first() else { return Ok(Collection::default()) };
    Ok(Collection {
        collected_at: row.maybe_time(0)?,
        state: row.text(1)?,
        message: row.text(2)?,
        asked_at: row.maybe_time(3)?,
    })
}

pub(super) async fn set_collection(store: &SqlStore, em_id: i64, collection: &Collection) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.execute(
        "update enterprise_managers set collected_at = $2, collect_state = $3, collect_message = $4,\n\
         collect_asked_at = $5 where id = $1",
        vec![
            em_id.into(),
            Value::Time(collection.collected_at),
            Value::Text(collection.state.clone()),
            Value::Text(collection.message.clone()),
            Value::Time(collection.asked_at),
        ],
    )
    .await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-31T12:00:00Z".parse().unwrap()
    }

    fn told(asked_minutes: i64, collected_minutes: Option<i64>, state: &str) -> Collection {
        Collection {
            asked_at: Some(now() - TimeDelta::minutes(asked_minutes)),
            collected_at: collected_minutes.map(|minutes| now() - TimeDelta::minutes(minutes)),
            state: Some(state.to_owned()),
            message: Some("no licence".to_owned()),
        }
    }

    #[test]
    fn whether_it_collects_is_told_as_of_when_it_was_asked() {
        assert!(matches!(Collection::default().goes_on(now()), Collects::NotKnown(_)));
        assert_eq!(told(5, Some(12), "InProgress").goes_on(now()), Collects::Yes);
        // It was asked an hour ago, and had collected a quarter of an hour before.
        assert_eq!(told(58, Some(74), "CompletedSuccessfully").goes_on(now()), Collects::Yes);
        assert!(matches!(told(200, Some(201), "CompletedWarning").goes_on(now()), Collects::NotKnown(_)));
        assert!(matches!(told(5, None, "InProgress").goes_on(now()), Collects::NotKnown(_)));
        let failed = Collects::No("its last collection failed: no licence".to_owned());
        assert_eq!(told(5, Some(12), "Failed").goes_on(now()), failed);
        let stopped = Collects::No("its last good collection ended 3 hours ago".to_owned());
        assert_eq!(told(5, Some(185), "CompletedSuccessfully").goes_on(now()), stopped);
    }
}
