//! The cart: a draft request, or a returned one that is being supplemented. One person's own.

mod copy;
mod edit;
pub mod line;
mod make;

use lingbao_model::{
    id::{RequestId, SystemId, UnitId},
    msg::{FieldError, Msg},
    request::{Kind, Line, Status, StepStatus},
    text,
    view::{
        page::Page,
        request::{CartView, DraftRow, HeadForm, OpinionView},
    },
};

pub use copy::{copy, copy_by, refresh};
pub use edit::{
    configure, edit_line, put_line, put_line_by, remove_line, restore_line, try_alone, try_line,
};
pub use make::make;

use super::{
    catalogue, form as forms,
    refusal::traced,
    request::{
        detail,
        judge::{self, TITLE_MAX},
        route,
    },
    system::ordering_unit,
};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    storage::{
        ReadTx, Tx, calendar,
        request::{self as requests, Request},
        request_list, step, system, unit as units,
    },
};

/// Most drafts of one person.
const MOST_DRAFTS: i64 = 20;

/// The current draft: the one touched last, made if there is none.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing.
pub async fn current(cx: &Cx) -> Result<CartView, ServiceError> {
    let id = current_id(cx).await?;
    open(cx, &id).await
}

async fn current_id(cx: &Cx) -> Result<RequestId, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let unit = ordering_unit(&mut rx, &access).await?;
    let found = requests::drafts(&mut rx, &access.user, &unit, 1).await?;
    drop(rx);
    match found.into_iter().next() {
        Some(draft) => Ok(draft.id),
        None => create(cx).await,
    }
}

/// Makes one more draft, which becomes the current one.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing; [`ServiceError::Conflict`] when there
/// are too many.
pub async fn create(cx: &Cx) -> Result<RequestId, ServiceError> {
    create_by(cx, "").await
}

/// The same from the form of a page: posted twice, it makes one.
///
/// # Errors
/// As [`create`].
pub async fn create_by(cx: &Cx, form_id: &str) -> Result<RequestId, ServiceError> {
    let cx = forms::of(cx, form_id, "cart.create", &())?;
    if let Some(made) = forms::before(&cx).await? {
        return Ok(made);
    }
    let result = create_once(&cx).await;
    forms::settle(&cx, result).await
}

async fn create_once(cx: &Cx) -> Result<RequestId, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let unit = ordering_unit(&mut tx, &access).await?;
    let draft = blank(&mut tx, cx, &access, unit).await?;
    requests::insert(&mut tx, &draft).await?;
    let event = Event::new("cart.create", "request", &draft.id).of_unit(&draft.unit);
    audit::record(&mut tx, cx, event).await?;
    forms::keep(&mut tx, cx, &draft.id).await?;
    tx.commit().await?;
    Ok(draft.id)
}

/// An empty draft that is not written down yet.
async fn blank(
    tx: &mut Tx,
    cx: &Cx,
    access: &Access,
    unit: UnitId,
) -> Result<Request, ServiceError> {
    let there = requests::drafts(tx, &access.user, &unit, MOST_DRAFTS).await?;
    if i64::try_from(there.len()).unwrap_or(MOST_DRAFTS) >= MOST_DRAFTS {
        let msg = Msg::new("cart.too_many_drafts").with("max", MOST_DRAFTS);
        return Err(ServiceError::Conflict(msg));
    }
    fresh(tx, cx, access, unit).await
}

/// A draft that says nothing, of whoever asks.
async fn fresh(
    rx: &mut ReadTx,
    cx: &Cx,
    access: &Access,
    unit: UnitId,
) -> Result<Request, ServiceError> {
    let vdc = catalogue::vdc_of(rx, &unit).await?;
    let applicant = access.user.clone();
    let draft = Request::draft(cx.id(), Kind::New, unit, vdc, applicant, cx.now());
    Ok(draft)
}

/// A draft or a returned request of the caller's own.
async fn load(rx: &mut ReadTx, access: &Access, id: &RequestId) -> Result<Request, ServiceError> {
    let request = requests::of_applicant(rx, &access.user, id)
        .await?
        .or_not_found()?;
    access.require_on(rx, Ability::Order, &request.unit).await?;
    if matches!(request.status, Status::Draft | Status::Returned) && request.kind == Kind::New {
        return Ok(request);
    }
    let number = request.number.unwrap_or_default();
    let msg = Msg::new("request.submitted_already").with("number", number);
    Err(ServiceError::Conflict(msg))
}

async fn editable(
    tx: &mut Tx,
    access: &Access,
    id: &RequestId,
    version: i64,
) -> Result<Request, ServiceError> {
    let request = load(tx, access, id).await?;
    if request.version == version {
        Ok(request)
    } else {
        Err(ServiceError::Conflict(Msg::new("error.stale")))
    }
}

/// One cart with the verdict on it.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Conflict`] for a request that is on its way already.
pub async fn open(cx: &Cx, id: &RequestId) -> Result<CartView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let request = load(&mut rx, &access, id).await?;
    shown(&mut rx, cx, &access, request).await
}

async fn shown(
    rx: &mut ReadTx,
    cx: &Cx,
    access: &Access,
    request: Request,
) -> Result<CartView, ServiceError> {
    let mut judged = judge::judge(rx, &request).await?;
    judged.own_hold(rx, &request).await?;
    let has_upper = judged.ground.around.has_upper;
    let (applicant, unit) = (&request.applicant, &request.unit);
    let path = &judged.verdict.route;
    let stages = route::plan(rx, applicant, unit, has_upper, path).await?;
    let calendar = calendar::load(rx).await?;
    let days: u32 = stages.iter().map(|s| s.due_days).sum();
    let scope = access.scope(Ability::ReadResources);
    Ok(CartView {
        unit_name: units::name(rx, unit).await?.unwrap_or_default(),
        systems: system::choices(rx, &scope, unit).await?,
        lines: judged.views(),
        pools: judged.pool_names(),
        route: route::views(&stages),
        due_at: (days > 0).then(|| calendar.due(cx.now(), days)),
        problems: judged.problems.clone(),
        form_id: form_id(cx),
        asked: asked(rx, &request).await?,
        verdict: judged.verdict,
        id: request.id,
        version: request.version,
        status: request.status,
        number: request.number,
        unit: request.unit,
        system: request.system,
        title: request.title,
        reason: request.reason,
        with_quota_change: request.with_quota_change,
        saved_at: request.sort_at,
    })
}

/// A fresh id of a form; whoever sends it twice gets one answer.
#[must_use]
pub fn form_id(cx: &Cx) -> String {
    format!("{:032x}", cx.app.random.bits())
}

async fn asked(rx: &mut ReadTx, request: &Request) -> Result<Option<OpinionView>, ServiceError> {
    if request.status != Status::Returned {
        return Ok(None);
    }
    let steps = step::of_request(rx, &request.id).await?;
    let last = steps
        .iter()
        .filter(|s| s.status == StepStatus::Returned)
        .max_by_key(|s| s.acted_at);
    Ok(last.and_then(detail::opinion))
}

/// One page of the caller's drafts, the one touched last first.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing.
pub async fn drafts(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<DraftRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let unit = ordering_unit(&mut rx, &access).await?;
    Ok(request_list::drafts(&mut rx, &access.user, &unit, after, limit).await?)
}

/// Throws a draft away.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Conflict`].
pub async fn discard(cx: &Cx, id: &RequestId, version: i64) -> Result<(), ServiceError> {
    let result = discard_once(cx, id, version).await;
    traced(cx, result, || Event::new("cart.discard", "request", id)).await
}

async fn discard_once(cx: &Cx, id: &RequestId, version: i64) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let draft = editable(&mut tx, &access, id, version).await?;
    if draft.status != Status::Draft {
        return Err(ServiceError::Conflict(Msg::new("cart.not_a_draft")));
    }
    requests::discard(&mut tx, &draft).await?;
    let event = Event::new("cart.discard", "request", id).of_unit(&draft.unit);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// Saves what stands above the lines, as far as it was typed: nothing is required of a draft, only
/// bounds are kept. Gives the new version.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Invalid`] by field of [`HeadForm`],
/// [`ServiceError::Conflict`].
pub async fn save_head(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    form: &HeadForm,
) -> Result<i64, ServiceError> {
    let result = save_typed(cx, id, version, form).await;
    traced(cx, result, || Event::new("cart.save_head", "request", id)).await
}

async fn save_typed(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    form: &HeadForm,
) -> Result<i64, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = editable(&mut tx, &access, id, version).await?;
    set_head(&mut tx, &access, &mut request, form).await?;
    let lines = requests::lines(&mut tx, id).await?;
    save(&mut tx, cx, &mut request, &lines, "cart.save_head").await?;
    tx.commit().await?;
    Ok(request.version)
}

/// Puts what was typed into a cart, which is not saved yet: the submit does that together with all
/// the rest.
pub(super) async fn set_head(
    rx: &mut ReadTx,
    access: &Access,
    request: &mut Request,
    form: &HeadForm,
) -> Result<(), ServiceError> {
    let mut errors = Vec::new();
    match text::line("title", &form.title, 0, TITLE_MAX) {
        Ok(title) => request.title = title,
        Err(error) => errors.push(error),
    }
    match text::paragraph("reason", &form.reason, 0, usize::from(text::REASON_MAX)) {
        Ok(reason) => request.reason = reason,
        Err(error) => errors.push(error),
    }
    match chosen_system(rx, access, request, form.system.trim()).await? {
        Ok(system) => request.system = system,
        Err(error) => errors.push(error),
    }
    if !errors.is_empty() {
        return Err(ServiceError::Invalid(errors));
    }
    request.with_quota_change = form.with_quota_change;
    Ok(())
}

/// Keeps what was typed when a submit was refused and took it back with everything else. The version
/// stays: of a double click the second post is refused for the same reason and not as stale. Where
/// it can't be kept (changed meanwhile, or not readable) the page still shows it, and the refusal
/// says more.
pub(super) async fn keep_head(cx: &Cx, id: &RequestId, version: i64, form: &HeadForm) {
    match keep_typed(cx, id, version, form).await {
        Ok(()) | Err(ServiceError::Invalid(_) | ServiceError::Conflict(_)) => {}
        Err(error) => tracing::warn!(%error, "the head of a refused cart could not be kept"),
    }
}

async fn keep_typed(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    form: &HeadForm,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = editable(&mut tx, &access, id, version).await?;
    set_head(&mut tx, &access, &mut request, form).await?;
    requests::keep_head(&mut tx, &request).await?;
    let event = Event::new("cart.save_head", "request", id).of_unit(&request.unit);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

async fn chosen_system(
    rx: &mut ReadTx,
    access: &Access,
    request: &Request,
    typed: &str,
) -> Result<Result<Option<SystemId>, FieldError>, ServiceError> {
    if typed.is_empty() {
        return Ok(Ok(None));
    }
    let scope = access.scope(Ability::ReadResources);
    let found = match typed.parse::<SystemId>() {
        Ok(id) => system::get(rx, &scope, &id).await?,
        Err(_) => None,
    };
    // A system of another unit reads like one that never was.
    let own = found.filter(|s| s.unit == request.unit).map(|s| Some(s.id));
    Ok(own.ok_or_else(|| FieldError::new("system", Msg::new("error.not_in_list"))))
}

/// The money of the lines.
fn total(request: &mut Request, lines: &[Line]) {
    request.month = lines.iter().map(|l| l.quote.month).sum();
    request.once = lines.iter().map(|l| l.quote.once).sum();
}

async fn save(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    lines: &[Line],
    action: &'static str,
) -> Result<(), ServiceError> {
    total(request, lines);
    if request.status == Status::Draft {
        request.sort_at = cx.now();
    }
    requests::save(tx, request).await?;
    let event = Event::new(action, "request", &request.id).of_unit(&request.unit);
    Ok(audit::record(tx, cx, event).await?)
}
