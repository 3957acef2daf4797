//! Items of the catalogue and their prices as versions: one person writes and proposes, another
//! one publishes. Orders that are under way keep the versions they were made from.

use std::collections::BTreeSet;

use lingbao_model::{
    catalogue::{Content, Publication, parse_code},
    id::ItemId,
    msg::{FieldError, Msg},
    param::Schema,
    price::Formula,
    view::{
        item::{Act, ItemRow, ItemView, ParamRow, Side, VersionRow},
        page::Page,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::refusal::traced;
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    storage::{
        ReadTx, item as items,
        item_version::{self, Item},
        publication::{self, Draft, Step, Version, Versions},
    },
};

/// Longest JSON of a version.
const MOST_BYTES: usize = 64 * 1024;

const fn ability(side: Side) -> Ability {
    match side {
        Side::Content => Ability::ManageItems,
        Side::Price => Ability::ManagePrices,
    }
}

/// Who writes one side reads both: a price hangs on the parameters.
fn require_either(access: &Access) -> Result<(), ServiceError> {
    access
        .require(Ability::ManageItems)
        .or_else(|_| access.require(Ability::ManagePrices))
}

/// All items, also those that nobody can order yet or any more.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever manages neither items nor prices.
pub async fn list(cx: &Cx) -> Result<Vec<ItemRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    require_either(&access)?;
    Ok(item_version::list(&mut rx).await?)
}

/// One page of them, in the order of the catalogue.
///
/// # Errors
/// As [`list`].
pub async fn page(cx: &Cx, after: Option<&str>, limit: i64) -> Result<Page<ItemRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    require_either(&access)?;
    Ok(item_version::page(&mut rx, after, limit).await?)
}

/// One item with its versions.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
pub async fn get(cx: &Cx, code: &str) -> Result<ItemView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    require_either(&access)?;
    let item = item_version::item(&mut rx, code).await?.or_not_found()?;
    let contents = rows(&mut rx, &access, Side::Content, &item.id).await?;
    let newest = contents
        .first()
        .map(|row| serde_json::from_str::<Content>(&row.text))
        .transpose()
        .map_err(|e| ServiceError::internal("content of an item", e))?;
    let (name, schema) =
        newest.map_or_else(Default::default, |content| (content.name, content.schema));
    let defaults = schema.defaults();
    let mut prices = rows(&mut rx, &access, Side::Price, &item.id).await?;
    for price in &mut prices {
        let formula: Formula = serde_json::from_str(&price.text)
            .map_err(|e| ServiceError::internal("price of an item", e))?;
        price.quote = Some(formula.quote(&defaults, 1));
    }
    Ok(ItemView {
        code: code.to_owned(),
        name,
        params: schema.0.iter().map(ParamRow::from).collect(),
        offered: item.offered,
        version: item.version,
        contents,
        prices,
        may_content: access.has(Ability::ManageItems),
        may_price: access.has(Ability::ManagePrices),
    })
}

async fn rows(
    rx: &mut ReadTx,
    access: &Access,
    side: Side,
    item: &ItemId,
) -> Result<Vec<VersionRow>, ServiceError> {
    let manages = access.has(ability(side));
    let found = publication::list(rx, Versions::of_side(side), item.as_str()).await?;
    Ok(found
        .into_iter()
        .map(|v| VersionRow {
            may: if manages {
                acts(&v, access.user.as_str())
            } else {
                Vec::new()
            },
            text: indented(&v.json),
            quote: None,
            number: v.number,
            state: v.state,
            written_by: v.writer,
            written_at: v.written_at,
            published_by: v.publisher,
            published_at: v.published_at,
            version: v.version,
        })
        .collect())
}

/// What somebody who manages versions may do with one: never publish their own.
pub(super) fn acts(version: &Version, me: &str) -> Vec<Act> {
    match version.state {
        Publication::Draft => vec![Act::Write, Act::Propose],
        Publication::Proposed if version.written_by != me => vec![Act::Publish, Act::TakeBack],
        Publication::Proposed => vec![Act::TakeBack],
        Publication::Published | Publication::Retired => Vec::new(),
    }
}

/// From which state to which an act leads. To write on is no step.
pub(super) fn step_of(act: Act) -> Result<(Publication, Publication), ServiceError> {
    match act {
        Act::Propose => Ok((Publication::Draft, Publication::Proposed)),
        Act::TakeBack => Ok((Publication::Proposed, Publication::Draft)),
        Act::Publish => Ok((Publication::Proposed, Publication::Published)),
        Act::Write => Err(ServiceError::Conflict(Msg::new("error.stale"))),
    }
}

fn indented(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_owned())
}

/// Makes an item that nobody can order yet. Its first drafts are copies of the item `like`, so that
/// one begins from something that works.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::Invalid`] on `code` and `like`.
pub async fn create(cx: &Cx, code: &str, like: &str) -> Result<String, ServiceError> {
    let result = create_once(cx, code, like).await;
    traced(cx, result, || Event::new("item.create", "item", code)).await
}

async fn create_once(cx: &Cx, typed: &str, like: &str) -> Result<String, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(Ability::ManageItems)?;
    let code = parse_code("code", typed).map_err(|e| ServiceError::Invalid(vec![e]))?;
    if item_version::item(&mut tx, &code).await?.is_some() {
        return Err(wrong("code", Msg::new("items.code_taken")));
    }
    let Some(model) = items::offer(&mut tx, like).await? else {
        return Err(wrong("like", Msg::new("error.not_in_list")));
    };
    let id: ItemId = cx.id();
    let sort = item_version::next_sort(&mut tx).await?;
    items::insert(&mut tx, &id, &code, sort, cx.now()).await?;
    for (side, json) in [
        (Side::Content, stored("item_version", &model.content)?),
        (Side::Price, stored("price_version", &model.price)?),
    ] {
        let draft = Draft {
            sort: Versions::of_side(side),
            of: id.as_str(),
            number: 1,
            json: &json,
            by: &access.user,
            at: cx.now(),
        };
        item_version::insert_draft(&mut tx, &cx.id(), side, &draft).await?;
    }
    let event = Event::new("item.create", "item", &code).detail(json!({ "like": like }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(code)
}

/// Writes one side of an item: on in its draft, or as a new draft. Nothing of it is in force.
/// `seen` are number and row version of the newest version that the writer had before them, zeros
/// where there was none.
///
/// # Errors
/// [`ServiceError::Invalid`] on `text`, with every rule that it breaks; [`ServiceError::Forbidden`],
/// [`ServiceError::NotFound`], [`ServiceError::Conflict`] if somebody else wrote meanwhile or a
/// version waits for its publication.
pub async fn write(
    cx: &Cx,
    code: &str,
    side: Side,
    seen: (i64, i64),
    text: &str,
) -> Result<i64, ServiceError> {
    let result = write_once(cx, code, side, seen, text).await;
    traced(cx, result, || Event::new("item.write", "item", code)).await
}

async fn write_once(
    cx: &Cx,
    code: &str,
    side: Side,
    seen: (i64, i64),
    text: &str,
) -> Result<i64, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(ability(side))?;
    let item = item_version::item(&mut tx, code).await?.or_not_found()?;
    let newest = publication::list(&mut tx, Versions::of_side(side), item.id.as_str())
        .await?
        .into_iter()
        .next();
    let stands = newest.as_ref().map_or((0, 0), |v| (v.number, v.version));
    if stands != seen {
        return Err(ServiceError::Conflict(Msg::new("error.stale")));
    }
    let json = checked(&mut tx, &item, side, text).await?;
    let (number, on) = match &newest {
        Some(v) if v.state == Publication::Draft => (v.number, Some(v.version)),
        Some(v) if v.state == Publication::Proposed => {
            return Err(ServiceError::Conflict(Msg::new("items.waits")));
        }
        Some(v) => (v.number + 1, None),
        None => (1, None),
    };
    let draft = Draft {
        sort: Versions::of_side(side),
        of: item.id.as_str(),
        number,
        json: &json,
        by: &access.user,
        at: cx.now(),
    };
    match on {
        Some(version) => publication::rewrite(&mut tx, version, &draft).await?,
        None => item_version::insert_draft(&mut tx, &cx.id(), side, &draft).await?,
    }
    let event = Event::new("item.write", "item", code)
        .detail(json!({ "side": side.as_str(), "number": number }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(number)
}

/// Proposes a draft, takes a proposal back, or publishes it.
///
/// # Errors
/// [`ServiceError::Forbidden`]; [`ServiceError::Conflict`] if the writer wants to publish, if
/// somebody else was faster, or if the step does not follow from where the version stands.
pub async fn act(
    cx: &Cx,
    code: &str,
    side: Side,
    (number, version): (i64, i64),
    act: Act,
) -> Result<(), ServiceError> {
    let result = act_once(cx, code, side, (number, version), act).await;
    traced(cx, result, || {
        Event::new("item.publication", "item", code).detail(json!({ "act": act.as_str() }))
    })
    .await
}

async fn act_once(
    cx: &Cx,
    code: &str,
    side: Side,
    (number, version): (i64, i64),
    act: Act,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(ability(side))?;
    let item = item_version::item(&mut tx, code).await?.or_not_found()?;
    let stood = publication::list(&mut tx, Versions::of_side(side), item.id.as_str())
        .await?
        .into_iter()
        .find(|v| v.number == number)
        .or_not_found()?;
    let (from, to) = step_of(act)?;
    if act == Act::Publish && stood.written_by == access.user.as_str() {
        return Err(ServiceError::Conflict(Msg::new("items.second_person")));
    }
    if act == Act::Publish {
        // What it hangs on may have changed since it was written.
        checked(&mut tx, &item, side, &stood.json).await?;
        fits_the_other_side(&mut tx, &item, side, &stood.json).await?;
    }
    let step = Step {
        sort: Versions::of_side(side),
        of: item.id.as_str(),
        number,
        version,
        from,
        to,
        by: &access.user,
        at: cx.now(),
    };
    publication::take(&mut tx, &step).await?;
    let event = Event::new("item.publication", "item", code)
        .detail(json!({ "act": act.as_str(), "side": side.as_str(), "number": number }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// Takes an item out of the catalogue, or puts it back.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::Conflict`].
pub async fn set_offered(
    cx: &Cx,
    code: &str,
    version: i64,
    offered: bool,
) -> Result<(), ServiceError> {
    let result = set_offered_once(cx, code, version, offered).await;
    traced(cx, result, || Event::new("item.offered", "item", code)).await
}

async fn set_offered_once(
    cx: &Cx,
    code: &str,
    version: i64,
    offered: bool,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(Ability::ManageItems)?;
    let item = item_version::item(&mut tx, code).await?.or_not_found()?;
    item_version::set_offered(&mut tx, &item.id, version, offered).await?;
    let event = Event::new("item.offered", "item", code).detail(json!({ "offered": offered }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

fn wrong(field: &str, msg: Msg) -> ServiceError {
    ServiceError::Invalid(vec![FieldError::new(field, msg)])
}

fn stored<T: Serialize>(table: &'static str, value: &T) -> Result<String, ServiceError> {
    serde_json::to_string(value).map_err(|e| ServiceError::Internal {
        context: format!("{table}: {e}"),
        source: None,
    })
}

/// Reads what was typed; a mistake is named with line and column.
fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, ServiceError> {
    if text.len() > MOST_BYTES {
        return Err(wrong("text", Msg::new("items.too_long")));
    }
    serde_json::from_str(text).map_err(|e| {
        let msg = Msg::new("items.not_json")
            .with("line", i64::try_from(e.line()).unwrap_or(0))
            .with("why", e.to_string());
        wrong("text", msg)
    })
}

/// The rules of the model, all messages on the one field that was typed.
fn ruled(result: Result<(), Vec<FieldError>>) -> Result<(), ServiceError> {
    let Err(errors) = result else { return Ok(()) };
    let mut seen = BTreeSet::new();
    Err(ServiceError::Invalid(
        errors
            .into_iter()
            .filter(|e| seen.insert((e.field.to_string(), e.msg.key.to_string())))
            .map(|e| FieldError::new("text", e.msg.with("field", e.field.to_string())))
            .collect(),
    ))
}

async fn checked(
    rx: &mut ReadTx,
    item: &Item,
    side: Side,
    text: &str,
) -> Result<String, ServiceError> {
    match side {
        Side::Content => {
            let content: Content = parsed(text)?;
            ruled(content.check())?;
            stored("item_version", &content)
        }
        Side::Price => {
            let formula: Formula = parsed(text)?;
            ruled(formula.check(&newest_schema(rx, &item.id).await?))?;
            stored("price_version", &formula)
        }
    }
}

/// What is published must fit what is in force on the other side: a parameter that the price asks
/// for and the form does not would cost nothing, and so would a choice without a price. So a new
/// choice is priced first, and a new parameter is asked for first.
async fn fits_the_other_side(
    rx: &mut ReadTx,
    item: &Item,
    side: Side,
    text: &str,
) -> Result<(), ServiceError> {
    let other = match side {
        Side::Content => Side::Price,
        Side::Price => Side::Content,
    };
    let in_force = publication::list(rx, Versions::of_side(other), item.id.as_str())
        .await?
        .into_iter()
        .find(|v| v.state == Publication::Published);
    let Some(in_force) = in_force else {
        return Ok(());
    };
    let (content, price) = match side {
        Side::Content => (text, in_force.json.as_str()),
        Side::Price => (in_force.json.as_str(), text),
    };
    let (content, price): (Content, Formula) = (parsed(content)?, parsed(price)?);
    ruled(price.check(&content.schema))
}

/// The parameters a price is written for: those of the newest content.
async fn newest_schema(rx: &mut ReadTx, item: &ItemId) -> Result<Schema, ServiceError> {
    let newest = publication::list(rx, Versions::CONTENT, item.as_str()).await?;
    let Some(newest) = newest.first() else {
        return Ok(Schema(Vec::new()));
    };
    let content: Content =
        serde_json::from_str(&newest.json).map_err(|e| ServiceError::Internal {
            context: format!("item_version: {e}"),
            source: None,
        })?;
    Ok(content.schema)
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod item_tests;
