//! The place where an order is placed, with what only the server needs of it.

use lingbao_model::{
    id::{PolicyId, UnitId, VdcId},
    request::Kind,
    verdict::Surroundings,
};

use crate::{
    error::{OrNotFound, ServiceError},
    service::catalogue,
    storage::{ReadTx, policy, vdc},
};

/// The surroundings of a verdict, the policy in force, and the VDC above.
#[derive(Debug, Clone)]
pub struct Ground {
    /// What the verdict needs.
    pub around: Surroundings,
    /// The policy in force.
    pub policy: PolicyId,
    /// The VDC above, from which missing quota would be taken.
    pub parent: Option<VdcId>,
}

/// The ground of an order by a unit from a VDC.
///
/// # Errors
/// As [`catalogue::surroundings`].
pub async fn load(
    rx: &mut ReadTx,
    unit: &UnitId,
    vdc_id: &VdcId,
    kind: Kind,
) -> Result<Ground, ServiceError> {
    let around = catalogue::surroundings(rx, unit, vdc_id, kind.as_str()).await?;
    let (policy, _) = policy::published(rx, kind.as_str()).await?.or_not_found()?;
    Ok(Ground {
        around,
        policy,
        parent: vdc::parent(rx, vdc_id).await?,
    })
}
