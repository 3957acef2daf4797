//! Lines of a cart: configured, put in, changed, taken out, put back.

use lingbao_model::{
    catalogue::Offer,
    id::{RequestId, RequestItemId},
    msg::{FieldError, Msg},
    quota::Consumption,
    request::{Kind, Line, MAX_LINES},
    view::request::{CartChange, ConfigureView, HeadForm, LineForm, TriedLine},
};

use super::{current_id, editable, fresh, line, load, save, set_head};
use crate::{
    app::Cx,
    audit::Event,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    service::{
        form as forms,
        refusal::traced,
        request::{
            ground,
            judge::{self, Judged},
        },
        system::ordering_unit,
    },
    storage::{
        ReadTx, item,
        request::{self as requests, Request},
        request_line, system,
    },
};

/// The configure page of an item, for a new line in a cart (the current one if none is named).
///
/// # Errors
/// [`ServiceError::NotFound`] for an item that is not offered.
pub async fn configure(
    cx: &Cx,
    cart: Option<&RequestId>,
    code: &str,
) -> Result<ConfigureView, ServiceError> {
    let id = match cart {
        Some(id) => id.clone(),
        None => current_id(cx).await?,
    };
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let request = load(&mut rx, &access, &id).await?;
    let mut offer = item::offer(&mut rx, code).await?.or_not_found()?;
    let judged = judge::judge(&mut rx, &request).await?;
    let around = judged.ground.around_for(offer.content.fulfiller);
    line::leave_out(&mut offer, &around, None);
    let form = line::fresh(&offer, &judged.lines);
    view(&mut rx, &access, request, judged, offer, form, None).await
}

/// The configure page of a line that is in a cart already.
///
/// # Errors
/// [`ServiceError::NotFound`] for a line that is none, or whose item is not offered any more.
pub async fn edit_line(
    cx: &Cx,
    id: &RequestId,
    line_id: &RequestItemId,
) -> Result<ConfigureView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let request = load(&mut rx, &access, id).await?;
    let judged = judge::judge(&mut rx, &request).await?;
    let found = judged.lines.iter().find(|l| l.id == *line_id);
    let found = found.cloned().or_not_found()?;
    let mut offer = item::offer(&mut rx, &found.code).await?.or_not_found()?;
    let around = judged.ground.around_for(offer.content.fulfiller);
    line::leave_out(&mut offer, &around, Some(&found.answers));
    let form = line::form_of(&found);
    view(
        &mut rx,
        &access,
        request,
        judged,
        offer,
        form,
        Some(found.id),
    )
    .await
}

async fn view(
    rx: &mut ReadTx,
    access: &Access,
    request: Request,
    mut judged: Judged,
    offer: Offer,
    form: LineForm,
    line: Option<RequestItemId>,
) -> Result<ConfigureView, ServiceError> {
    judged.own_hold(rx, &request).await?;
    let scope = access.scope(Ability::ReadResources);
    let others: Vec<Line> = judged
        .lines
        .iter()
        .filter(|l| Some(&l.id) != line.as_ref())
        .cloned()
        .collect();
    let targets = line::targets(&offer, &others);
    let rule = |l: &Line| -> Consumption {
        let content = judged.contents.get(&l.version);
        content.map(|c| c.consumption.clone()).unwrap_or_default()
    };
    Ok(ConfigureView {
        systems: system::choices(rx, &scope, &request.unit).await?,
        others: others.into_iter().map(|l| (l.clone(), rule(&l))).collect(),
        surroundings: judged
            .ground
            .around_for(offer.content.fulfiller)
            .for_the_applicant(),
        offer,
        system: request.system,
        form,
        line,
        targets,
        cart: request.id,
        version: request.version,
        with_quota_change: request.with_quota_change,
    })
}

/// Judges a half-filled configure form without saving it: the button of a page without scripts.
///
/// # Errors
/// [`ServiceError::NotFound`] for a cart, line or item that is none.
pub async fn try_line(
    cx: &Cx,
    id: &RequestId,
    line_id: Option<&RequestItemId>,
    form: &LineForm,
) -> Result<TriedLine, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let request = load(&mut rx, &access, id).await?;
    tried(&mut rx, cx, &request, line_id, form).await
}

/// The same of a line in no draft: what a draft with this line alone would say. Nothing is kept.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing, [`ServiceError::NotFound`] for an item that is
/// none, [`ServiceError::Invalid`] by field of [`HeadForm`].
pub async fn try_alone(
    cx: &Cx,
    head: &HeadForm,
    form: &LineForm,
) -> Result<TriedLine, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let unit = ordering_unit(&mut rx, &access).await?;
    let mut request = fresh(&mut rx, cx, &access, unit).await?;
    set_head(&mut rx, &access, &mut request, head).await?;
    tried(&mut rx, cx, &request, None, form).await
}

async fn tried(
    rx: &mut ReadTx,
    cx: &Cx,
    request: &Request,
    line_id: Option<&RequestItemId>,
    form: &LineForm,
) -> Result<TriedLine, ServiceError> {
    let (lines, line, errors) = read(rx, cx, request, line_id, form).await?;
    let mut judged = judge::judge_lines(rx, request, lines).await?;
    judged.own_hold(rx, request).await?;
    Ok(TriedLine {
        errors,
        line,
        verdict: judged.verdict,
    })
}

/// Reads a typed line and puts it among the lines of the cart.
pub(super) async fn read(
    rx: &mut ReadTx,
    cx: &Cx,
    request: &Request,
    line_id: Option<&RequestItemId>,
    form: &LineForm,
) -> Result<(Vec<Line>, Line, Vec<FieldError>), ServiceError> {
    let offer = item::offer(rx, form.item.trim()).await?.or_not_found()?;
    let mut lines = requests::lines(rx, &request.id).await?;
    let before = match line_id {
        None => None,
        Some(id) => Some(lines.iter().find(|l| l.id == *id).or_not_found()?.clone()),
    };
    lines.retain(|l| Some(&l.id) != line_id);
    let next = lines.iter().map(|l| l.position).max().unwrap_or(0) + 1;
    let ground = ground::load(rx, &request.unit, &request.vdc, Kind::New).await?;
    let around = ground.around_for(offer.content.fulfiller);
    let place = line::Place {
        id: line_id.cloned().unwrap_or_else(|| cx.id()),
        position: before.as_ref().map_or(next, |l| l.position),
        others: &lines,
        around: &around,
    };
    let (line, mut errors) = line::read(&offer, form, place);
    if before.is_none() && lines.len() >= MAX_LINES {
        let max = i64::try_from(MAX_LINES).unwrap_or(i64::MAX);
        let msg = Msg::new("cart.too_many_lines").with("max", max);
        errors.push(FieldError::new("lines", msg));
    }
    lines.push(line.clone());
    lines.sort_by_key(|l| l.position);
    Ok((lines, line, errors))
}

/// Puts a line into a cart: a new one, or (with its id) a changed one.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Invalid`] by field of [`LineForm`],
/// [`ServiceError::Conflict`].
pub async fn put_line(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    line_id: Option<&RequestItemId>,
    form: &LineForm,
) -> Result<CartChange, ServiceError> {
    put_line_by(cx, id, version, line_id, form, "").await
}

/// The same from the form of a page: posted twice, it puts one line in.
///
/// # Errors
/// As [`put_line`].
pub async fn put_line_by(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    line_id: Option<&RequestItemId>,
    form: &LineForm,
    form_id: &str,
) -> Result<CartChange, ServiceError> {
    let cx = forms::of(cx, form_id, "cart.put_line", &(id, line_id, form))?;
    if let Some(made) = forms::before(&cx).await? {
        return Ok(made);
    }
    let result = put(&cx, id, version, line_id, form).await;
    let result = forms::settle(&cx, result).await;
    traced(&cx, result, || Event::new("cart.put_line", "request", id)).await
}

async fn put(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    line_id: Option<&RequestItemId>,
    form: &LineForm,
) -> Result<CartChange, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = editable(&mut tx, &access, id, version).await?;
    let (lines, line, errors) = read(&mut tx, cx, &request, line_id, form).await?;
    if !errors.is_empty() {
        return Err(ServiceError::Invalid(errors));
    }
    request_line::put(&mut tx, id, &line).await?;
    save(&mut tx, cx, &mut request, &lines, "cart.put_line").await?;
    let change = CartChange {
        cart: request.id,
        version: request.version,
        line: line.id,
    };
    forms::keep(&mut tx, cx, &change).await?;
    tx.commit().await?;
    Ok(change)
}

/// Takes a line out of a cart. Lines that attach to it stay and say that they lost it.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Conflict`].
pub async fn remove_line(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    line_id: &RequestItemId,
) -> Result<CartChange, ServiceError> {
    let result = remove(cx, id, version, line_id).await;
    traced(cx, result, || Event::new("cart.remove_line", "request", id)).await
}

async fn remove(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    line_id: &RequestItemId,
) -> Result<CartChange, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = editable(&mut tx, &access, id, version).await?;
    let mut lines = requests::lines(&mut tx, id).await?;
    let before = lines.len();
    lines.retain(|l| l.id != *line_id);
    if lines.len() == before {
        return Err(ServiceError::NotFound);
    }
    request_line::remove(&mut tx, id, line_id).await?;
    save(&mut tx, cx, &mut request, &lines, "cart.remove_line").await?;
    tx.commit().await?;
    Ok(CartChange {
        cart: request.id,
        version: request.version,
        line: line_id.clone(),
    })
}

/// Puts a line back that was just taken out, under its own id, so that what attached to it attaches
/// again. What the browser sends is read like any other form: price and place are the server's.
///
/// # Errors
/// As [`put_line`]; [`ServiceError::Conflict`] if the line is there.
pub async fn restore_line(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    removed: &Line,
) -> Result<CartChange, ServiceError> {
    let result = restore(cx, id, version, removed).await;
    traced(cx, result, || {
        Event::new("cart.restore_line", "request", id)
    })
    .await
}

async fn restore(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    removed: &Line,
) -> Result<CartChange, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = editable(&mut tx, &access, id, version).await?;
    // Somebody else's line id is as good as taken, and told in the same way.
    if request_line::exists(&mut tx, &removed.id).await? {
        return Err(ServiceError::Conflict(Msg::new("cart.line_is_there")));
    }
    let form = line::form_of(removed);
    let (mut lines, mut line, errors) = read(&mut tx, cx, &request, None, &form).await?;
    if !errors.is_empty() {
        return Err(ServiceError::Invalid(errors));
    }
    let made = line.id.clone();
    line.id = removed.id.clone();
    if !lines.iter().any(|l| l.position == removed.position) {
        line.position = removed.position.max(1);
    }
    request_line::put(&mut tx, id, &line).await?;
    let contents = item::contents(&mut tx, lines.iter().map(|l| &l.version)).await?;
    for other in &mut lines {
        if other.id == made {
            *other = line.clone();
            continue;
        }
        let wish = contents
            .get(&other.version)
            .and_then(|c| judge::wish(c, other));
        if wish.as_ref() == Some(&line.id) && other.attach_to.is_none() {
            other.attach_to = wish;
            request_line::put(&mut tx, id, other).await?;
        }
    }
    save(&mut tx, cx, &mut request, &lines, "cart.restore_line").await?;
    tx.commit().await?;
    Ok(CartChange {
        cart: request.id,
        version: request.version,
        line: line.id,
    })
}
