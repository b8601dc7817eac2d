//! The process's clock, in the units that the rest of the code uses. What many processes must
//! agree on is timed by Redis or Postgres instead: a worker's clock may be minutes off.

use chrono::{DateTime, Utc};

/// Now, in microseconds' precision: what Postgres can store, so that a value survives the trip.
pub fn now() -> DateTime<Utc> {
    from_micros(Utc::now().timestamp_micros())
}

/// The time at `ms` milliseconds since the epoch; the epoch itself where that is out of range.
pub fn from_millis(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn from_micros(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}
