//! What pages show of the recycle bin (回收站), and the certificate of erasure (数据销毁证明).

use serde::{Deserialize, Serialize};

use super::resource::Related;
use crate::catalogue::Fulfiller;
use crate::id::{PoolId, RequestId, ResourceId};
use crate::money::Money;
use crate::msg::{Label, Msg};
use crate::param::Fact;
use crate::quota::Change as QuotaChange;
use crate::time::Timestamp;
use crate::words;

/// A thing in the recycle bin: how long it lies there, and what becomes of it when it is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BinView {
    /// The thing.
    pub resource: ResourceId,
    /// Its name.
    pub name: String,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// The request that gave it back.
    pub request: RequestId,
    /// Its number.
    pub request_number: String,
    /// When it was put there.
    pub recycled_at: Timestamp,
    /// When it is erased.
    pub erase_at: Timestamp,
    /// How many days are left until then.
    pub days_left: i64,
    /// Month price of everything that is taken back together.
    pub month: Money,
    /// End of its term.
    pub expires_at: Timestamp,
    /// What hangs on it in the bin and comes back with it.
    pub with: Vec<Related>,
    /// The host in the bin on which it hangs: it comes back with that.
    pub host: Option<Related>,
    /// How many snapshots go with it when it is erased.
    pub snapshots: i64,
    /// Quota before and after it is taken back.
    pub changes: Vec<QuotaChange>,
    /// Names of the pools that `changes` names.
    pub pools: Vec<(PoolId, Label)>,
    /// Why it can't be taken back now, in words.
    pub blocks: Vec<Msg>,
    /// Whether the viewer may take things of this unit back.
    pub may_take_back: bool,
    /// Whether the viewer may have it erased before its time.
    pub may_erase: bool,
}

words! {
    /// How a thing ended.
    pub enum ErasureMethod {
        /// Deleted in its cloud through the cloud's interface, and read back as absent.
        Deleted = "deleted",
        /// There was nothing of it in a cloud.
        NotInCloud = "not_in_cloud",
        /// It was missing in its cloud and was written off: nobody confirms that its data is gone.
        WrittenOff = "written_off",
    }
}

/// What a certificate of erasure certifies, as it was on that day. Serialized field by field in this
/// order: the digest is taken of it, so a field is only ever added, with a default that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateFacts {
    /// Number: site, day, counter of the day.
    pub number: String,
    /// Full name of the unit.
    pub unit_name: String,
    /// Name of the system.
    pub system_name: String,
    /// Identifier in the portal.
    pub resource: ResourceId,
    /// Name of the thing.
    pub name: String,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Name of the catalogue item.
    pub item_name: Label,
    /// Size.
    pub spec: Vec<Fact>,
    /// Name of the cloud.
    pub backend: Option<String>,
    /// The cloud's name for it.
    pub external_id: Option<String>,
    /// Number of the request that gave it back; `None` if nobody asked.
    pub request_number: Option<String>,
    /// Who asked.
    pub asked_by: Option<String>,
    /// Who agreed, in order; empty where the policy asks nobody.
    pub approved_by: Vec<String>,
    /// When it was put into the recycle bin; `None` if it never lay there.
    pub recycled_at: Option<Timestamp>,
    /// Who had it erased before its time, or wrote it off.
    pub ordered_by: Option<String>,
    /// When it was erased.
    pub erased_at: Timestamp,
    /// How.
    pub method: ErasureMethod,
    /// When the cloud, asked for it, said that it does not have it.
    pub absent_at: Option<Timestamp>,
    /// How many snapshots of it were deleted with it.
    pub snapshots: i64,
    /// How many backups of it, or of the plan that it is, were deleted with it. Older certificates have
    /// no such count.
    #[serde(default)]
    pub backups: i64,
}

/// A certificate of erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// What it certifies.
    pub facts: CertificateFacts,
    /// Digest over it, taken on that day; it stands in the audit trail too.
    pub digest: String,
    /// Whether the digest still fits.
    pub intact: bool,
}
