//! The place where an order is placed, with what only the server needs of it.

use lingbao_model::{
    catalogue::Fulfiller,
    change::What,
    id::{PolicyId, UnitId, VdcId},
    money::Money,
    placement::Pool,
    policy::Route,
    request::Kind,
    verdict::{Surroundings, facts_of_one},
};

use crate::{
    error::{OrNotFound, ServiceError, StorageError},
    service::catalogue,
    storage::{ReadTx, cloud, policy, resource::Resource, vdc},
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
    /// What the backends do not make.
    pub lacks: Lacks,
}

/// Kinds of things that backends do not make.
#[derive(Debug, Clone, Default)]
pub struct Lacks(Vec<(String, Fulfiller)>);

impl Lacks {
    /// As the backends have said last.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(rx: &mut ReadTx) -> Result<Self, StorageError> {
        Ok(Self(cloud::lacks(rx).await?))
    }

    /// Whether nothing of this kind can stand in a pool.
    #[must_use]
    pub fn holds(&self, pool: &Pool, kind: Fulfiller) -> bool {
        let mut all = self.0.iter();
        all.any(|(backend, lacking)| *backend == pool.backend && *lacking == kind)
    }
}

impl Ground {
    /// The surroundings of something of this kind: pools whose backend can't make it are closed.
    #[must_use]
    pub fn around_for(&self, kind: Fulfiller) -> Surroundings {
        let mut around = self.around.clone();
        for pool in &mut around.pools {
            pool.open &= !self.lacks.holds(pool, kind);
        }
        around
    }
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
    let (policy, _) = policy::in_force(rx, kind.as_str()).await?.or_not_found()?;
    Ok(Ground {
        around,
        policy,
        parent: vdc::parent(rx, vdc_id).await?,
        lacks: Lacks::load(rx).await?,
    })
}

/// Who would have to agree to one more thing like `resource`, at this month price and within the
/// quota, if it were ordered; and the ground on which it was judged.
///
/// # Errors
/// As [`load`].
pub async fn route_of_one_more(
    rx: &mut ReadTx,
    resource: &Resource,
    month: Money,
) -> Result<(Ground, Route), ServiceError> {
    let kind = What::Restore.judged_as();
    let ground = load(rx, &resource.unit, &resource.vdc, kind).await?;
    let (place, around) = (resource.placement.as_ref(), &ground.around);
    let facts = facts_of_one(&resource.code, place, around, month, true);
    let route = around.policy.route(&facts);
    Ok((ground, route))
}
