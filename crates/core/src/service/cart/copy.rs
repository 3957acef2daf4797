//! A new draft out of an earlier request: items that are still offered, prices of today.

use std::collections::BTreeMap;

use lingbao_model::{
    id::{RequestId, RequestItemId},
    msg::Msg,
    request::{Kind, Line, Status},
    view::request::Copied,
};

use super::{blank, line, total};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    service::{
        form as forms,
        refusal::traced,
        request::{ground, judge, sight},
        system::ordering_unit,
    },
    storage::{
        Tx, item,
        request::{self as requests, Request},
        request_line, system,
    },
};

/// Makes a draft out of a request that the caller sees, or out of a draft of their own. What is no
/// longer offered, or no longer fits, is left out and said.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`].
pub async fn copy(cx: &Cx, id: &RequestId) -> Result<Copied, ServiceError> {
    copy_by(cx, id, "").await
}

/// The same from the form of a page: posted twice, it makes one.
///
/// # Errors
/// As [`copy`].
pub async fn copy_by(cx: &Cx, id: &RequestId, form_id: &str) -> Result<Copied, ServiceError> {
    let cx = forms::of(cx, form_id, "cart.copy", id)?;
    if let Some(made) = forms::before(&cx).await? {
        return Ok(made);
    }
    let result = copy_once(&cx, id).await;
    let result = forms::settle(&cx, result).await;
    traced(&cx, result, || Event::new("cart.copy", "request", id)).await
}

async fn copy_once(cx: &Cx, id: &RequestId) -> Result<Copied, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let source = match requests::of_applicant(&mut tx, &access.user, id).await? {
        Some(own) => own,
        None => requests::get(&mut tx, &sight(&access), id)
            .await?
            .or_not_found()?,
    };
    if source.kind != Kind::New {
        return Err(ServiceError::Conflict(Msg::new("cart.copy.release")));
    }
    let unit = ordering_unit(&mut tx, &access).await?;
    let mut draft = blank(&mut tx, cx, &access, unit).await?;
    draft.title.clone_from(&source.title);
    draft.reason.clone_from(&source.reason);
    if let Some(id) = &source.system {
        let scope = access.scope(Ability::ReadResources);
        let found = system::get(&mut tx, &scope, id).await?;
        draft.system = found.filter(|s| s.unit == draft.unit).map(|s| s.id);
    }
    requests::insert(&mut tx, &draft).await?;
    let (lines, notes) = lines(&mut tx, cx, &source, &draft).await?;
    for one in &lines {
        request_line::put(&mut tx, &draft.id, one).await?;
    }
    total(&mut draft, &lines);
    requests::save(&mut tx, &mut draft).await?;
    let event = Event::new("cart.copy", "request", &draft.id)
        .of_unit(&draft.unit)
        .detail(serde_json::json!({ "from": source.id }));
    audit::record(&mut tx, cx, event).await?;
    let copied = Copied {
        cart: draft.id,
        notes,
    };
    forms::keep(&mut tx, cx, &copied).await?;
    tx.commit().await?;
    Ok(copied)
}

/// The lines that can be ordered today, what is attached to after what it attaches to.
async fn lines(
    tx: &mut Tx,
    cx: &Cx,
    source: &Request,
    draft: &Request,
) -> Result<(Vec<Line>, Vec<Msg>), ServiceError> {
    let old = requests::lines(tx, &source.id).await?;
    let contents = item::contents(tx, old.iter().map(|l| &l.version)).await?;
    let offers = item::by_codes(tx, old.iter().map(|l| l.code.as_str())).await?;
    let ground = ground::load(tx, &draft.unit, &draft.vdc, Kind::New).await?;
    let mut ids: BTreeMap<RequestItemId, RequestItemId> = BTreeMap::new();
    let (mut lines, mut notes): (Vec<Line>, Vec<Msg>) = (Vec::new(), Vec::new());
    let mut left_out = |key: &'static str, one: &Line, why: Option<Msg>| {
        let msg = Msg::new(key)
            .with("line", one.position)
            .with("item", one.item_name.clone());
        notes.push(match why {
            Some(why) => msg.with("why", why),
            None => msg,
        });
    };
    for one in in_order(&old) {
        let Some(offer) = offers.iter().find(|o| o.code == one.code) else {
            left_out("cart.copy.retired", one, None);
            continue;
        };
        let mut form = line::form_of(one);
        let wish = contents.get(&one.version).and_then(|c| judge::wish(c, one));
        if let Some(param) = offer.content.attach_param() {
            match wish.as_ref().and_then(|w| ids.get(w)) {
                Some(new) => form.typed.insert(param.key.clone(), new.to_string()),
                None => form.typed.remove(&param.key),
            };
        }
        let around = ground.around_for(offer.content.fulfiller);
        let place = line::Place {
            id: cx.id(),
            position: i64::try_from(lines.len()).unwrap_or(0) + 1,
            others: &lines,
            around: &around,
        };
        let (copied, errors) = line::read(offer, &form, place);
        if let Some(error) = errors.into_iter().next() {
            left_out("cart.copy.left_out", one, Some(error.msg));
            continue;
        }
        if copied.quote != one.quote {
            left_out("cart.copy.price", one, None);
        }
        ids.insert(one.id.clone(), copied.id.clone());
        lines.push(copied);
    }
    Ok((lines, notes))
}

/// Targets before what attaches to them; the order of the request otherwise.
fn in_order(lines: &[Line]) -> Vec<&Line> {
    let mut ordered: Vec<&Line> = Vec::with_capacity(lines.len());
    let mut left: Vec<&Line> = lines.iter().collect();
    while !left.is_empty() {
        let placed = |t: &RequestItemId| ordered.iter().any(|l| l.id == *t);
        let (now, later): (Vec<&Line>, Vec<&Line>) = left
            .iter()
            .partition(|l| l.attach_to.as_ref().is_none_or(placed));
        if now.is_empty() {
            ordered.extend(later);
            break;
        }
        ordered.extend(now);
        left = later;
    }
    ordered
}

/// A fresh copy of a draft's lines by today's offers: for "prices have changed".
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`].
pub async fn refresh(cx: &Cx, id: &RequestId, version: i64) -> Result<Vec<Msg>, ServiceError> {
    let result = refresh_once(cx, id, version).await;
    traced(cx, result, || Event::new("cart.refresh", "request", id)).await
}

async fn refresh_once(cx: &Cx, id: &RequestId, version: i64) -> Result<Vec<Msg>, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut draft = super::editable(&mut tx, &access, id, version).await?;
    // Prices of a returned request hold from its first submit.
    if draft.status != Status::Draft {
        return Err(ServiceError::Conflict(Msg::new("cart.refresh_returned")));
    }
    let old = requests::lines(&mut tx, id).await?;
    let same = draft.clone();
    let (lines, notes) = lines(&mut tx, cx, &same, &same).await?;
    for one in old.iter().rev() {
        request_line::remove(&mut tx, id, &one.id).await?;
    }
    for one in &lines {
        request_line::put(&mut tx, id, one).await?;
    }
    total(&mut draft, &lines);
    draft.sort_at = cx.now();
    requests::save(&mut tx, &mut draft).await?;
    let event = Event::new("cart.refresh", "request", id).of_unit(&draft.unit);
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(notes)
}
