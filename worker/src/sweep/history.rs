//! Notes how the queues are, once a minute. A part of the sweep, so that one worker at a time does it; written twice it is
//! written once.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use copydesk_common::clock;
use copydesk_common::store::{history, job};

use super::{Sweep, SweepError};

impl Sweep {
    /// Notes the minute that has passed, and the hour with its last minute.
    pub(super) async fn note_history(&mut self) -> Result<(), SweepError> {
        self.note_history_at(clock::now()).await
    }

    pub(super) async fn note_history_at(&mut self, now: DateTime<Utc>) -> Result<(), SweepError> {
        let (Ok(minute), Ok(hour)) =
            (now.duration_trunc(TimeDelta::minutes(1)), now.duration_trunc(TimeDelta::hours(1)))
        else {
            return Ok(());
        };
        if self.noted == Some(minute) {
            return Ok(());
        }
        let mut depths = BTreeMap::new();
        for (kind, queue) in &self.queues {
            depths.insert(*kind, queue.depth().await?);
        }
        let loads = job::load::all(&self.store).await?;
        let queues = history::now(&depths, &loads, now);
        history::note_minute(&self.store, minute - TimeDelta::minutes(1), &queues).await?;
        if self.noted.is_none_or(|noted| noted < hour) {
            history::note_hour(&self.store, hour - TimeDelta::hours(1)).await?;
        }
        self.noted = Some(minute);
        Ok(())
    }
}
