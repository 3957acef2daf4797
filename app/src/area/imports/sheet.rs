//! What stands in the clouds and is nobody's, and the sheet with which it is taken in.

use super::{TEMPLATE, WORKBOOK, preview::preview, when};
use crate::{
    error::ApiError,
    facts,
    form::{FormId, use_form},
    i18n, routes, t,
    ui::{Total, *},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::view::{
    difference::ThingKind,
    import::{
        ForeignThing, ImportPreview, ImportStart, MOST_BYTES, MOST_ROWS, MOST_TAKEN, UNDO_DAYS,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a browser proposes to upload; what a file is, is read from what is in it.
const FILES: &str =
    ".xlsx,.csv,.txt,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// What stands in the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    cloud: String,
    thing: String,
    after: String,
}

impl Asked {
    fn link(&self, after: &str) -> String {
        let query = [
            ("cloud", self.cloud.as_str()),
            ("thing", self.thing.as_str()),
            ("after", after),
        ];
        routes::with_query(routes::IMPORT, &query)
    }
}

/// The page's things, and what will come of the typed sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What is nobody's.
    start: ImportStart,
    /// Of the typed sheet, if it can be read; only so many rows of it.
    preview: Option<ImportPreview>,
    /// Rows that are left out.
    more: usize,
    /// How a spreadsheet calls the columns of the typed sheet.
    letters: BTreeMap<String, String>,
}

/// What is nobody's, and what will come of a sheet.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = StartImport, prefix = "/fn", endpoint = "import/start", output = crate::json::Json)]
pub async fn begun(asked: Asked, rows: String) -> Result<Begun, ApiError> {
    use lingbao_core::service::import;
    let cx = crate::ssr::cx()?;
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (cloud, after) = (some(&asked.cloud), some(&asked.after));
    let only = some(&asked.thing)
        .map(|thing| crate::ssr::id(&thing))
        .transpose()?;
    let start = import::start(&cx, cloud.as_deref(), only.as_ref(), after.as_deref(), None).await?;
    let (preview, more, letters) = match super::file::read(&rows) {
        Ok(sheet) => {
            let (preview, more) = ssr::short(import::preview(&cx, &sheet.rows).await?);
            (Some(preview), more, sheet.letters())
        }
        Err(_) => (None, 0, BTreeMap::new()),
    };
    Ok(Begun {
        start,
        preview,
        more,
        letters,
    })
}

/// The page.
#[component]
pub fn Sheet() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            let of = |name: &str| query.get(name).unwrap_or_default();
            Asked {
                cloud: of("cloud"),
                thing: of("thing"),
                after: of("after"),
            }
        })
    });
    let typed = use_form().value("rows").unwrap_or_default().to_owned();
    let begun = Resource::new(
        move || (asked.get(), typed.clone()),
        |(asked, rows)| begun(asked, rows),
    );
    list_of(asked, begun, |begun, asked| {
        view! { <Body begun asked/> }.into_any()
    })
}

#[component]
fn Body(begun: Begun, asked: Asked) -> impl IntoView {
    let Begun {
        start,
        preview: shown,
        more,
        letters,
    } = begun;
    let crumbs = vec![
        (
            t!("nav.operations").to_owned(),
            routes::OPERATIONS.to_owned(),
        ),
        (
            t!("difference.title").to_owned(),
            routes::DIFFERENCES.to_owned(),
        ),
    ];
    let acts = view! {
        <LinkButton href=routes::IMPORT_BATCHES>{t!("import.batches")}</LinkButton>
        <LinkButton href=WORKBOOK icon="down" external=true>{t!("import.template_xlsx")}</LinkButton>
        <LinkButton href=TEMPLATE icon="down" external=true>{t!("import.template_csv")}</LinkButton>
    }
    .into_any();
    let clouds: Vec<Opt> = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(start.clouds.iter().map(|name| (name.clone(), name.clone())))
        .collect();
    let first = (!asked.after.is_empty()).then(|| asked.link(""));
    let next = start.things.next.as_deref().map(|after| asked.link(after));
    let total = match start.things.total {
        lingbao_model::view::page::Total::Exact(n) => Total::Exact(n),
        lingbao_model::view::page::Total::MoreThan(_) => Total::Many,
    };
    let active = !asked.cloud.is_empty() || !asked.thing.is_empty();
    let empty = start.things.rows.is_empty();
    let common = common(&start);
    let chosen = asked.thing.clone();
    let things = things(start.things.rows, &chosen);
    let pick = (!empty).then(|| {
        view! {
            <div class="panel-pad">
                {common}
                <div class="field">
                    <Button name="do" value="pick">{t!("import.pick")}</Button>
                </div>
            </div>
        }
    });
    let shown = shown.map(|shown| preview(shown, more, &letters));
    let rows = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let size = i64::try_from(MOST_BYTES / 1_000).unwrap_or(i64::MAX);
    let hint = t!("import.rows_hint", rows = rows, size = size);
    view! {
        <PageHead title=t!("import.title") crumbs fact=t!("import.fact") acts/>
        <ErrorSummary/>
        <FilterBar action=routes::IMPORT active=active>
            <FilterSelect name="cloud" label=t!("clouds.name") options=clouds value=asked.cloud.clone()/>
        </FilterBar>
        <form method="post" enctype="multipart/form-data" class="gap-6">
            <FormId/>
            <Panel title=t!("import.step_choose") sub=t!("import.step_choose_note")>
                {things}
                <Pager total nostrip:first=first nostrip:next=next/>
                {pick}
            </Panel>
            <Panel title=t!("import.step_sheet") sub=t!("import.step_sheet_note") pad=true>
                <Field name="rows" label=t!("import.rows") hint=hint>
                    <TextArea rows=10/>
                </Field>
                <Field name="file" label=t!("import.file") hint=t!("import.file_hint") optional=true>
                    <input class="input" type="file" id=field_id("file") name="file" accept=FILES/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Main name="do" value="preview">{t!("import.preview")}</Button>
                </div>
                <p class="sub">{t!("import.undo_note", days = UNDO_DAYS, most = MOST_TAKEN)}</p>
            </Panel>
            {shown}
        </form>
    }
}

/// What the chosen things have in common.
fn common(start: &ImportStart) -> impl IntoView + use<> {
    let none = || (String::new(), t!("import.in_the_sheet").to_owned());
    let systems: Vec<Opt> = std::iter::once(none())
        .chain(start.systems.iter().map(|system| {
            let text = format!("{} · {}", system.unit_name, system.name);
            (system.id.to_string(), text)
        }))
        .collect();
    let cells: Vec<Opt> =
        std::iter::once((String::new(), t!("import.as_the_cloud_says").to_owned()))
            .chain(start.places.iter().map(|place| {
                let level = i18n::msg(&place.level.msg());
                let text = t!(
                    "import.cell_of",
                    zone = i18n::label(&place.zone),
                    level = level,
                    pool = i18n::label(&place.pool)
                );
                (place.cell.clone(), text)
            }))
            .collect();
    let items: Vec<Opt> = std::iter::once((String::new(), t!("import.item_by_kind").to_owned()))
        .chain(start.items.iter().map(|(code, name)| {
            let text = format!("{} {code}", i18n::label(name));
            (code.clone(), text)
        }))
        .collect();
    view! {
        <Field name="system" label=t!("import.unit_and_system")>
            <Select options=systems width=Width::L/>
        </Field>
        <Field name="cell" label=t!("import.cell")>
            <Select options=cells width=Width::L/>
        </Field>
        <Field name="item" label=t!("import.column.item")>
            <Select options=items width=Width::L/>
        </Field>
        <Field name="expires" label=t!("import.column.expires") hint=t!("import.expires_hint") optional=true>
            <TextInput kind="date" width=Width::S/>
        </Field>
    }
}

fn things(rows: Vec<ForeignThing>, chosen: &str) -> AnyView {
    if rows.is_empty() {
        return view! { <Empty icon="tick" title=t!("import.none") note=t!("import.none_note")/> }
            .into_any();
    }
    let columns = vec![
        col(t!("clouds.thing")),
        col(t!("import.size")),
        col(t!("import.address")),
        col(t!("import.project")),
        col(t!("clouds.first_seen")),
        col(t!("resources.state")).class("corner"),
    ];
    let rows = rows
        .into_iter()
        .map(|thing| thing_row(thing, chosen))
        .collect_view();
    view! { <Table caption=t!("import.step_choose") columns flat=true>{rows}</Table> }.into_any()
}

/// How large it is, and on what it hangs.
fn size(thing: &ForeignThing) -> (String, Option<String>) {
    let disk = match thing.disk_gb {
        0 => "—".to_owned(),
        n => t!("quantity.gb", n = n),
    };
    let size = match thing.thing {
        ThingKind::Volume => match &thing.class {
            Some(class) => format!("{disk} · {class}"),
            None => disk,
        },
        ThingKind::Address => match thing.mbps {
            0 => "—".to_owned(),
            n => t!("quantity.mbps", n = n),
        },
        _ => t!(
            "import.size_of",
            cores = t!("quantity.core", n = thing.vcpus),
            memory = thing.memory_gb,
            disk = disk
        ),
    };
    let host = thing.hangs_on.clone();
    (size, host.map(|host| t!("import.hangs_on", host = host)))
}

/// What it does.
fn state(thing: &ForeignThing) -> AnyView {
    let words = match thing.thing {
        ThingKind::Address => return ().into_any(),
        ThingKind::Volume => "state",
        _ => "power",
    };
    let text = i18n::t_key(&format!("difference.{words}.{}", thing.state)).into_owned();
    let look = match thing.state.as_str() {
        "running" | "ready" => Look::Ok,
        "stopped" => Look::Pause,
        "error" => Look::Bad,
        _ => Look::Wait,
    };
    view! { <Chip look text/> }.into_any()
}

fn thing_row(thing: ForeignThing, chosen: &str) -> impl IntoView + use<> {
    let id = thing.id.to_string();
    let checked = id == chosen;
    let href = routes::difference(&id);
    let sub = format!("{} · {}", thing.backend, thing.external_id);
    let noted = (!thing.note.is_empty()).then(|| {
        let text = t!("difference.noted", note = thing.note.clone());
        view! { <span class="sub">{text}</span> }
    });
    let state = state(&thing);
    let (size, host) = size(&thing);
    let host = host.map(|text| view! { <span class="sub">{text}</span> });
    let owner = match &thing.owner {
        Some(unit) => t!("import.project_of", unit = unit.clone()),
        None => t!("import.project_free").to_owned(),
    };
    let pool =
        (!thing.pool.is_empty()).then(|| view! { <span class="sub">{thing.pool.clone()}</span> });
    // Many disks have no name.
    let name = match thing.name.trim() {
        "" => thing.external_id.clone(),
        name => name.to_owned(),
    };
    view! {
        <Row>
            <Cell l=t!("clouds.thing")>
                <Check name="thing" value=id checked=checked>{name}</Check>
                <a class="sub" href=href>{sub}</a>
                {noted}
            </Cell>
            <Cell l=t!("import.size")>{size} {host}</Cell>
            <Cell l=t!("import.address")>{thing.address.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("import.project")>
                <span class="mono">{thing.project}</span>
                <span class="sub">{owner}</span>
                {pool}
            </Cell>
            <Cell l=t!("clouds.first_seen")>{when(thing.first_seen)}</Cell>
            <Cell l=t!("resources.state") class="corner">{state}</Cell>
        </Row>
    }
}

/// A sum of money a month.
pub fn money(month: lingbao_model::money::Money) -> String {
    facts::charge(month, lingbao_model::money::Money::ZERO)
}

/// The posts of the page.
pub mod ssr {
    use super::super::file;
    use crate::{
        error::ApiError,
        form::{
            FORM_ID,
            ssr::{Done, Posted, Refused, lang_of},
        },
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::{
        Cx,
        service::import::{self, Wish},
    };
    use lingbao_model::{
        id::DifferenceId,
        msg::{FieldError, Msg},
        placement::Placement,
        view::import::{ImportPreview, ImportRow, MOST_TAKEN},
    };
    use std::collections::BTreeMap;

    /// So many rows that can't be taken in are shown.
    const MOST_BAD: usize = 200;

    /// As much of a preview as a page shows, and how many rows are left out.
    pub fn short(mut preview: ImportPreview) -> (ImportPreview, usize) {
        let (mut good, mut bad, all) = (0, 0, preview.lines.len());
        preview.lines.retain(|line| {
            let (n, most) = if line.errors.is_empty() {
                (&mut good, MOST_TAKEN)
            } else {
                (&mut bad, MOST_BAD)
            };
            *n += 1;
            *n <= most
        });
        let more = all - preview.lines.len();
        (preview, more)
    }

    /// The sheet: what was typed, or the file instead, of which a workbook becomes text too.
    async fn typed(cx: &Cx, form: &Posted) -> Result<String, Refused> {
        let Some(bytes) = form.file("file") else {
            return Ok(form.value("rows").to_owned());
        };
        match import::workbook(cx, bytes).await? {
            Some(text) => Ok(text),
            None => Ok(file::decode(bytes)?),
        }
    }

    /// The page again with a sheet, and what will come of it; all that can be taken in is ticked.
    async fn shown(cx: &Cx, text: String) -> Result<Refused, Refused> {
        let sheet = file::read(&text);
        let mut values = vec![("rows".to_owned(), text)];
        let sheet = match sheet {
            Ok(sheet) => sheet,
            // What was in the file is not lost: it stands in the sheet now, with what is wrong.
            Err(error) => return Ok(Refused::Amended(values, vec![error])),
        };
        let (preview, _) = short(import::preview(cx, &sheet.rows).await?);
        for line in preview.lines.iter().filter(|line| line.errors.is_empty()) {
            if let Some(plan) = &line.plan {
                let tick = line.row.tick(plan.month, &plan.external_id);
                values.push(("take".to_owned(), tick));
            }
        }
        Ok(Refused::Amended(values, Vec::new()))
    }

    fn cell(text: &str) -> Option<Placement> {
        let mut parts = text.split('/');
        Some(Placement {
            zone: parts.next()?.parse().ok()?,
            level: parts.next()?.parse().ok()?,
            pool: parts.next()?.parse().ok()?,
        })
    }

    async fn picked(cx: &Cx, form: &Posted) -> Result<String, Refused> {
        let things: Vec<DifferenceId> =
            form.all("thing").map(id).collect::<Result<_, ApiError>>()?;
        if things.is_empty() {
            return Err(FieldError::new("thing", Msg::new("import.nothing")).into());
        }
        let text = typed(cx, form).await?;
        let before = if text.trim().is_empty() {
            Vec::new()
        } else {
            file::read(&text)?.rows
        };
        let wish = Wish {
            system: form.value("system").parse().ok(),
            cell: cell(form.value("cell")),
            item: form.value("item").to_owned(),
            expires: form.value("expires").to_owned(),
        };
        let rows = import::propose(cx, &things, &wish).await?;
        Ok(file::joined(lang_of(&form.parts), before, rows))
    }

    /// The ticked rows, each with the price that was shown beside it; they must be what the preview
    /// showed.
    fn chosen(form: &Posted) -> Result<Vec<ImportRow>, FieldError> {
        let changed = || FieldError::new("rows", Msg::new("import.sheet_changed"));
        let mut ticked: BTreeMap<i64, &str> = BTreeMap::new();
        for tick in form.all("take") {
            let line = tick.split(':').next().and_then(|line| line.parse().ok());
            ticked.insert(line.ok_or_else(changed)?, tick);
        }
        let mut rows = Vec::with_capacity(ticked.len());
        for row in file::read(form.value("rows"))?.rows {
            if let Some(tick) = ticked.remove(&row.line) {
                rows.push(row.ticked(tick).ok_or_else(changed)?);
            }
        }
        if ticked.is_empty() {
            Ok(rows)
        } else {
            Err(changed())
        }
    }

    /// Fills the sheet, shows what will come of it, or takes in.
    ///
    /// # Errors
    /// The page again, with what was typed.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        match form.value("do") {
            "pick" => {
                let text = picked(&cx, &form).await?;
                Err(shown(&cx, text).await?)
            }
            "preview" => {
                let text = typed(&cx, &form).await?;
                Err(shown(&cx, text).await?)
            }
            "take" => {
                let rows = chosen(&form)?;
                let done = import::take(&cx, &rows, form.value(FORM_ID)).await?;
                let said = if done.again {
                    Msg::new("import.again")
                } else {
                    Msg::new("import.taken").with("n", done.count)
                };
                Ok(Done::to(routes::import_batch(done.batch.as_str())).say(said))
            }
            _ => Err(ApiError::not_found().into()),
        }
    }
}
