//! The list of resources, and the same list as a file.

use super::words::{billing, day, service, word};
use crate::{asked, error::ApiError, facts, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Fulfiller,
    resource::{BillingState, ServiceState},
    view::{page::Page, resource::ResourceRow},
};

/// Path of the file.
pub const CSV: &str = "/resources.csv";

asked!(q, kind, state, billing, system, sort, after);

/// One page of the resources in the reader's sight.
///
/// # Errors
/// `Forbidden` for roles without resources; `NotFound` for a system that is none.
#[server(name = GetResources, prefix = "/fn", endpoint = "resources/list", output = crate::json::Json)]
pub async fn resources(asked: Asked) -> Result<Page<ResourceRow>, ApiError> {
    Ok(lingbao_core::service::resource::list(&crate::ssr::cx()?, &ssr::filter(asked)?).await?)
}

/// The page.
#[component]
pub fn Resources() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let version = live::version("resources");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| resources(asked),
    );
    list_of(asked, list, |page, asked| {
        view! { <List page asked/> }.into_any()
    })
}

#[component]
fn List(page: Page<ResourceRow>, asked: Asked) -> impl IntoView {
    let first = (!asked.after.is_empty()).then(|| asked.link(routes::RESOURCES, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::RESOURCES, after));
    let active = asked.active();
    let empty = page.rows.is_empty();
    let file = asked.link(CSV, "");
    let csv = (!empty).then(|| {
        view! { <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton> }
    });
    let system = crate::viewer::use_viewer()
        .filter(|viewer| viewer.can("order"))
        .map(|_| {
            let href = routes::new_system("");
            view! { <LinkButton href icon="plus">{t!("system.new")}</LinkButton> }
        });
    let acts = Some(view! { {csv} {system} }.into_any());
    let system = (!asked.system.is_empty()).then(|| {
        let name = page.rows.first().map(|row| row.system_name.clone()).unwrap_or_default();
        view! {
            <p class="sub">
                {t!("resources.of_system", name = name)} " " <a href=routes::RESOURCES>{t!("ui.clear")}</a>
            </p>
        }
    });
    let hidden = asked.system.clone();
    let in_bin = asked.state == ServiceState::Recycled.as_str();
    let tab = |href: String, text: &'static str, current: bool| SegLink {
        href,
        text: text.to_owned(),
        count: None,
        current,
    };
    let tabs = vec![
        tab(
            routes::RESOURCES.to_owned(),
            t!("resources.tab_all"),
            !in_bin,
        ),
        tab(routes::in_bin(), t!("resources.tab_bin"), in_bin),
    ];
    view! {
        <PageHead title=t!("nav.resources") fact=t!("resources.fact") nostrip:acts=acts/>
        <SegLinks links=tabs/>
        {system}
        <TableBox>
            <FilterBar action=routes::RESOURCES active=active>
                <Find label=t!("resources.find") placeholder=t!("resources.find_hint") value=asked.q.clone()/>
                {(!hidden.is_empty()).then(|| view! { <input type="hidden" name="system" value=hidden/> })}
                <FilterSelect
                    name="kind"
                    label=t!("resources.kind")
                    options=options("resource.kind", Fulfiller::ALL.iter().map(|w| w.as_str()))
                    value=asked.kind.clone()
                />
                <FilterSelect
                    name="state"
                    label=t!("resources.state")
                    options=options("resource.service", ServiceState::ALL.iter().map(|w| w.as_str()))
                    value=asked.state.clone()
                />
                <FilterSelect
                    name="billing"
                    label=t!("resources.billing")
                    options=options("resource.billing", BillingState::ALL.iter().map(|w| w.as_str()))
                    value=asked.billing.clone()
                />
                <FilterSelect name="sort" label=t!("resources.sort") options=orders() value=asked.sort.clone()/>
            </FilterBar>
            {match (empty, active) {
                (true, true) if in_bin => view! {
                    <Empty icon="bin" title=t!("bin.none") note=t!("bin.none_note")/>
                }
                .into_any(),
                (true, true) => view! {
                    <Empty icon="search" title=t!("resources.none_found") note=t!("resources.none_found_note")/>
                }
                .into_any(),
                (true, false) => {
                    let act = view! { <LinkButton href=routes::CATALOGUE>{t!("nav.catalogue")}</LinkButton> }.into_any();
                    view! { <Empty icon="host" title=t!("resources.none") note=t!("resources.none_note") act/> }.into_any()
                }
                _ => view! { <Rows rows=page.rows/> }.into_any(),
            }}
            <Pager total=page.total nostrip:first=first nostrip:next=next/>
        </TableBox>
    }
}

fn options(list: &'static str, codes: impl Iterator<Item = &'static str>) -> Vec<Opt> {
    std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(codes.map(|code| (code.to_owned(), word(list, code))))
        .collect()
}

fn orders() -> Vec<Opt> {
    lingbao_model::view::resource::Sort::ALL
        .iter()
        .map(|sort| (sort.to_string(), word("resources.sort", sort.as_str())))
        .collect()
}

#[component]
fn Rows(rows: Vec<ResourceRow>) -> impl IntoView {
    let columns = vec![
        col(t!("resources.name")),
        col(t!("resources.system")),
        col(t!("resources.spec")),
        col(t!("resources.address")),
        col(t!("resources.month_yuan")).class("num half"),
        col(t!("resources.until")).class("half"),
        col(t!("resources.state")),
        col(t!("resources.billing")),
    ];
    // The unit is said where there are several.
    let first = rows.first().map(|row| row.unit_name.clone());
    let several = rows
        .iter()
        .any(|row| Some(&row.unit_name) != first.as_ref());
    view! {
        <Table caption=t!("nav.resources") columns tight=true>
            {rows.into_iter().map(move |one| row(one, several)).collect_view()}
        </Table>
    }
}

fn row(row: ResourceRow, several: bool) -> impl IntoView {
    let item = facts::label(&row.item_name);
    let sub = if several {
        facts::joined([item, row.unit_name])
    } else {
        item
    };
    let until = match (row.days_left, row.erase_at) {
        (Some(n), Some(at)) => t!("bin.days_left", n = n, day = day(at)),
        _ => day(row.expires_at),
    };
    // On phones a row says what is not as usual.
    let (no_address, charged) = (row.address.is_none(), row.billing == BillingState::Billing);
    let hidden = |hide: bool| if hide { "only-wide" } else { "" };
    view! {
        <Row>
            <RowHead name=row.name href=routes::resource(row.id.as_str()) sub=sub/>
            <Cell l=t!("resources.system") class="roomy">{row.system_name}</Cell>
            <Cell l=t!("resources.spec")>{facts::line(&row.facts)}</Cell>
            <Cell l=t!("resources.address") class=hidden(no_address)>{row.address.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("resources.month_yuan") class="num half">{row.month.yuan()}</Cell>
            <Cell l=t!("resources.until") class="half">{until}</Cell>
            <Cell l=t!("resources.state")>{service(row.service)}</Cell>
            <Cell l=t!("resources.billing") class=hidden(charged)>{billing(row.billing)}</Cell>
        </Row>
    }
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
    use lingbao_model::{
        msg::Msg,
        time::Zone,
        view::resource::{ResourceFilter, ResourceRow},
    };

    /// The filter of the service. A word that is none filters nothing.
    ///
    /// # Errors
    /// `NotFound` for a system that is none.
    pub fn filter(asked: Asked) -> Result<ResourceFilter, ApiError> {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(ResourceFilter {
            text: some(asked.q),
            kind: asked.kind.parse().ok(),
            state: asked.state.parse().ok(),
            billing: asked.billing.parse().ok(),
            system: some(asked.system).map(|text| id(&text)).transpose()?,
            sort: asked.sort.parse().ok(),
            cursor: some(asked.after),
            ..ResourceFilter::default()
        })
    }

    /// The filtered list as a file.
    pub async fn csv(
        State(pages): State<Pages>,
        Query(asked): Query<Asked>,
        request: Request,
    ) -> Response {
        let name = "resources.csv";
        let slice = |cx, mut filter: ResourceFilter, from| async move {
            filter.cursor = from;
            lingbao_core::service::resource::export(&cx, &filter).await
        };
        let file = csv::File { name, head, line };
        file.answer(&pages, request, || filter(asked), slice).await
    }

    fn head(lang: Lang) -> String {
        let keys = [
            "resources.name",
            "resources.kind",
            "resources.item",
            "resources.spec",
            "resources.unit",
            "resources.system",
            "resources.zone",
            "resources.pool",
            "resources.address",
            "resources.state",
            "resources.billing",
            "resources.month_yuan",
            "resources.since",
            "resources.until",
        ];
        csv::heads(lang, keys)
    }

    fn line(lang: Lang, row: &ResourceRow) -> String {
        let word = |list: &str, code: &str| i18n::msg_in(lang, &Msg::new(format!("{list}.{code}")));
        let label = |label: &Option<lingbao_model::msg::Label>| {
            label
                .as_ref()
                .map(|label| facts::label_in(lang, label))
                .unwrap_or_default()
        };
        csv::line([
            row.name.clone(),
            word("resource.kind", row.kind.as_str()),
            facts::label_in(lang, &row.item_name),
            facts::line_in(lang, &row.facts),
            row.unit_name.clone(),
            row.system_name.clone(),
            label(&row.zone_name),
            label(&row.pool_name),
            row.address.clone().unwrap_or_default(),
            word("resource.service", row.service.as_str()),
            word("resource.billing", row.billing.as_str()),
            csv::amount(row.month),
            Zone::SHANGHAI.date(row.delivered_at).to_string(),
            Zone::SHANGHAI.date(row.expires_at).to_string(),
        ])
    }
}
