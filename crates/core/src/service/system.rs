//! Application systems of one's own unit.

use lingbao_model::{
    id::{SystemId, UnitId},
    msg::{FieldError, Msg},
    placement::Level,
    text,
    view::{
        page::Page,
        system::{SystemForm, SystemRow, SystemState},
    },
};
use serde_json::json;

use super::{form as forms, refusal::traced};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    storage::{ReadTx, system as systems},
};

/// The unit for which the caller orders: where they work, or the unit of their grant.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing.
pub(super) async fn ordering_unit(
    rx: &mut ReadTx,
    access: &Access,
) -> Result<UnitId, ServiceError> {
    match access.require_on(rx, Ability::Order, &access.unit).await {
        Ok(()) => Ok(access.unit.clone()),
        Err(ServiceError::Forbidden) => access
            .grants
            .iter()
            .find(|g| Ability::Order.roles().contains(&g.role))
            .map(|g| g.unit.clone())
            .ok_or(ServiceError::Forbidden),
        Err(other) => Err(other),
    }
}

/// The systems of the caller's unit, by name, to choose one of: at most [`systems::MOST`].
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing.
pub async fn list(cx: &Cx) -> Result<Vec<SystemRow>, ServiceError> {
    Ok(page(cx, None, systems::MOST).await?.rows)
}

/// One page of them; `after` is [`Page::next`] of the page before.
///
/// # Errors
/// As [`list`].
pub async fn page(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<SystemRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let unit = ordering_unit(&mut rx, &access).await?;
    let scope = access.scope(Ability::ReadResources);
    Ok(systems::of_unit(&mut rx, &scope, &unit, after, limit).await?)
}

/// One system in the caller's reach.
///
/// # Errors
/// [`ServiceError::NotFound`].
pub async fn get(cx: &Cx, id: &SystemId) -> Result<SystemRow, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    systems::get(&mut rx, &scope, id).await?.or_not_found()
}

/// Makes a system in the caller's unit.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::Invalid`] by field of [`SystemForm`].
pub async fn create(cx: &Cx, form: &SystemForm) -> Result<SystemId, ServiceError> {
    create_by(cx, form, "").await
}

/// The same from the form of a page: posted twice, it makes one and gives that one.
///
/// # Errors
/// As [`create`].
pub async fn create_by(
    cx: &Cx,
    form: &SystemForm,
    form_id: &str,
) -> Result<SystemId, ServiceError> {
    let cx = forms::of(cx, form_id, "system.create", form)?;
    if let Some(made) = forms::before(&cx).await? {
        return Ok(made);
    }
    let result = create_once(&cx, form).await;
    let result = forms::settle(&cx, result).await;
    traced(&cx, result, || Event::new("system.create", "system", "-")).await
}

async fn create_once(cx: &Cx, form: &SystemForm) -> Result<SystemId, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let unit = ordering_unit(&mut tx, &access).await?;
    let parsed = parse(form)?;
    free(&mut tx, &unit, &parsed, None).await?;
    let id: SystemId = cx.id();
    systems::insert(&mut tx, &id, &unit, parsed.fields(), cx.now()).await?;
    let event = Event::new("system.create", "system", &id)
        .of_unit(&unit)
        .detail(json!({ "name": parsed.name, "level": parsed.level }));
    audit::record(&mut tx, cx, event).await?;
    forms::keep(&mut tx, cx, &id).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes a system of the caller's unit.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`],
/// [`ServiceError::Conflict`].
pub async fn edit(
    cx: &Cx,
    id: &SystemId,
    version: i64,
    form: &SystemForm,
) -> Result<(), ServiceError> {
    let result = edit_once(cx, id, version, form).await;
    traced(cx, result, || Event::new("system.edit", "system", id)).await
}

async fn edit_once(
    cx: &Cx,
    id: &SystemId,
    version: i64,
    form: &SystemForm,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let before = systems::get(&mut tx, &scope, id).await?.or_not_found()?;
    access
        .require_on(&mut tx, Ability::Order, &before.unit)
        .await?;
    let parsed = parse(form)?;
    free(&mut tx, &before.unit, &parsed, Some(id)).await?;
    if parsed.level < before.level && systems::in_use(&mut tx, id).await? {
        let msg = Msg::new("system.level_down").with("level", before.level.msg());
        return Err(ServiceError::invalid("level", msg));
    }
    systems::update(&mut tx, id, version, parsed.fields()).await?;
    let event = Event::new("system.edit", "system", id)
        .of_unit(&before.unit)
        .detail(json!({
            "before": { "name": before.name, "level": before.level },
            "after": { "name": parsed.name, "level": parsed.level },
        }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

struct Parsed {
    name: String,
    short_name: String,
    level: Level,
    state: SystemState,
    contact_name: String,
    contact_phone: String,
}

impl Parsed {
    fn fields(&self) -> systems::Fields<'_> {
        systems::Fields {
            name: &self.name,
            short_name: &self.short_name,
            level: self.level,
            state: self.state,
            contact_name: &self.contact_name,
            contact_phone: &self.contact_phone,
        }
    }
}

fn parse(form: &SystemForm) -> Result<Parsed, ServiceError> {
    let mut errors = Vec::new();
    let mut keep = |result: Result<String, FieldError>| {
        result.unwrap_or_else(|e| {
            errors.push(e);
            String::new()
        })
    };
    let name = keep(text::line("name", &form.name, 2, 60));
    let short_name = keep(short_name(&form.short_name, &name));
    let contact_name = keep(text::line("contact_name", &form.contact_name, 0, 30));
    let phone = text::half_width(&form.contact_phone);
    let contact_phone = keep(text::line("contact_phone", &phone, 0, 30));
    let level = level(&form.level).map_err(|e| errors.push(e)).ok();
    let state = match form.state.trim() {
        "" => Some(SystemState::Testing),
        typed => typed
            .parse()
            .map_err(|_| errors.push(FieldError::new("state", Msg::new("error.not_in_list"))))
            .ok(),
    };
    match (level, state) {
        (Some(level), Some(state)) if errors.is_empty() => Ok(Parsed {
            name,
            short_name,
            level,
            state,
            contact_name,
            contact_phone,
        }),
        _ => Err(ServiceError::Invalid(errors)),
    }
}

/// Systems of level four and above, and classified ones, stay outside the government cloud.
fn level(typed: &str) -> Result<Level, FieldError> {
    let plain = text::half_width(typed.trim());
    let msg = match plain.as_str() {
        "secret" => Msg::new("system.classified"),
        "" => Msg::new("error.required"),
        other => match (other.parse::<Level>(), other.parse::<i64>()) {
            (Ok(level), _) => return Ok(level),
            (Err(_), Ok(n)) if n >= 4 => Msg::new("system.level_too_high"),
            (Err(_), Ok(1)) => Msg::new("system.level_one"),
            _ => Msg::new("error.not_in_list"),
        },
    };
    Err(FieldError::new("level", msg))
}

/// Part of host names: small letters, digits and hyphens, a letter first, 2 to 16. An empty one is
/// made of the sound of the name.
fn short_name(typed: &str, name: &str) -> Result<String, FieldError> {
    use pinyin::ToPinyin as _;
    let typed = text::half_width(typed.trim()).to_ascii_lowercase();
    let short: String = if typed.is_empty() {
        name.chars()
            .filter_map(|c| match c.to_pinyin() {
                Some(sound) => sound.first_letter().chars().next(),
                None => Some(c.to_ascii_lowercase()),
            })
            .filter(char::is_ascii_alphanumeric)
            .skip_while(char::is_ascii_digit)
            .take(16)
            .collect()
    } else {
        typed
    };
    let fits = (2..=16).contains(&short.len())
        && short.starts_with(|c: char| c.is_ascii_lowercase())
        && short
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !short.ends_with('-');
    if fits {
        Ok(short)
    } else {
        Err(FieldError::new("short_name", Msg::new("system.short_name")))
    }
}

async fn free(
    rx: &mut ReadTx,
    unit: &UnitId,
    parsed: &Parsed,
    but: Option<&SystemId>,
) -> Result<(), ServiceError> {
    let (name, short) = systems::taken(rx, unit, &parsed.name, &parsed.short_name, but).await?;
    let mut errors = Vec::new();
    if name {
        errors.push(FieldError::new("name", Msg::new("system.name_taken")));
    }
    if short {
        let msg = Msg::new("system.short_name_taken");
        errors.push(FieldError::new("short_name", msg));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ServiceError::Invalid(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::request::fixture::City;

    #[test]
    fn what_must_stay_outside_is_refused_with_the_reason() {
        let key = |typed: &str| level(typed).unwrap_err().msg.key;
        assert_eq!(key("4"), "system.level_too_high");
        assert_eq!(key("５"), "system.level_too_high");
        assert_eq!(key("secret"), "system.classified");
        assert_eq!(key(""), "error.required");
        assert_eq!(level("３"), Ok(Level::Three));
    }

    #[test]
    fn a_short_name_is_made_of_the_sound_of_the_name() {
        assert_eq!(short_name("", "经济普查平台"), Ok("jjpcpt".to_owned()));
        assert_eq!(short_name("ＷＥＢ-1", "x"), Ok("web-1".to_owned()));
        assert!(short_name("1web", "x").is_err());
        assert!(short_name("web_1", "x").is_err());
        assert!(short_name("", "！").is_err());
    }

    #[tokio::test]
    async fn a_form_posted_twice_makes_one_system() {
        for city in City::all().await {
            let cx = city.cx(&city.clerk);
            let form = SystemForm {
                name: "人口库".into(),
                level: "３".into(),
                ..SystemForm::default()
            };
            let made = create_by(&cx, &form, "f1").await.unwrap();
            assert_eq!(create_by(&cx, &form, "f1").await.unwrap(), made);
            // From a fresh form the name is taken.
            let again = create_by(&cx, &form, "f2").await;
            assert!(
                matches!(&again, Err(ServiceError::Invalid(f)) if f[0].field == "name"),
                "{again:?}"
            );
            // Sent back to, and with another name: another system.
            let other = SystemForm {
                name: "法人库".into(),
                ..form.clone()
            };
            assert_ne!(create_by(&cx, &other, "f1").await.unwrap(), made);
            let here = list(&cx).await.unwrap();
            assert_eq!(here.iter().filter(|s| s.level == Level::Three).count(), 2);
            // A form that was refused may be mended.
            let wrong = SystemForm {
                name: "药品库".into(),
                level: "4".into(),
                ..SystemForm::default()
            };
            assert!(create_by(&cx, &wrong, "f3").await.is_err());
            let mended = SystemForm {
                level: "2".into(),
                ..wrong
            };
            create_by(&cx, &mended, "f3").await.unwrap();
            let nobody = create_by(&city.cx(&city.office), &form, "f4").await;
            assert!(matches!(nobody, Err(ServiceError::Forbidden)), "{nobody:?}");
        }
    }
}
