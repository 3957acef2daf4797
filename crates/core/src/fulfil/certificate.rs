//! The certificate of erasure (数据销毁证明): written in the transaction that writes a resource off,
//! and read by whoever reads the resource.
//!
//! It says what was done and no more: deleted through the cloud's interface, and what the cloud
//! answered when it was asked for the thing afterwards. Nothing is claimed that nobody did.

use lingbao_model::{
    id::{RequestId, ResourceId, UserId},
    request::Decision,
    resource::erasure_number,
    time::Timestamp,
    view::{
        bin::{Certificate, CertificateFacts, ErasureMethod},
        page::MAX_PAGE_ROWS,
    },
};
use serde_json::json;

use crate::{
    app::{Actor, Cx},
    audit,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError, StorageError},
    service::request::detail,
    storage::{
        ReadTx, Tx, access, bin, calendar,
        erasure::{self, Kept},
        fulfilment, item,
        resource::{self, Resource},
        step, unit as units,
    },
};

/// How a thing ended.
#[derive(Debug)]
pub struct How {
    /// The request that gave it back; `None` if nobody asked.
    pub request: Option<RequestId>,
    /// Who had it erased before its time, or wrote it off.
    pub by: Option<UserId>,
    /// How.
    pub method: ErasureMethod,
    /// When the cloud said that it does not have it.
    pub absent_at: Option<Timestamp>,
    /// How many snapshots went with it.
    pub snapshots: i64,
    /// How many backups did.
    pub backups: i64,
}

/// Writes the certificate of a resource, unless it has one. `found` is the resource as it was before
/// it was written off.
///
/// # Errors
/// What the database says.
pub async fn certify(tx: &mut Tx, cx: &Cx, found: &Resource, how: How) -> Result<(), StorageError> {
    if erasure::number(tx, &found.id).await?.is_some() {
        return Ok(());
    }
    let wrong = |e| StorageError::inconsistent("erasure", "facts", found.id.as_str(), e);
    let calendar = calendar::load(tx).await?;
    let day = calendar.zone.date(cx.now());
    let number = erasure_number(&cx.app.site, day, erasure::next_number(tx, day).await?);
    let request = match &how.request {
        Some(request) => asked(tx, request).await?,
        None => Asked::default(),
    };
    let spec = item::content(tx, &found.item_version).await?;
    let facts = CertificateFacts {
        number: number.clone(),
        unit_name: units::name(tx, &found.unit).await?.unwrap_or_default(),
        system_name: found.system_name.clone(),
        resource: found.id.clone(),
        name: found.name.clone(),
        kind: found.kind,
        item_name: found.item_name.clone(),
        spec: spec
            .map(|content| content.schema.facts(&found.answers))
            .unwrap_or_default(),
        backend: found.backend.clone(),
        external_id: found.external_id.clone(),
        request_number: request.number,
        asked_by: request.by,
        approved_by: request.approved_by,
        recycled_at: bin::lying(tx, &found.id).await?.map(|lying| lying.since),
        ordered_by: match &how.by {
            Some(user) => name(tx, user).await?,
            None => None,
        },
        erased_at: cx.now(),
        method: how.method,
        absent_at: how.absent_at,
        snapshots: how.snapshots,
        backups: how.backups,
    };
    let text = serde_json::to_string(&facts).map_err(wrong)?;
    let kept = Kept {
        digest: cx.app.crypto.digest_hex(text.as_bytes()),
        facts: text,
    };
    erasure::insert(
        tx,
        &found.id,
        &number,
        how.request.as_ref(),
        &kept,
        cx.now(),
    )
    .await?;
    // The digest in the chain of the audit trail: a certificate that is changed later is found out.
    let event = audit::Event::new("resource.erased", "resource", &found.id)
        .of_unit(&found.unit)
        .detail(json!({ "number": number, "digest": kept.digest, "method": facts.method }));
    audit::record(tx, &cx.acting_as(Actor::System), event).await
}

#[derive(Default)]
struct Asked {
    number: Option<String>,
    by: Option<String>,
    approved_by: Vec<String>,
}

/// Who asked for the release, and who agreed to what was submitted last.
async fn asked(rx: &mut ReadTx, request: &RequestId) -> Result<Asked, StorageError> {
    let Some(head) = fulfilment::head(rx, request).await? else {
        return Ok(Asked::default());
    };
    let steps = step::of_request(rx, request).await?;
    let round = steps.iter().map(|s| s.round).max().unwrap_or(0);
    let agreed = steps
        .into_iter()
        .filter(|s| s.round == round && s.decision == Some(Decision::Approve));
    Ok(Asked {
        by: name(rx, &head.applicant).await?,
        number: Some(head.number),
        approved_by: agreed.filter_map(|s| s.acted_name).collect(),
    })
}

async fn name(rx: &mut ReadTx, user: &UserId) -> Result<Option<String>, StorageError> {
    Ok(access::person(rx, user).await?.map(|person| person.name))
}

fn read(cx: &Cx, kept: &Kept) -> Result<Certificate, ServiceError> {
    Ok(Certificate {
        facts: serde_json::from_str(&kept.facts)
            .map_err(|e| ServiceError::internal("a certificate does not decode", e))?,
        intact: cx.app.crypto.digest_hex(kept.facts.as_bytes()) == kept.digest,
        digest: kept.digest.clone(),
    })
}

/// The certificate of a resource.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the resource, or it was not erased.
pub async fn of_resource(cx: &Cx, id: &ResourceId) -> Result<Certificate, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    resource::get(&mut rx, &access.scope(Ability::ReadResources), id)
        .await?
        .or_not_found()?;
    let kept = erasure::of_resource(&mut rx, id).await?.or_not_found()?;
    read(cx, &kept)
}

/// The certificates of what a release request gave back and that is erased by now, by number: one page, and
/// where the next one begins. A request gives back fewer things than the longest page has rows.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the request, or nothing of it is erased.
pub async fn of_request(
    cx: &Cx,
    request: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<(Vec<Certificate>, Option<String>), ServiceError> {
    let id = detail::find(cx, request).await?;
    let mut rx = cx.db().read().await?;
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let (kept, next) = erasure::of_request(&mut rx, &id, after, limit).await?;
    if kept.is_empty() {
        return Err(ServiceError::NotFound);
    }
    let rows = kept.iter().map(|one| read(cx, one));
    Ok((rows.collect::<Result<_, _>>()?, next))
}
