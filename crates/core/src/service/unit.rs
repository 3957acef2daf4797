//! Units: looked at as a tree, made below a unit, renamed, closed and opened again. Never deleted.

use lingbao_model::{
    id::{UnitId, VdcId},
    msg::{FieldError, Msg},
    people::{UnitKind, UnitLevel},
    text,
    view::{
        page::Page,
        people::{UnitDetail, UnitNode, UnitQuery},
    },
};
use serde_json::json;

use super::{admin::Admin, form, refusal::traced};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Ability,
    error::{OrNotFound, ServiceError},
    storage::{Tx, unit as units, vdc},
};

/// A unit to be made, as it was typed.
#[derive(Debug, Clone)]
pub struct NewUnit {
    /// The unit above; the program alone may make one without.
    pub parent: Option<UnitId>,
    /// Full name.
    pub name: String,
    /// Short name; empty means the full one.
    pub short_name: String,
    /// Level.
    pub level: UnitLevel,
    /// Kind.
    pub kind: UnitKind,
}

/// One page of units in the caller's sight: what a search meets, what stands directly below a unit,
/// or the topmost ones.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever administers nothing, [`ServiceError::NotFound`] for a
/// unit to look below that is out of sight.
pub async fn list(cx: &Cx, query: &UnitQuery) -> Result<Page<UnitNode>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let sight = Admin::load(&mut rx, cx).await?.sight(cx)?;
    if let Some(parent) = &query.below {
        units::get(&mut rx, &sight, parent).await?.or_not_found()?;
    }
    Ok(units::list(&mut rx, &sight, query).await?)
}

/// One unit with its place in the tree.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
pub async fn get(cx: &Cx, id: &UnitId) -> Result<UnitDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    let sight = Admin::load(&mut rx, cx).await?.sight(cx)?;
    Ok(UnitDetail {
        node: units::get(&mut rx, &sight, id).await?.or_not_found()?,
        path: units::path(&mut rx, &sight, id).await?,
        below: units::children(&mut rx, &sight, id).await?,
        vdcs: vdc::of_unit(&mut rx, id).await?,
    })
}

/// The one unit in the caller's sight that has exactly this name.
///
/// # Errors
/// [`ServiceError::Invalid`] on `field` when there is none or more than one.
pub async fn by_name(cx: &Cx, field: &str, typed: &str) -> Result<UnitNode, ServiceError> {
    let name = text::line(field, typed, 1, 60).map_err(|e| ServiceError::Invalid(vec![e]))?;
    let query = UnitQuery {
        text: name.clone(),
        limit: units::MOST,
        ..UnitQuery::default()
    };
    let mut found = list(cx, &query).await?.rows;
    found.retain(|unit| unit.name == name);
    match (found.pop(), found.is_empty()) {
        (Some(unit), true) => Ok(unit),
        (Some(_), false) => Err(ServiceError::invalid(
            field,
            Msg::new("people.unit_ambiguous"),
        )),
        (None, _) => Err(ServiceError::invalid(
            field,
            Msg::new("people.unit_unknown"),
        )),
    }
}

/// Makes a unit below another, with a virtual data centre of its own.
///
/// # Errors
/// [`ServiceError::NotFound`] for a parent out of sight, [`ServiceError::Forbidden`],
/// [`ServiceError::Invalid`] on `name`, `short_name`, `level`.
pub async fn create(cx: &Cx, new: NewUnit) -> Result<UnitId, ServiceError> {
    create_by(cx, new, "").await
}

/// The same from the form of a page: posted twice, it makes one.
///
/// # Errors
/// As [`create`].
pub async fn create_by(cx: &Cx, new: NewUnit, form_id: &str) -> Result<UnitId, ServiceError> {
    let typed = (&new.parent, &new.name, &new.short_name, new.level, new.kind);
    let cx = form::of(cx, form_id, "unit.create", &typed)?;
    if let Some(made) = form::before(&cx).await? {
        return Ok(made);
    }
    let subject = new
        .parent
        .as_ref()
        .map_or("-".to_owned(), UnitId::to_string);
    let result = create_below(&cx, new).await;
    let result = form::settle(&cx, result).await;
    traced(&cx, result, || Event::new("unit.create", "unit", subject)).await
}

async fn create_below(cx: &Cx, new: NewUnit) -> Result<UnitId, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let id = create_in(&mut tx, cx, &new).await?;
    form::keep(&mut tx, cx, &id).await?;
    tx.commit().await?;
    Ok(id)
}

/// The same inside a transaction that does more.
pub(super) async fn create_in(tx: &mut Tx, cx: &Cx, new: &NewUnit) -> Result<UnitId, ServiceError> {
    let admin = Admin::load(tx, cx).await?;
    let sight = admin.sight(cx)?;
    let parent = match &new.parent {
        Some(id) => Some(units::get(tx, &sight, id).await?.or_not_found()?),
        None => None,
    };
    match (&parent, &admin) {
        (Some(parent), _) => {
            admin
                .require_on(tx, Ability::ManageUnits, &parent.id)
                .await?;
        }
        (None, Admin::System) => {}
        // A second top of the tree is not a person's to make.
        (None, Admin::Person(_)) => return Err(ServiceError::Forbidden),
    }
    let (name, short_name) = names(&new.name, &new.short_name)?;
    if let Some(parent) = &parent {
        if !parent.active {
            return Err(ServiceError::Conflict(Msg::new("people.unit_closed")));
        }
        if new.level < parent.level {
            let msg = Msg::new("people.level_above_parent");
            return Err(ServiceError::invalid("level", msg));
        }
    }
    free(tx, new.parent.as_ref(), &name, None).await?;
    let id = insert(tx, cx, new, &name, &short_name).await?;
    let event = Event::new("unit.create", "unit", &id)
        .of_unit(&id)
        .detail(json!({ "parent": new.parent, "name": name, "level": new.level }));
    audit::record(tx, cx, event).await?;
    Ok(id)
}

async fn insert(
    tx: &mut Tx,
    cx: &Cx,
    new: &NewUnit,
    name: &str,
    short_name: &str,
) -> Result<UnitId, ServiceError> {
    let id: UnitId = cx.id();
    units::insert(
        tx,
        &units::New {
            id: &id,
            parent: new.parent.as_ref(),
            name,
            short_name,
            level: new.level,
            kind: new.kind,
            now: cx.now(),
        },
    )
    .await?;
    let above = match &new.parent {
        Some(parent) => vdc::of_unit(tx, parent).await?.into_iter().next(),
        None => None,
    };
    let above = above.map(|(id, _)| id);
    vdc::create(tx, &cx.id::<VdcId>(), &id, above.as_ref(), name, cx.now()).await?;
    Ok(id)
}

fn names(name: &str, short_name: &str) -> Result<(String, String), ServiceError> {
    let short_name = if short_name.trim().is_empty() {
        name
    } else {
        short_name
    };
    match (
        text::line("name", name, 2, 60),
        text::line("short_name", short_name, 1, 60),
    ) {
        (Ok(name), Ok(short_name)) => Ok((name, short_name)),
        (name, short_name) => Err(ServiceError::Invalid(
            [name.err(), short_name.err()]
                .into_iter()
                .flatten()
                .collect(),
        )),
    }
}

async fn free(
    tx: &mut Tx,
    parent: Option<&UnitId>,
    name: &str,
    but: Option<&UnitId>,
) -> Result<(), ServiceError> {
    if units::name_taken(tx, parent, name, but).await? {
        let msg = Msg::new("people.unit_name_taken");
        return Err(ServiceError::Invalid(vec![FieldError::new("name", msg)]));
    }
    Ok(())
}

/// Renames a unit and its virtual data centre. Papers of earlier days keep the earlier name.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] on `name`
/// and `short_name`, [`ServiceError::Conflict`] when somebody else changed it.
pub async fn rename(
    cx: &Cx,
    id: &UnitId,
    version: i64,
    name: &str,
    short_name: &str,
) -> Result<(), ServiceError> {
    let result = rename_seen(cx, id, version, name, short_name).await;
    traced(cx, result, || Event::new("unit.rename", "unit", id)).await
}

async fn rename_seen(
    cx: &Cx,
    id: &UnitId,
    version: i64,
    name: &str,
    short_name: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let admin = Admin::load(&mut tx, cx).await?;
    let unit = units::get(&mut tx, &admin.sight(cx)?, id)
        .await?
        .or_not_found()?;
    admin.require_on(&mut tx, Ability::ManageUnits, id).await?;
    let (name, short_name) = names(name, short_name)?;
    free(&mut tx, unit.parent.as_ref(), &name, Some(id)).await?;
    units::rename(&mut tx, id, version, &name, &short_name).await?;
    vdc::rename_first(&mut tx, id, &name).await?;
    let event = Event::new("unit.rename", "unit", id)
        .of_unit(id)
        .detail(json!({ "before": unit.name, "after": name }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// Closes a unit, or opens it again. A unit with open units or accounts in it can't be closed.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`].
pub async fn set_active(
    cx: &Cx,
    id: &UnitId,
    version: i64,
    active: bool,
) -> Result<(), ServiceError> {
    let action = if active { "unit.open" } else { "unit.close" };
    let result = set_active_seen(cx, id, version, active, action).await;
    traced(cx, result, || Event::new(action, "unit", id)).await
}

async fn set_active_seen(
    cx: &Cx,
    id: &UnitId,
    version: i64,
    active: bool,
    action: &'static str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let admin = Admin::load(&mut tx, cx).await?;
    let sight = admin.sight(cx)?;
    let unit = units::get(&mut tx, &sight, id).await?.or_not_found()?;
    admin.require_on(&mut tx, Ability::ManageUnits, id).await?;
    if !active && units::active_children(&mut tx, id).await? > 0 {
        return Err(ServiceError::Conflict(Msg::new("people.unit_has_units")));
    }
    if !active && unit.users > 0 {
        let msg = Msg::new("people.unit_has_users").with("n", unit.users);
        return Err(ServiceError::Conflict(msg));
    }
    units::set_active(&mut tx, id, version, active).await?;
    audit::record(&mut tx, cx, Event::new(action, "unit", id).of_unit(id)).await?;
    Ok(tx.commit().await?)
}
