//! What the page of quotas shows.

use serde::{Deserialize, Serialize};

use crate::id::{PoolId, UnitId, VdcId};
use crate::msg::Label;
use crate::quota::{Dimension, EntryKind, Standing};
use crate::time::Timestamp;

/// One dimension in one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuotaRow {
    /// In which pool.
    pub pool: PoolId,
    /// Name of the pool.
    pub pool_name: Label,
    /// Which dimension.
    pub dimension: Dimension,
    /// Where it stands.
    pub standing: Standing,
}

/// A unit directly below, with what was handed on to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChildQuota {
    /// The unit.
    pub unit: UnitId,
    /// Its short name.
    pub name: String,
    /// Where it stands.
    pub rows: Vec<QuotaRow>,
}

/// One entry of the ledger; the four amounts may be negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerRow {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub kind: EntryKind,
    /// In which pool.
    pub pool: PoolId,
    /// Name of the pool.
    pub pool_name: Label,
    /// Which dimension.
    pub dimension: Dimension,
    /// Change of the limit.
    pub limit: i64,
    /// Change of what is handed on.
    pub handed: i64,
    /// Change of what is held.
    pub held: i64,
    /// Change of what is used.
    pub used: i64,
    /// Number of the request, if it was for one that has a number.
    pub request: Option<String>,
}

/// The quota of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuotaView {
    /// The unit.
    pub unit: UnitId,
    /// Its name.
    pub unit_name: String,
    /// Its first virtual data centre; a unit without one has no quota.
    pub vdc: Option<VdcId>,
    /// Where it stands, by pool and dimension.
    pub rows: Vec<QuotaRow>,
    /// The units directly below that the reader may see.
    pub children: Vec<ChildQuota>,
    /// The latest entries of the ledger, the last one first.
    pub entries: Vec<LedgerRow>,
    /// Whether the reader may hand limits on to the units below, and take them back.
    pub may_hand: bool,
    /// The topmost unit, for whoever sets the site's own limits: they are set there.
    pub site: Option<UnitId>,
    /// The pools, in their order.
    pub pools: Vec<(PoolId, Label)>,
}
