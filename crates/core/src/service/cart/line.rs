//! Reading a typed line: parameters by the schema, place, count, term, name, attachment, price.

use std::collections::BTreeSet;

use lingbao_model::{
    catalogue::{Fulfiller, Offer},
    id::RequestItemId,
    makes,
    msg::{FieldError, Msg},
    param::{Answer, Answers, Choice, Kind as ParamKind, Schema},
    placement::{Level, Placement, legal},
    request::{Line, MAX_TERM_MONTHS, check_attachments, read_term},
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
    let count = keep(offer.content.read_count(&form.count), 1);
    let term_months = keep(read_term(&form.term_months), MAX_TERM_MONTHS);
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

/// Leaves out what no open pool makes: architectures, images and disk classes, and cores and memory
/// below and beyond its sizes. What a line has that is there already stays (`own`): the verdict says
/// what is wrong with it. Where all would go none goes, for the same reason.
pub fn leave_out(offer: &mut Offer, around: &Surroundings, own: Option<&Answers>) {
    let mut pools = Vec::new();
    for pool in around.pools.iter().filter(|pool| pool.open) {
        // Of a pool of which nothing was told nothing is known.
        let Some(there) = around.makes_in(&pool.id) else {
            return;
        };
        pools.push(there);
    }
    let schema = &mut offer.content.schema;
    let text = |key: &str| own.and_then(|own| own.text(key));
    match offer.content.fulfiller {
        Fulfiller::Server => {
            let has_arch = |code: &str| pools.iter().any(|it| it.hosts_of(code).is_some());
            leave_out_options(schema, "arch", has_arch, text("arch"));
            let has_image = |code: &str| pools.iter().any(|it| it.has_image(code));
            leave_out_options(schema, "image", has_image, text("image"));
            if let Some(sizes) = makes::sizes(pools.iter().copied()) {
                narrow(schema, &sizes, own);
            }
        }
        Fulfiller::Volume => {
            let has = |code: &str| pools.iter().any(|it| it.has_class(code));
            leave_out_options(schema, "disk_class", has, text("disk_class"));
        }
        Fulfiller::Address | Fulfiller::Backup | Fulfiller::People => {}
    }
}

fn kind_of<'a>(schema: &'a mut Schema, key: &str) -> Option<&'a mut ParamKind> {
    let mut params = schema.0.iter_mut();
    params.find(|it| it.key == key).map(|it| &mut it.kind)
}

fn leave_out_options(
    schema: &mut Schema,
    key: &str,
    there: impl Fn(&str) -> bool,
    own: Option<&str>,
) {
    let Some(ParamKind::Choice { options, default }) = kind_of(schema, key) else {
        return;
    };
    let has = |it: &Choice| there(&it.value);
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

/// Cores and memory begin and end where the sizes do, and a fresh form proposes one of them: the first
/// that is no smaller than what the item proposes.
fn narrow(schema: &mut Schema, sizes: &BTreeSet<(i64, i64)>, own: Option<&Answers>) {
    let (Some(cores), Some(memory)) = (steps(schema, "vcpus"), steps(schema, "memory_gb")) else {
        return;
    };
    let fits = |(vcpus, gb): &&(i64, i64)| cores.has(*vcpus) && memory.has(*gb);
    let sizes: Vec<(i64, i64)> = sizes.iter().filter(fits).copied().collect();
    let enough = |(vcpus, gb): &&(i64, i64)| *vcpus >= cores.default && *gb >= memory.default;
    let proposed = (cores.default, memory.default);
    let proposed = sizes.iter().find(|size| **size == proposed);
    let proposed = proposed.or_else(|| sizes.iter().find(enough));
    let Some(&(vcpus, gb)) = proposed.or(sizes.last()) else {
        return;
    };
    let own = |key: &str, steps: Steps| {
        let own = own.and_then(|own| own.integer(key));
        own.filter(|n| steps.has(*n))
    };
    let all = sizes.iter().map(|size| size.0).chain(own("vcpus", cores));
    bound(schema, "vcpus", all, vcpus);
    let all = sizes
        .iter()
        .map(|size| size.1)
        .chain(own("memory_gb", memory));
    bound(schema, "memory_gb", all, gb);
}

/// The numbers that an item lets people type.
#[derive(Clone, Copy)]
struct Steps {
    min: i64,
    max: i64,
    step: i64,
    default: i64,
}

impl Steps {
    const fn has(self, n: i64) -> bool {
        n >= self.min && n <= self.max && (n - self.min) % self.step == 0
    }
}

fn steps(schema: &mut Schema, key: &str) -> Option<Steps> {
    match kind_of(schema, key)? {
        ParamKind::Integer {
            min,
            max,
            step,
            default,
            ..
        } if *step > 0 => Some(Steps {
            min: *min,
            max: *max,
            step: *step,
            default: *default,
        }),
        _ => None,
    }
}

fn bound(schema: &mut Schema, key: &str, all: impl Iterator<Item = i64>, proposed: i64) {
    let Some(ParamKind::Integer {
        min, max, default, ..
    }) = kind_of(schema, key)
    else {
        return;
    };
    let (mut first, mut last) = (proposed, proposed);
    for n in all {
        first = first.min(n);
        last = last.max(n);
    }
    (*min, *max, *default) = (first, last, proposed);
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
