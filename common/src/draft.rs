//! Drafts: a job's text while it is being written, piece by piece in Redis, only for those who
//! follow the job. It may be lost at any time; the result in Postgres is what counts.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::stage::Stage;

use crate::redis::script::DRAFT_APPEND;
use crate::redis::{Redis, RedisError};

/// How long a draft is kept after its last piece: enough for a client to reconnect.
const KEPT_MS: u64 = 10 * 60 * 1_000;

/// A piece of a text that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Who writes: the draft or a round of edits.
    pub stage: Stage,
    /// The version of the text: 0 for the draft, and one more for each round of edits.
    pub round: u16,
    /// Whether a new text begins here: earlier pieces are void.
    pub reset: bool,
    /// The piece, to be appended to those before it.
    pub text: String,
}

/// A position in a draft; by default before its first piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The time in milliseconds, by Redis' clock.
    ms: u64,
    /// The position among the pieces of that millisecond.
    sequence: u64,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a draft")]
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (ms, sequence) = text.split_once('-').ok_or(NotACursor)?;
        let number = |text: &str| text.parse().map_err(|_| NotACursor);
        Ok(Self { ms: number(ms)?, sequence: number(sequence)? })
    }
}

/// Adds a piece to a job's draft, and notifies the job's followers.
pub async fn append(redis: &Redis, business_id: &BusinessId, id: JobId, piece: &Piece) -> Result<(), RedisError> {
    let keys = redis.keys();
    let mut append = DRAFT_APPEND.key(keys.draft(business_id, id));
    append.arg(keys.job_events()).arg(id.to_string()).arg(if piece.reset { "1" } else { "" });
    append.arg(piece.stage.as_str()).arg(piece.round).arg(&piece.text).arg(KEPT_MS);
    Ok(append.invoke_async(&mut redis.commands()).await?)
}

/// Removes the drafts of jobs.
pub async fn forget(redis: &Redis, business_id: &BusinessId, ids: &[JobId]) -> Result<(), RedisError> {
    let keys: Vec<_> = ids.iter().map(|id| redis.keys().draft(business_id, *id)).collect();
    redis.unlink(&keys).await?;
    Ok(())
}

/// The pieces of a job's draft after `after`, in order, each with the cursor at its end.
pub async fn read(
    redis: &Redis,
    business_id: &BusinessId,
    id: JobId,
    after: Cursor,
) -> Result<Vec<(Cursor, Piece)>, RedisError> {
    let mut range = redis::cmd("XRANGE");
    range.arg(redis.keys().draft(business_id, id)).arg(format!("({after}")).arg("+");
    let entries: Vec<(String, HashMap<String, String>)> = range.query_async(&mut redis.commands()).await?;
    Ok(entries.into_iter().filter_map(|(at, fields)| Some((at.parse().ok()?, piece(fields)?))).collect())
}

fn piece(mut fields: HashMap<String, String>) -> Option<Piece> {
    Some(Piece {
        stage: fields.get("stage")?.parse().ok()?,
        round: fields.get("round")?.parse().ok()?,
        reset: fields.get("reset")? == "1",
        text: fields.remove("text")?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn piece(text: &str, reset: bool) -> Piece {
        Piece { stage: Stage::Draft, round: 0, reset, text: text.to_owned() }
    }

    async fn texts(redis: &Redis, business: &BusinessId, id: JobId, after: Cursor) -> Vec<String> {
        read(redis, business, id, after).await.unwrap().into_iter().map(|(_, piece)| piece.text).collect()
    }

    #[tokio::test]
    async fn a_draft_is_read_from_any_place_until_another_text_takes_its_own() {
        let (redis, business, id) = (Redis::of_test(), BusinessId::parse("acme").unwrap(), JobId::new());
        assert!(texts(&redis, &business, id, Cursor::default()).await.is_empty());
        for part in [piece("# One", true), piece("\n\nTwo ", false), piece("\u{fc}\0.", false)] {
            append(&redis, &business, id, &part).await.unwrap();
        }
        let all = read(&redis, &business, id, Cursor::default()).await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!((&all[0].1, &all[2].1), (&piece("# One", true), &piece("\u{fc}\0.", false)));
        assert_eq!(texts(&redis, &business, id, all[1].0).await, ["\u{fc}\0."]);

        append(&redis, &business, id, &piece("Anew", true)).await.unwrap();
        assert_eq!(texts(&redis, &business, id, Cursor::default()).await, ["Anew"], "the first text is gone");
        assert_eq!(texts(&redis, &business, id, all[2].0).await, ["Anew"], "an old place sees what is new");

        let stranger = BusinessId::parse("other").unwrap();
        assert!(texts(&redis, &stranger, id, Cursor::default()).await.is_empty());
        let key = redis.keys().draft(&business, id);
        let left: i64 = redis::cmd("PTTL").arg(key).query_async(&mut redis.commands()).await.unwrap();
        assert!(left > 0, "a draft does not stay for ever");
    }

    #[test]
    fn a_cursor_is_what_it_was_written_as() {
        let cursor: Cursor = "1764-3".parse().unwrap();
        assert_eq!(cursor.to_string(), "1764-3");
        for strange in ["", "1", "1-", "-1", "a-1", "1-2-3", "(1-2"] {
            assert_eq!(strange.parse::<Cursor>(), Err(NotACursor), "{strange}");
        }
    }
}
