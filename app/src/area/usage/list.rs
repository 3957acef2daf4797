//! The hosts with what they use, and the same list as a file.

use super::{
    host::size,
    words::{definitions, fact, known, nothing, pair, share, state, tabs, trouble, word},
};
use crate::{asked, error::ApiError, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    money::grouped_signed,
    quota::PoolDimension,
    usage::Load,
    view::{
        overview::of_all,
        resource::Act,
        usage::{UsageRow, UsageView},
    },
};

/// Path of the file.
pub const CSV: &str = "/usage.csv";

asked!(q, load, unit, sort, after);

/// One page of the hosts in the reader's sight.
///
/// # Errors
/// `Forbidden` for roles without resources; `NotFound` for a unit that is none.
#[server(name = GetUsage, prefix = "/fn", endpoint = "usage/hosts", output = crate::json::Json)]
pub async fn hosts(asked: Asked) -> Result<UsageView, ApiError> {
    Ok(lingbao_core::service::usage::list(&crate::ssr::cx()?, &ssr::filter(asked)?).await?)
}

/// The page.
#[component]
pub fn Hosts() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let version = live::version("usage");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| hosts(asked),
    );
    list_of(asked, list, |view, asked| {
        view! { <List view asked/> }.into_any()
    })
}

#[component]
fn List(view: UsageView, asked: Asked) -> impl IntoView {
    let rates = rates(&view);
    let UsageView { head, page, .. } = view;
    let empty = nothing(&head);
    let file = asked.link(CSV, "");
    let acts = (empty.is_none() && !page.rows.is_empty()).then(|| {
        view! { <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton> }.into_any()
    });
    let of_unit = (!asked.unit.is_empty()).then(|| {
        let name = page.rows.first().map(|row| row.unit_name.clone());
        view! {
            <p class="sub">
                {t!("usage.of_unit", name = name.unwrap_or_default())} " " <a href=routes::USAGE>{t!("ui.clear")}</a>
            </p>
        }
    });
    let body = empty.unwrap_or_else(|| {
        let first = (!asked.after.is_empty()).then(|| asked.link(routes::USAGE, ""));
        let next = page
            .next
            .as_deref()
            .map(|after| asked.link(routes::USAGE, after));
        let active = asked.active();
        let unit = asked.unit.clone();
        let sort = asked.sort.clone();
        let list = match (page.rows.is_empty(), active) {
            (true, true) => view! {
                <Empty icon="search" title=t!("usage.none_found") note=t!("resources.none_found_note")/>
            }
            .into_any(),
            (true, false) => {
                view! { <Empty icon="host" title=t!("resources.none") note=t!("resources.none_note")/> }.into_any()
            }
            _ => view! { <Rows rows=page.rows asked=asked.clone()/> }.into_any(),
        };
        view! {
            {of_unit}
            <TableBox>
                <FilterBar action=routes::USAGE active=active>
                    <Find label=t!("resources.find") placeholder=t!("resources.find_hint") value=asked.q.clone()/>
                    {(!unit.is_empty()).then(|| view! { <input type="hidden" name="unit" value=unit/> })}
                    {(!sort.is_empty()).then(|| view! { <input type="hidden" name="sort" value=sort/> })}
                    <FilterSelect name="load" label=t!("resources.state") options=loads() value=asked.load.clone()/>
                </FilterBar>
                {list}
                <Pager total=page.total nostrip:first=first nostrip:next=next/>
            </TableBox>
        }
        .into_any()
    });
    view! {
        <PageHead title=t!("usage.title") fact=fact(&head) nostrip:acts=acts/>
        {tabs(false)}
        {trouble(&head)}
        {rates}
        {body}
        {definitions()}
    }
}

fn loads() -> Vec<Opt> {
    std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            Load::ALL
                .iter()
                .map(|load| (load.to_string(), word("usage.load", load.as_str()))),
        )
        .collect()
}

/// Both rates side by side, and what is idle or busy.
fn rates(view: &UsageView) -> AnyView {
    let counts = view.counts;
    // What the pools can give, for those who see the whole site; what the quota permits, for the others.
    let allocation = if view.pools.is_empty() {
        view.allocation.map(|all| (all.cores, all.cores_limit))
    } else {
        Some(of_all(&view.pools, PoolDimension::Vcpu))
    };
    let allocation = allocation.map(|(part, whole)| {
        let note = t!(
            "overview.rate_claim",
            allocated = grouped_signed(part),
            total = grouped_signed(whole)
        )
        .into_any();
        view! { <Tile label=t!("usage.allocation_cores") value=share(part, whole) note=note/> }
    });
    let measured = (view.head.configured && view.head.until.is_some()).then(|| {
        let note = |text: String| text.into_any();
        let of = t!(
            "usage.measured",
            n = grouped_signed(counts.measured),
            all = grouped_signed(counts.hosts)
        );
        let memory = t!("usage.memory_rate", rate = known(counts.memory()));
        let stake = t!("difference.at_stake", n = counts.idle_month.yuan());
        let link = |load: Load| routes::with_query(routes::USAGE, &[("load", load.as_str())]);
        // Other units' hosts were measured, and none in sight: no zeros.
        let judged = (counts.measured > 0).then(|| {
            view! {
                <Tile
                    label=word("usage.load", Load::Idle.as_str())
                    value=grouped_signed(counts.idle)
                    href=link(Load::Idle)
                    note=note(stake)
                    warn={counts.idle > 0}
                />
                <Tile
                    label=word("usage.load", Load::Busy.as_str())
                    value=grouped_signed(counts.busy)
                    href=link(Load::Busy)
                    warn={counts.busy > 0}
                />
            }
        });
        view! {
            <Tile label=t!("usage.cpu_rate") value=known(counts.cpu()) note=note(format!("{memory} · {of}"))/>
            {judged}
        }
    });
    if allocation.is_none() && measured.is_none() {
        return ().into_any();
    }
    view! { <Tiles>{allocation}{measured}</Tiles> }.into_any()
}

#[component]
fn Rows(rows: Vec<UsageRow>, asked: Asked) -> impl IntoView {
    let query = asked.query();
    let now = if asked.sort.is_empty() {
        "-month"
    } else {
        asked.sort.as_str()
    };
    let sorted = |column: Column, key: &str| column.sorted(key, now, routes::USAGE, &query);
    let columns = vec![
        col(t!("resources.name")),
        col(t!("resources.spec")),
        sorted(col(t!("usage.cpu_pair")).class("num"), "cpu"),
        sorted(col(t!("usage.memory_pair")).class("num"), "memory"),
        sorted(col(t!("resources.month_yuan")).class("num"), "month"),
        col(t!("usage.hint")),
        col(t!("resources.state")).class("corner"),
    ];
    view! {
        <Table caption=t!("usage.title") columns tight=true>
            {rows.into_iter().map(row).collect_view()}
        </Table>
    }
}

fn row(row: UsageRow) -> impl IntoView {
    let sub = format!("{} · {}", row.system_name, row.unit_name);
    let spec = size(&row);
    let (cpu, memory) = (pair(row.cpu), pair(row.memory));
    let hint = row
        .smaller()
        .map(|(cores, memory)| t!("usage.would_do", cores = cores, memory = memory));
    let ways = ways(&row);
    let month = row.month.yuan();
    let chip = state(row.load);
    view! {
        <Row>
            <RowHead name=row.name href=routes::usage(row.id.as_str()) sub=sub/>
            <Cell l=t!("resources.spec")>{spec}</Cell>
            <Cell l=t!("usage.cpu_pair") class="num">{cpu}</Cell>
            <Cell l=t!("usage.memory_pair") class="num">{memory}</Cell>
            <Cell l=t!("resources.month_yuan") class="num">{month}</Cell>
            <Cell l=t!("usage.hint")>{hint} " " {ways}</Cell>
            <Cell l=t!("resources.state") class="corner">{chip}</Cell>
        </Row>
    }
}

/// Where an idle or busy host is changed, or given back.
fn ways(row: &UsageRow) -> AnyView {
    let id = row.id.as_str();
    let may = |act: Act| row.may.contains(&act);
    let resize = (matches!(row.load, Load::Idle | Load::Busy) && may(Act::Resize)).then(|| {
        let href = routes::change(id, Act::Resize.as_str(), "");
        let name = row.name.clone();
        view! { <a href=href>{t!("resources.resize")}<span class="sr">" "{name}</span></a> " " }
    });
    let release = (row.load == Load::Idle && may(Act::Release)).then(|| {
        let href = routes::with_query("/requests/release", &[("resource", id)]);
        let name = row.name.clone();
        view! { <a href=href>{t!("resources.release")}<span class="sr">" "{name}</span></a> }
    });
    view! { {resize} {release} }.into_any()
}

/// The server's side of the list.
pub mod ssr {
    use super::Asked;
    use crate::{
        csv,
        error::ApiError,
        facts,
        form::ssr::Pages,
        i18n::{self, Lang},
        ssr::id,
    };
    use axum::{
        extract::{Query, Request, State},
        response::Response,
    };
    use lingbao_core::service::usage;
    use lingbao_model::{
        msg::Msg,
        usage::Sum,
        view::usage::{UsageFilter, UsageRow},
    };

    /// The filter of the service. A word that is none filters nothing.
    ///
    /// # Errors
    /// `NotFound` for a unit that is none.
    pub fn filter(asked: Asked) -> Result<UsageFilter, ApiError> {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(UsageFilter {
            text: some(asked.q),
            load: asked.load.parse().ok(),
            unit: some(asked.unit).map(|text| id(&text)).transpose()?,
            sort: asked.sort.parse().ok(),
            cursor: some(asked.after),
            limit: None,
        })
    }

    /// The filtered list as a file.
    pub async fn csv(
        State(pages): State<Pages>,
        Query(asked): Query<Asked>,
        request: Request,
    ) -> Response {
        let name = "usage.csv";
        let slice = |cx, mut filter: UsageFilter, from| async move {
            filter.cursor = from;
            usage::export(&cx, &filter).await
        };
        let file = csv::File { name, head, line };
        file.answer(&pages, request, || filter(asked), slice).await
    }

    fn head(lang: Lang) -> String {
        let text = |key: &str| i18n::msg_in(lang, &Msg::new(key.to_owned()));
        let mut heads: Vec<String> = [
            "resources.name",
            "resources.item",
            "resources.unit",
            "resources.system",
            "usage.vcpus",
            "usage.memory_gb",
        ]
        .map(text)
        .into();
        for measure in ["cpu", "memory", "disk"] {
            let measure = text(&format!("usage.measure.{measure}"));
            for of in ["usage.mean", "usage.peak", "usage.days"] {
                heads.push(format!("{measure} {}", text(of)));
            }
        }
        heads.push(text("resources.state"));
        heads.push(text("resources.month_yuan"));
        csv::line(heads)
    }

    fn line(lang: Lang, row: &UsageRow) -> String {
        let word = |list: &str, code: &str| i18n::msg_in(lang, &Msg::new(format!("{list}.{code}")));
        let mut cells = vec![
            row.name.clone(),
            facts::label_in(lang, &row.item_name),
            row.unit_name.clone(),
            row.system_name.clone(),
            row.vcpus.to_string(),
            row.memory_gb.to_string(),
        ];
        for sum in [row.cpu, row.memory, row.disk] {
            cells.extend(three(sum));
        }
        cells.push(word("usage.load", row.load.as_str()));
        cells.push(csv::amount(row.month));
        csv::line(cells)
    }

    /// Percent for computing; empty where nothing is known.
    fn three(sum: Option<Sum>) -> [String; 3] {
        let number = |n: i64| format!("{}.{}", n / 10, n % 10);
        sum.map_or_else(Default::default, |sum| {
            [number(sum.mean), number(sum.peak), sum.days.to_string()]
        })
    }
}
