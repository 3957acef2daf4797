//! What becomes of a line as it is typed: by the model's own code, on the server and in the browser.

use lingbao_model::{
    id::RequestItemId,
    msg::{FieldError, Label, Msg},
    param::{Answers, Schema, Typed},
    placement::{Level, Placement},
    quota::Consumption,
    request::{Line, MAX_TERM_MONTHS, read_term},
    verdict::{self, Verdict},
    view::request::ConfigureView,
};

/// The cell of the line that is changed, or the first legal one for the level of the cart's system.
pub fn first_cell(view: &ConfigureView) -> String {
    if !view.form.cell.is_empty() {
        return view.form.cell.clone();
    }
    let wanted = level(view);
    let cells = cells(view);
    let legal = |c: &&(Placement, Label, Option<Msg>)| c.2.is_none();
    cells
        .iter()
        .filter(legal)
        .find(|c| wanted.is_none_or(|level| c.0.level == level))
        .or_else(|| cells.iter().find(legal))
        .map(|c| c.0.to_string())
        .unwrap_or_default()
}

/// The level of the cart's system.
fn level(view: &ConfigureView) -> Option<Level> {
    let system = view.system.as_ref()?;
    let found = view.systems.iter().find(|s| s.id == *system)?;
    Some(found.level)
}

/// Every cell of zone × level × pool whose pool stands in the zone: the pool's name, and why it is
/// closed; also those that are too low for the cart's system.
pub fn cells(view: &ConfigureView) -> Vec<(Placement, Label, Option<Msg>)> {
    let mut cells = Vec::new();
    let least = level(view).unwrap_or(Level::Two);
    let too_low = || Msg::new("placement.level_too_low").with("level", least.msg());
    for zone in &view.surroundings.zones {
        for level in Level::ALL {
            for pool in view.surroundings.pools.iter().filter(|p| p.zone == zone.id) {
                let cell = Placement {
                    zone: zone.id.clone(),
                    level: *level,
                    pool: pool.id.clone(),
                };
                let closed = pool.accepts(zone, *level).err();
                let why = closed.or_else(|| (*level < least).then(too_low));
                cells.push((cell, pool.name.clone(), why));
            }
        }
    }
    cells
}

/// The answers as far as they can be read, and what is wrong.
pub fn read(schema: &Schema, typed: &Typed) -> (Answers, Vec<FieldError>) {
    match schema.read(typed) {
        Ok(answers) => (answers, Vec::new()),
        Err(both) => both,
    }
}

/// The line as it is typed, as far as it can be read, with every field that is wrong.
fn line_of(view: &ConfigureView, typed: &Typed) -> (Line, Vec<FieldError>) {
    let (answers, mut wrong) = read(&view.offer.content.schema, typed);
    let mut keep = |result: Result<i64, FieldError>, otherwise: i64| {
        result.unwrap_or_else(|e| {
            wrong.push(e);
            otherwise
        })
    };
    let of = |key: &str| typed.get(key).map_or("", String::as_str);
    let count = keep(view.offer.content.read_count(of("count")), 1);
    let term_months = keep(read_term(of("term_months")), MAX_TERM_MONTHS);
    let placement = view.offer.content.placed.then(|| {
        let cell = typed.get("cell").map_or("", String::as_str);
        cells(view)
            .into_iter()
            .map(|c| c.0)
            .find(|c| c.to_string() == cell)
    });
    let quote = view.offer.price.quote(&answers, count);
    let line = Line {
        id: view.line.clone().unwrap_or_else(preview_id),
        position: i64::try_from(view.others.len()).unwrap_or(0) + 1,
        version: view.offer.version_id.clone(),
        code: view.offer.code.clone(),
        kind: view.offer.content.fulfiller,
        item_name: view.offer.content.name.clone(),
        name: typed.get("name").cloned().unwrap_or_default(),
        placement: placement.flatten(),
        answers,
        count,
        term_months,
        attach_to: None,
        price_version: view.offer.price_version,
        quote,
    };
    (line, wrong)
}

/// The id of a line that is not in the cart yet; the server gives it a real one.
fn preview_id() -> RequestItemId {
    use lingbao_model::{
        id::{Id, SiteCode},
        time::Timestamp,
    };
    // The default site code is valid by construction.
    RequestItemId::generate(&SiteCode::default(), Timestamp::default(), 0)
}

/// The line, what becomes of it, and what is not filled in yet.
pub fn judge(view: &ConfigureView, typed: &Typed) -> (Line, Verdict, Option<Msg>) {
    let (line, wrong) = line_of(view, typed);
    let mut lines: Vec<Line> = view.others.iter().map(|o| o.0.clone()).collect();
    let own = lines.len();
    lines.push(line.clone());
    let rules: Vec<Consumption> = view
        .others
        .iter()
        .map(|o| o.1.clone())
        .chain([view.offer.content.consumption.clone()])
        .collect();
    let at = |l: &Line| lines.iter().position(|o| std::ptr::eq(o, l));
    let consumption = |l: &Line| at(l).or(Some(own)).and_then(|i| rules.get(i).cloned());
    let verdict = verdict::judge(
        &lines,
        consumption,
        &view.surroundings,
        view.with_quota_change,
    );
    let missing = (!wrong.is_empty()).then(|| {
        let n = i64::try_from(wrong.len()).unwrap_or(0);
        Msg::new("order.wrong").with("n", n)
    });
    (line, verdict, missing)
}
