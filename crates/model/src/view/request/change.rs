//! What pages show of the change of a resource.

use serde::{Deserialize, Serialize};

use super::{OpinionView, StageView};
use crate::catalogue::Fulfiller;
use crate::change::{Change, What};
use crate::id::{PoolId, RequestId, ResourceId};
use crate::msg::{FieldError, Label};
use crate::param::{Fact, Param, Typed};
use crate::verdict::Verdict;

/// The resource that a request changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeLine {
    /// The resource.
    pub resource: ResourceId,
    /// Its name.
    pub name: String,
    /// Code of the item.
    pub code: String,
    /// Name of the item.
    pub item_name: Label,
    /// Before and after.
    pub change: Change,
}

/// A change as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeForm {
    /// What is to be changed.
    pub what: What,
    /// The new sizes by parameter (`vcpus`, `memory_gb`; `size_gb`; of a backup plan
    /// `size_gb`, `schedule`, `keep_days`), or `months` of a renewal, or of a restore the id of the
    /// `snapshot` or the `backup`, the `name` of the new disk, and `month`, the month price that was shown, in 分.
    #[serde(default)]
    pub typed: Typed,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What becomes of a change before it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriedChange {
    /// What can't be read or can't be done, by field.
    pub errors: Vec<FieldError>,
    /// Before and after, as far as it could be read.
    pub change: Change,
    /// Price, quota, route, reasons.
    pub verdict: Verdict,
    /// Names of the pools that the verdict speaks of.
    pub pools: Vec<(PoolId, Label)>,
    /// Who will approve, stage by stage; empty if it happens at once.
    pub route: Vec<StageView>,
}

/// The form that changes a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeView {
    /// The resource.
    pub resource: ResourceId,
    /// Its name.
    pub name: String,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Name of the item.
    pub item_name: Label,
    /// Its specification now.
    pub facts: Vec<Fact>,
    /// What is to be changed.
    pub what: What,
    /// The parameters that may change, as they are offered today.
    pub params: Vec<Param>,
    /// What stands in the form: how it is now, or what was asked for before the return.
    pub form: ChangeForm,
    /// What would become of it.
    pub tried: TriedChange,
    /// The returned request that is supplemented.
    pub request: Option<RequestId>,
    /// Its version; 0 without one.
    pub version: i64,
    /// What the approver who returned it asked for.
    pub asked: Option<OpinionView>,
}
