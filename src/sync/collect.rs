//! Asks Enterprise Manager now and then whether it collects: where a server is silent, that is the first question.

use chrono::TimeDelta;

use super::read::{unless_unknown, until_cancelled};
use super::{Context, Error};
use crate::escape;
use crate::store::Collection;

/// The answer lists a month, and cannot be made shorter.
const EVERY: TimeDelta = TimeDelta::hours(1);

/// Asks, if that was long ago, and takes note of the answer. What fails is worth no more than a line: nothing depends
/// on it.
pub(super) async fn ask(context: &Context<'_>) -> Result<(), Error> {
    let now = context.client.now();
    let known = context.store.collection(context.em_id).await?;
    if known.asked_at.is_some_and(|asked_at| asked_at <= now && now - asked_at < EVERY) {
        return Ok(());
    }
    let answer = until_cancelled(context, context.client.collections()).await?.map_err(Error::Source);
    let answer = match unless_unknown(context.client, "systemSessions", answer).await {
        Err(error) if error.stops_all() => return Err(error),
        answer => answer,
    };
    let mut told = Collection { asked_at: Some(now), ..known };
    match answer {
        Ok(collections) => {
            let newest = collections.iter().max_by_key(|one| one.creation_time);
            told.state = newest.map(|one| one.state.clone());
            told.message = newest.and_then(|one| one.message.clone());
            let ended = collections.iter().filter(|one| one.is_good()).filter_map(|one| one.end_time).max();
            told.collected_at = ended.or(told.collected_at);
        }
        Err(error) => tracing::debug!("whether it collects is not known: {}", escape::chain(&error)),
    }
    Ok(context.store.set_collection(context.em_id, &told).await?)
}
