//! What operators do: look after stuck fulfilments, and fulfil what people fulfil.

use lingbao_model::{
    id::{SagaId, WorkOrderId},
    msg::{FieldError, Msg},
    text,
    view::{
        operation::{
            CloudsFilter, CloudsView, OperationCounts, SagaDetail, SagaFilter, SagaLine, SagaState,
            WorkOrderDetail, WorkOrderFilter, WorkOrderRow, WorkOrderStatus,
        },
        page::Page,
    },
};

use super::refusal::traced;
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    saga,
    storage::{ReadTx, cloud, cloud_limit, fulfilment, item, operation, request_line, work_order},
};

async fn operator(rx: &mut ReadTx, cx: &Cx) -> Result<Access, ServiceError> {
    let access = Access::load(rx, cx).await?;
    access.require(Ability::Operate)?;
    Ok(access)
}

/// The numbers at the top of the page.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn counts(cx: &Cx) -> Result<OperationCounts, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(operation::counts(&mut rx).await?)
}

/// Whether the backends answer, one page of what stands in them and is nobody's, and one of the limits
/// that they keep.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn clouds(cx: &Cx, filter: &CloudsFilter) -> Result<CloudsView, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(CloudsView {
        backends: cloud::health(&mut rx).await?,
        foreign: cloud::foreign(&mut rx, filter.foreign.as_deref(), filter.limits.limit).await?,
        limits: cloud_limit::list(&mut rx, &filter.limits).await?,
    })
}

/// One page of sagas.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn sagas(cx: &Cx, filter: &SagaFilter) -> Result<Page<SagaLine>, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(operation::sagas(&mut rx, filter).await?)
}

/// One saga with its steps.
///
/// # Errors
/// [`ServiceError::NotFound`] if there is none.
pub async fn saga_detail(cx: &Cx, id: &SagaId) -> Result<SagaDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let line = operation::saga(&mut rx, id).await?.or_not_found()?;
    let row = saga::get(&mut rx, id).await?.or_not_found()?;
    Ok(SagaDetail {
        steps: operation::steps(&mut rx, id).await?,
        reason: saga::reason(&row),
        may_retry: matches!(line.state, SagaState::Stuck | SagaState::Residue),
        may_discard: matches!(line.state, SagaState::Stuck | SagaState::Running),
        line,
    })
}

/// Lets a stuck saga, or the rest of one that left something behind, try again.
///
/// # Errors
/// [`ServiceError::Conflict`] if it is neither any more.
pub async fn retry_saga(cx: &Cx, id: &SagaId) -> Result<(), ServiceError> {
    let result = retry_saga_once(cx, id).await;
    traced(cx, result, || audit::Event::new("saga.retry", "saga", id)).await
}

async fn retry_saga_once(cx: &Cx, id: &SagaId) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    operator(&mut tx, cx).await?;
    operation::saga(&mut tx, id).await?.or_not_found()?;
    saga::retry(&mut tx, cx, id).await?;
    audit::record(&mut tx, cx, audit::Event::new("saga.retry", "saga", id)).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives a saga up: everything it has done is taken back, the rest of the request is delivered.
///
/// # Errors
/// [`ServiceError::Invalid`] without a reason, [`ServiceError::Conflict`] if it has ended.
pub async fn discard_saga(cx: &Cx, id: &SagaId, reason: &str) -> Result<(), ServiceError> {
    let result = discard_saga_once(cx, id, reason).await;
    traced(cx, result, || audit::Event::new("saga.discard", "saga", id)).await
}

async fn discard_saga_once(cx: &Cx, id: &SagaId, reason: &str) -> Result<(), ServiceError> {
    let reason = text::paragraph("reason", reason, 2, usize::from(text::REASON_MAX))
        .map_err(|e| ServiceError::Invalid(vec![e]))?;
    let mut tx = cx.db().begin().await?;
    let access = operator(&mut tx, cx).await?;
    operation::saga(&mut tx, id).await?.or_not_found()?;
    let msg = Msg::new("fulfilment.discarded")
        .with("who", access.name)
        .with("reason", reason.clone());
    saga::unwind(&mut tx, cx, id, &msg).await?;
    audit::record(
        &mut tx,
        cx,
        audit::Event::new("saga.discard", "saga", id)
            .detail(serde_json::json!({ "reason": reason })),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// One page of work orders.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn work_orders(
    cx: &Cx,
    filter: &WorkOrderFilter,
) -> Result<Page<WorkOrderRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = operator(&mut rx, cx).await?;
    let mut filter = filter.clone();
    if filter.mine {
        filter.assignee = Some(access.user);
    }
    Ok(work_order::list(&mut rx, &filter).await?)
}

/// One work order with what one needs to do it.
///
/// # Errors
/// [`ServiceError::NotFound`] if there is none.
pub async fn work_order_detail(cx: &Cx, id: &WorkOrderId) -> Result<WorkOrderDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let order = work_order::get(&mut rx, id).await?.or_not_found()?;
    let line = request_line::of_request(&mut rx, &order.request)
        .await?
        .into_iter()
        .find(|line| line.id == order.item)
        .or_not_found()?;
    let contents = item::contents(&mut rx, [&line.version]).await?;
    let (reason, applicant_name, applicant_phone) =
        work_order::contact(&mut rx, &order.request).await?;
    Ok(WorkOrderDetail {
        facts: contents
            .get(&line.version)
            .map(|content| content.schema.facts(&line.answers))
            .unwrap_or_default(),
        count: line.count,
        order,
        reason,
        applicant_name,
        applicant_phone,
    })
}

/// What an operator does to a work order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkOrderAct {
    /// Takes it over, from nobody or from a colleague.
    Take,
    /// Ticks the parts that are done; parts that are not named are not done.
    Tick {
        /// Numbers of the parts that are done, from 0.
        done: Vec<usize>,
        /// What the assignee wrote.
        note: String,
    },
    /// Finishes it; all parts must be done.
    Finish {
        /// What the applicant will read.
        note: String,
    },
    /// Gives it up.
    Fail {
        /// Why; the applicant will read it.
        note: String,
    },
}

impl WorkOrderAct {
    /// What the audit trail calls it.
    const fn action(&self) -> &'static str {
        match self {
            Self::Take => "work_order.take",
            Self::Tick { .. } => "work_order.tick",
            Self::Finish { .. } => "work_order.finish",
            Self::Fail { .. } => "work_order.fail",
        }
    }
}

/// Does it, and tells the fulfilment that waits for it.
///
/// # Errors
/// [`ServiceError::Invalid`] for a missing reason or an unfinished part, [`ServiceError::Conflict`]
/// if somebody else was faster or the order is closed.
pub async fn act_on_work_order(
    cx: &Cx,
    id: &WorkOrderId,
    version: i64,
    act: &WorkOrderAct,
) -> Result<WorkOrderRow, ServiceError> {
    let result = act_once(cx, id, version, act).await;
    traced(cx, result, || {
        audit::Event::new(act.action(), "work_order", id)
    })
    .await
}

async fn act_once(
    cx: &Cx,
    id: &WorkOrderId,
    version: i64,
    act: &WorkOrderAct,
) -> Result<WorkOrderRow, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = operator(&mut tx, cx).await?;
    let mut order = work_order::get(&mut tx, id).await?.or_not_found()?;
    if order.version != version {
        return Err(ServiceError::Conflict(Msg::new("error.stale")));
    }
    if matches!(
        order.status,
        WorkOrderStatus::Done | WorkOrderStatus::Failed
    ) {
        return Err(ServiceError::Conflict(Msg::new("work_order.closed")));
    }
    let note = |typed: &str, min| {
        text::paragraph("note", typed, min, usize::from(text::REASON_MAX))
            .map_err(|e| ServiceError::Invalid(vec![e]))
    };
    match act {
        WorkOrderAct::Take => {
            order.status = WorkOrderStatus::Taken;
            order.assignee = Some(access.user.clone());
        }
        WorkOrderAct::Tick { done, note: typed } => {
            order.note = note(typed, 0)?;
            for (i, check) in order.checklist.iter_mut().enumerate() {
                check.done = done.contains(&i);
            }
        }
        WorkOrderAct::Finish { note: typed } => {
            let open: Vec<FieldError> = order
                .checklist
                .iter()
                .enumerate()
                .filter(|(_, c)| !c.done)
                .map(|(i, c)| {
                    FieldError::new(
                        format!("check{i}"),
                        Msg::new("work_order.part_open").with("part", c.label.clone()),
                    )
                })
                .collect();
            if !open.is_empty() {
                return Err(ServiceError::Invalid(open));
            }
            order.note = note(typed, 0)?;
            order.status = WorkOrderStatus::Done;
            order.closed_at = Some(cx.now());
        }
        WorkOrderAct::Fail { note: typed } => {
            order.note = note(typed, 2)?;
            order.status = WorkOrderStatus::Failed;
            order.closed_at = Some(cx.now());
        }
    }
    work_order::save(&mut tx, &order).await?;
    let pieces = fulfilment::of_request(&mut tx, &order.request).await?;
    let waiting = pieces
        .iter()
        .find(|p| p.item == order.item && p.piece == order.piece);
    if let Some(saga) = waiting.and_then(|p| p.saga.as_ref())
        && order.closed_at.is_some()
    {
        saga::wake(&mut tx, cx, saga).await?;
    }
    audit::record(
        &mut tx,
        cx,
        audit::Event::new(act.action(), "work_order", id),
    )
    .await?;
    tx.commit().await?;
    order.version += 1;
    Ok(order)
}
