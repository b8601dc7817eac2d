//! Whether Redis still has the memory that the quotas were counted in: a flush makes it forget the
//! calls of the last window, a failover those of the last moment. Who notices that early lets the providers
//! open again early.

use uuid::Uuid;

use super::QuotaError;
use crate::redis::Redis;
use crate::redis::script::QUOTA_MEMORY;

/// What a look at Redis' memory found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is the one that this process knew, or the first that it sees.
    Known,
    /// Redis was flushed, or failed over, since this process looked last: no provider takes calls until a window after
    /// the first look at the new memory, by whichever process.
    Flushed,
}

/// Looks whether Redis was flushed, so that the window for which its providers take no calls begins
/// now rather than with the next call; and remembers, so that a later flush is noticed. Each process
/// is to look now and then. One round trip, with Sentinel two.
pub async fn look(redis: &Redis) -> Result<Seen, QuotaError> {
    redis.notice_failover().await?;
    let known = redis.generation.known();
    let generation: String = QUOTA_MEMORY
        .key(redis.keys().quota_memory())
        .arg(&known)
        .arg(Uuid::now_v7().to_string())
        .invoke_async(&mut redis.commands())
        .await?;
    let seen = if known.is_empty() || known == generation { Seen::Known } else { Seen::Flushed };
    redis.generation.remember(generation);
    Ok(seen)
}
