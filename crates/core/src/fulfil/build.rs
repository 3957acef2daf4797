//! The saga that builds one group of pieces.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use lingbao_backends::{Backends, provisioning::Object};
use lingbao_model::{
    catalogue::Fulfiller,
    fulfilment::{Event, Status},
    id::{PoolId, RequestId, RequestItemId, ResourceId, SystemId, UnitId, VdcId, VpcId},
    money::Money,
    msg::Label,
    param::Answers,
    placement::Placement,
    quota::Amounts,
    time::{Timestamp, Zone},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{pieces, plan, step::wrapped_password};
use crate::{
    app::Cx,
    error::StorageError,
    saga::{End, Ended, Saga, Step},
    storage::{Tx, fulfilment, resource, secret},
};

// ---- params

/// What one saga builds. Written once when it starts: a later change of the catalogue or of a name
/// does not reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The request.
    pub request: RequestId,
    /// Whose.
    pub unit: UnitId,
    /// Name of the unit: the project is called so.
    pub unit_name: String,
    /// Whose quota.
    pub vdc: VdcId,
    /// The system.
    pub system: SystemId,
    /// Where; `None` for work of people.
    pub site: Option<Site>,
    /// The pieces, in building order.
    pub pieces: Vec<PiecePlan>,
}

/// At which backend, in which pool and network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    /// Name of the backend.
    pub backend: String,
    /// Our pool.
    pub pool: PoolId,
    /// The pool's name at the backend.
    pub backend_pool: String,
    /// Our VPC.
    pub vpc: VpcId,
    /// Its name.
    pub vpc_name: String,
    /// Its addresses.
    pub cidr: String,
    /// Name of the set of firewall rules: `level2`, `level3`, with `-internet` where the internet
    /// reaches.
    pub security_preset: String,
    /// Under which key the backend finds the project; `None`: under the VDC's id.
    #[serde(default)]
    pub project_key: Option<String>,
}

/// One piece.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PiecePlan {
    /// Line of the request.
    pub item: RequestItemId,
    /// Number of the piece.
    pub piece: i64,
    /// The resource it becomes.
    pub resource: ResourceId,
    /// Code of the item.
    pub code: String,
    /// Name of the item.
    pub item_name: Label,
    /// Version of the item.
    pub item_version: String,
    /// Who fulfils it.
    pub kind: Fulfiller,
    /// Name of the resource.
    pub name: String,
    /// Cell.
    pub placement: Option<Placement>,
    /// Answers.
    pub answers: Answers,
    /// What it takes from the quota.
    pub amounts: Amounts,
    /// Its month price.
    pub month: Money,
    /// Price version.
    pub price_version: i64,
    /// Term in months.
    pub term_months: i64,
    /// What it attaches to.
    pub attach: Option<Attach>,
    /// For work of people: what is to be done.
    pub checklist: Vec<Label>,
    /// For work of people: by when.
    pub due_at: Option<Timestamp>,
}

/// What a piece attaches to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Attach {
    /// Another piece of this saga.
    Here {
        /// Its index in [`Params::pieces`].
        index: usize,
        /// The resource it becomes.
        resource: ResourceId,
    },
    /// A resource that was built before.
    Built {
        /// The resource.
        resource: ResourceId,
        /// The backend's name for it.
        external_id: String,
    },
}

impl Attach {
    const fn resource(&self) -> &ResourceId {
        match self {
            Self::Here { resource, .. } | Self::Built { resource, .. } => resource,
        }
    }
}

// ---- definition

/// The saga.
pub struct Build {
    backends: Arc<Backends>,
}

impl Build {
    /// A saga that builds at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Build {
    const KIND: &'static str = "build";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let Some(site) = &params.site else {
            return pieces::work_orders(params);
        };
        pieces::steps(&self.backends.get_or_absent(&site.backend), params, site)
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        fulfilment::lock(tx, &ended.params.request).await?;
        let rows = fulfilment::of_request(tx, &ended.params.request).await?;
        let reason = ended.why();
        for (index, plan) in ended.params.pieces.iter().enumerate() {
            let piece = rows
                .iter()
                .find(|p| p.item == plan.item && p.piece == plan.piece)
                .ok_or_else(|| {
                    StorageError::inconsistent("fulfilment", "piece", plan.item.as_str(), "gone")
                })?;
            match ended.end {
                End::Done => {
                    deliver(tx, cx, ended.params, index, plan, ended.outputs).await?;
                    fulfilment::settle(tx, piece, Event::Deliver, None, cx.now()).await?;
                }
                End::Undone => {
                    let event = if piece.status == Status::Residue {
                        Event::Clean
                    } else {
                        Event::Fail
                    };
                    fulfilment::settle(tx, piece, event, Some(&reason), cx.now()).await?;
                    plan::give_back(tx, cx, &ended.params.request, &ended.params.vdc, plan).await?;
                }
                // The hold stays as long as something stands in the cloud.
                End::Residue(_) if piece.status == Status::Residue => {}
                End::Residue(_) => {
                    fulfilment::settle(tx, piece, Event::Leave, Some(&reason), cx.now()).await?;
                }
            }
        }
        plan::go_on(tx, cx, &ended.params.request).await
    }
}

/// Writes a built piece down as a resource and turns its hold into use.
async fn deliver(
    tx: &mut Tx,
    cx: &Cx,
    params: &Params,
    index: usize,
    plan: &PiecePlan,
    outputs: &BTreeMap<String, Value>,
) -> Result<(), StorageError> {
    let made: Option<Object> = outputs
        .get(&pieces::make_name(index, plan.kind))
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    let address = match &made {
        Some(Object::Server(server)) => Some(server.private_address.to_string()),
        Some(Object::Address(address)) => Some(address.address.to_string()),
        _ => None,
    };
    let months = i32::try_from(plan.term_months).unwrap_or(12);
    let expires = Zone::SHANGHAI.date(cx.now()).plus_months(months);
    let new = resource::New {
        id: &plan.resource,
        unit: &params.unit,
        vdc: &params.vdc,
        system: &params.system,
        request: &params.request,
        item: &plan.item,
        piece: plan.piece,
        code: &plan.code,
        item_version: &plan.item_version,
        kind: plan.kind,
        name: &plan.name,
        placement: plan.placement.as_ref(),
        backend: params.site.as_ref().map(|s| s.backend.as_str()),
        external_id: made.as_ref().map(|o| o.id().as_str()),
        address: address.as_deref(),
        attached_to: plan.attach.as_ref().map(Attach::resource),
        answers: &plan.answers,
        amounts: &plan.amounts,
        month: plan.month,
        price_version: plan.price_version,
        delivered_at: cx.now(),
        expires_at: Zone::SHANGHAI.moment(expires, 0),
    };
    resource::insert(tx, &cx.id(), &new).await?;
    if let Some(Object::Server(server)) = &made
        && let Some(wrapped) = wrapped_password(cx, &plan.resource, server)?
    {
        secret::keep(tx, &plan.resource, &wrapped, cx.now()).await?;
    }
    plan::take(tx, cx, &params.request, &params.vdc, plan).await
}
