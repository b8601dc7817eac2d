//! Erasures: jobs that remove everything of a business. Which tables that is, and in which order, is the store's
//! business.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;

/// The payload of an erase job. No texts are in it: the job's row outlives what it removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasePayload {
    /// The business, again: a payload without it is none of an erasure.
    pub business_id: BusinessId,
    /// Rows that were removed so far, by table. Counted in the transactions that remove them, so that a crash
    /// loses no count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, u64>,
}

/// The result of an erase job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureResult {
    /// The business.
    pub business_id: BusinessId,
    /// How many rows were removed, by table. A table that had none of the business is not named.
    pub removed: BTreeMap<String, u64>,
    /// Passes over all tables, the last one included. It found nothing, unless `used_meanwhile` is true.
    pub passes: u16,
    /// Whether the business was still being used in the last pass: what was there at the request is gone, and
    /// something newer may be there.
    pub used_meanwhile: bool,
}
