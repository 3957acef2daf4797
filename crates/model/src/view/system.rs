//! What pages show of application systems (系统).

use serde::{Deserialize, Serialize};

use crate::id::{SystemId, UnitId};
use crate::placement::Level;
use crate::words;

words! {
    /// Whether a system serves people already.
    pub enum SystemState {
        /// In use (使用).
        Live = "live",
        /// Being tried (测试).
        Testing = "testing",
    }
}

/// One system as a line of a list and as an option of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SystemRow {
    /// Identifier.
    pub id: SystemId,
    /// Whose.
    pub unit: UnitId,
    /// Name of the unit.
    pub unit_name: String,
    /// Name.
    pub name: String,
    /// Small letters and digits, part of host names.
    pub short_name: String,
    /// Protection level.
    pub level: Level,
    /// Whether it serves people already.
    pub state: SystemState,
    /// Who knows about it.
    pub contact_name: String,
    /// Their telephone.
    pub contact_phone: String,
    /// For changes: the version that was read.
    pub version: i64,
}

/// A system as it was typed, for a new one and for a change. Field names are those of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct SystemForm {
    /// Name.
    pub name: String,
    /// Short name for host names; empty for one made from the name's sound.
    pub short_name: String,
    /// Protection level: `2`, `3`; `4`, `5` and `secret` are refused with the reason.
    pub level: String,
    /// `live` or `testing`.
    pub state: String,
    /// Who knows about it.
    pub contact_name: String,
    /// Their telephone.
    pub contact_phone: String,
}
