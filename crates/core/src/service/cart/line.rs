//! Reading a typed line: parameters by the schema, place, count, term, name, attachment, price.

use std::collections::BTreeSet;

use lingbao_model::{
    catalogue::{Fulfiller, Offer},
    id::RequestItemId,
    msg::{FieldError, Msg},
    param::{Answer, Answers, Choice, Kind as ParamKind},
    placement::{Level, Placement, legal},
    request::{Line, MAX_TERM_MONTHS, check_attachments},
    text,
    verdict::Surroundings,
    view::request::{LineForm, Target},
};

/// Where a line will stand.
pub struct Place<'a> {
    /// Its id.
    pub id: RequestItemId,
    /// Its position.
    pub position: i64,
    /// The other lines of the cart.
    pub others: &'a [Line],
    /// Zones and pools.
    pub around: &'a Surroundings,
}

/// Reads a line. What could be read comes back in any case, with every field that is wrong.
pub fn read(offer: &Offer, form: &LineForm, place: Place<'_>) -> (Line, Vec<FieldError>) {
    let (answers, mut errors) = match offer.content.schema.read(&form.typed) {
        Ok(answers) => (answers, Vec::new()),
        Err(both) => both,
    };
    let mut keep = |result: Result<i64, FieldError>, otherwise: i64| {
        result.unwrap_or_else(|e| {
            errors.push(e);
            otherwise
        })
    };
    let count = keep(number("count", &form.count, 1, offer.content.max_count), 1);
    let term = number("term_months", &form.term_months, 12, MAX_TERM_MONTHS);
    let term_months = keep(term, MAX_TERM_MONTHS);
    let name = name(offer, form, &place).unwrap_or_else(|e| {
        errors.push(e);
        String::new()
    });
    let placement = placement(offer, form, place.around).unwrap_or_else(|e| {
        errors.push(e);
        None
    });
    let attach_to = attach_to(offer, &answers, place.others).unwrap_or_else(|e| {
        errors.push(e);
        None
    });
    let line = Line {
        id: place.id,
        position: place.position,
        version: offer.version_id.clone(),
        code: offer.code.clone(),
        kind: offer.content.fulfiller,
        item_name: offer.content.name.clone(),
        quote: offer.price.quote(&answers, count),
        price_version: offer.price_version,
        name,
        placement,
        answers,
        count,
        term_months,
        attach_to,
    };
    errors.extend(attachment(offer, &line, place.others));
    (line, errors)
}

fn number(field: &str, typed: &str, empty: i64, max: i64) -> Result<i64, FieldError> {
    if typed.trim().is_empty() {
        return Ok(empty.min(max));
    }
    let wrong = |msg| Err(FieldError::new(field, msg));
    match text::parse_integer(typed) {
        None => wrong(Msg::new("error.not_a_number")),
        Some(n) if n < 1 => wrong(Msg::new("error.too_small").with("min", 1_i64)),
        Some(n) if n > max => wrong(Msg::new("error.too_large").with("max", max)),
        Some(n) => Ok(n),
    }
}

/// Servers are named after the line, so its name must do as a host name; other things take any.
fn name(offer: &Offer, form: &LineForm, place: &Place<'_>) -> Result<String, FieldError> {
    let typed = form.name.trim();
    if typed.is_empty() {
        let code = offer.code.to_ascii_lowercase();
        return Ok(format!("{code}-{}", place.position));
    }
    if offer.content.fulfiller != Fulfiller::Server {
        return text::line("name", typed, 1, 40);
    }
    text::hostname("name", typed)
}

fn placement(
    offer: &Offer,
    form: &LineForm,
    around: &Surroundings,
) -> Result<Option<Placement>, FieldError> {
    if !offer.content.placed {
        return Ok(None);
    }
    let wrong = |msg| FieldError::new("cell", msg);
    let mut parts = form.cell.trim().split('/');
    let (zone, level, pool) = match (parts.next(), parts.next(), parts.next()) {
        (Some(zone), Some(level), Some(pool)) => (zone, level, pool),
        _ => (form.zone.trim(), form.level.trim(), form.pool.trim()),
    };
    if zone.is_empty() && pool.is_empty() {
        return Err(wrong(Msg::new("error.required")));
    }
    let unknown = || wrong(Msg::new("placement.unknown"));
    let placement = Placement {
        zone: zone.parse().map_err(|_| unknown())?,
        level: level.parse::<Level>().map_err(|_| unknown())?,
        pool: pool.parse().map_err(|_| unknown())?,
    };
    legal(&around.zones, &around.pools, &placement).map_err(wrong)?;
    Ok(Some(placement))
}

fn attach_to(
    offer: &Offer,
    answers: &Answers,
    others: &[Line],
) -> Result<Option<RequestItemId>, FieldError> {
    let Some(param) = offer.content.attach_param() else {
        return Ok(None);
    };
    let Some(Answer::Text(typed)) = answers.0.get(&param.key) else {
        return Ok(None);
    };
    others
        .iter()
        .find(|l| l.id.as_str() == typed)
        .map(|l| Some(l.id.clone()))
        .ok_or_else(|| FieldError::new(param.key.clone(), Msg::new("attach.choose")))
}

/// Whether a line may attach where it wants to; told under the parameter's own field.
fn attachment(offer: &Offer, line: &Line, others: &[Line]) -> Vec<FieldError> {
    let Some(param) = offer.content.attach_param() else {
        return Vec::new();
    };
    let ParamKind::Attach { items } = &param.kind else {
        return Vec::new();
    };
    let mut all: Vec<Line> = others.to_vec();
    all.push(line.clone());
    let none: &[String] = &[];
    let accepts = |l: &Line| {
        if l.id == line.id {
            items.as_slice()
        } else {
            none
        }
    };
    // What the others attach to is judged with the whole cart.
    let mine = format!("lines[{}].", all.len() - 1);
    check_attachments(&all, accepts)
        .err()
        .unwrap_or_default()
        .into_iter()
        .filter(|e| e.field.starts_with(&mine))
        .map(|e| FieldError::new(param.key.clone(), e.msg))
        .collect()
}

/// The form of a line that is there already.
#[must_use]
pub fn form_of(line: &Line) -> LineForm {
    let place = line.placement.as_ref();
    LineForm {
        item: line.code.clone(),
        name: line.name.clone(),
        cell: place.map_or_else(String::new, |p| {
            format!("{}/{}/{}", p.zone, p.level, p.pool)
        }),
        zone: place.map(|p| p.zone.to_string()).unwrap_or_default(),
        level: place.map(|p| p.level.to_string()).unwrap_or_default(),
        pool: place.map(|p| p.pool.to_string()).unwrap_or_default(),
        count: line.count.to_string(),
        term_months: line.term_months.to_string(),
        typed: line
            .answers
            .0
            .iter()
            .map(|(key, answer)| (key.clone(), answer.typed()))
            .collect(),
    }
}

/// Leaves out the images that the cloud of no open pool has. The one of a line that is there already
/// stays: the verdict says what is wrong with it. Where all would go none goes, for the same reason.
pub fn leave_out_images(offer: &mut Offer, around: &Surroundings, own: Option<&str>) {
    if offer.content.fulfiller != Fulfiller::Server {
        return;
    }
    let mut there = BTreeSet::new();
    for pool in around.pools.iter().filter(|pool| pool.open) {
        // Of a cloud that never told any nothing is known.
        let Some(images) = around.images.get(&pool.backend) else {
            return;
        };
        there.extend(images.iter().map(String::as_str));
    }
    let mut params = offer.content.schema.0.iter_mut();
    let image = params.find(|param| param.key == "image");
    let Some(ParamKind::Choice { options, default }) = image.map(|param| &mut param.kind) else {
        return;
    };
    let has = |it: &Choice| there.contains(it.value.as_str());
    if !options.iter().any(has) {
        return;
    }
    options.retain(|it| has(it) || own == Some(it.value.as_str()));
    if !options.iter().any(|it| it.value == *default)
        && let Some(first) = options.first()
    {
        default.clone_from(&first.value);
    }
}

/// The form of a fresh line: the schema's defaults, on the cart's first place.
#[must_use]
pub fn fresh(offer: &Offer, others: &[Line]) -> LineForm {
    let defaults = offer.content.schema.defaults();
    let place = others.iter().find_map(|l| l.placement.as_ref());
    LineForm {
        item: offer.code.clone(),
        cell: place
            .filter(|_| offer.content.placed)
            .map_or_else(String::new, |p| {
                format!("{}/{}/{}", p.zone, p.level, p.pool)
            }),
        count: "1".to_owned(),
        term_months: MAX_TERM_MONTHS.to_string(),
        typed: defaults
            .0
            .iter()
            .map(|(key, answer)| (key.clone(), answer.typed()))
            .collect(),
        ..LineForm::default()
    }
}

/// The lines to which an item may attach.
#[must_use]
pub fn targets(offer: &Offer, others: &[Line]) -> Vec<Target> {
    let Some(ParamKind::Attach { items }) = offer.content.attach_param().map(|p| &p.kind) else {
        return Vec::new();
    };
    others
        .iter()
        .filter(|l| items.contains(&l.code))
        .map(|l| Target {
            line: l.id.clone(),
            position: l.position,
            name: l.name.clone(),
            count: l.count,
            pool: l.placement.as_ref().map(|p| p.pool.clone()),
        })
        .collect()
}
