//! What was taken in: who, when, how many, undone or not.

use super::when;
use crate::{
    error::ApiError,
    live, routes, t,
    ui::{Total, *},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    money::grouped_signed,
    view::{import::ImportBatch, page::Page},
};

/// One page of batches.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetImports, prefix = "/fn", endpoint = "import/batches", output = crate::json::Json)]
pub async fn batches(after: String) -> Result<Page<ImportBatch>, ApiError> {
    let after = Some(after).filter(|after| !after.is_empty());
    let cx = crate::ssr::cx()?;
    Ok(lingbao_core::service::import::batches(&cx, after.as_deref(), None).await?)
}

/// The page.
#[component]
pub fn Batches() -> impl IntoView {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|query| query.get("after").unwrap_or_default()));
    let version = live::version("jobs");
    let list = Resource::new(
        move || (after.get(), version.get()),
        |(after, _)| batches(after),
    );
    list_of(after, list, |page, after| {
        let later = !after.is_empty();
        view! { <List page later/> }.into_any()
    })
}

/// Where the pages of this area stand.
pub fn crumbs() -> Vec<Crumb> {
    vec![
        (
            t!("nav.operations").to_owned(),
            routes::OPERATIONS.to_owned(),
        ),
        (t!("import.title").to_owned(), routes::IMPORT.to_owned()),
    ]
}

#[component]
fn List(page: Page<ImportBatch>, later: bool) -> impl IntoView {
    let link = |after: &str| routes::with_query(routes::IMPORT_BATCHES, &[("after", after)]);
    let first = later.then(|| link(""));
    let next = page.next.as_deref().map(link);
    let total = match page.total {
        lingbao_model::view::page::Total::Exact(n) => Total::Exact(n),
        lingbao_model::view::page::Total::MoreThan(_) => Total::Many,
    };
    let body = if page.rows.is_empty() {
        view! { <Empty icon="case" title=t!("import.no_batches")/> }.into_any()
    } else {
        let columns = vec![
            col(t!("import.batch")),
            col(t!("import.by")),
            col(t!("import.count")).class("num"),
            col(t!("resources.month_yuan")).class("num"),
            col(t!("resources.state")).class("corner"),
        ];
        let rows = page.rows.into_iter().map(row).collect_view();
        view! { <Table caption=t!("import.batches") columns flat=true>{rows}</Table> }.into_any()
    };
    view! {
        <PageHead title=t!("import.batches") crumbs=crumbs() fact=t!("import.batches_fact")/>
        <TableBox>
            {body}
            <Pager total nostrip:first=first nostrip:next=next/>
        </TableBox>
    }
}

fn row(batch: ImportBatch) -> impl IntoView {
    let href = routes::import_batch(batch.id.as_str());
    let state = state(&batch);
    view! {
        <Row>
            <RowHead name=when(batch.at) href=href/>
            <Cell l=t!("import.by")>{batch.by_name}</Cell>
            <Cell l=t!("import.count") class="num">{grouped_signed(batch.count)}</Cell>
            <Cell l=t!("resources.month_yuan") class="num">{batch.month.yuan()}</Cell>
            <Cell l=t!("resources.state") class="corner">{state}</Cell>
        </Row>
    }
}

/// Whether it stands.
pub fn state(batch: &ImportBatch) -> AnyView {
    if batch.undone_at.is_some() {
        view! { <Chip look=Look::Stop text=t!("import.undone")/> }.into_any()
    } else {
        view! { <Chip look=Look::Ok text=t!("import.stands")/> }.into_any()
    }
}
