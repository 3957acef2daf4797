//! The delivery sheet (交付单) of a request: what was delivered, how to get in, whom to call.

use super::words::{day, moment, word};
use crate::{asked, error::ApiError, facts, i18n, routes, t, ui::*, viewer::use_viewer};
use leptos::prelude::*;
use lingbao_model::view::resource::{DeliveryLine, DeliverySheet};

/// The sheet of a request in the reader's sight.
///
/// # Errors
/// `NotFound`, also while nothing has been settled.
#[server(name = GetDelivery, prefix = "/fn", endpoint = "resources/delivery", output = crate::json::Json)]
pub async fn delivery(request: String) -> Result<DeliverySheet, ApiError> {
    Ok(lingbao_core::service::resource::delivery_sheet(
        &crate::ssr::cx()?,
        &crate::ssr::id(&request)?,
    )
    .await?)
}

/// The page.
#[component]
pub fn Sheet() -> impl IntoView {
    let id = asked::param("id");
    let found = Resource::new(move || id.get(), delivery);
    page_of(found, |found| view! { <Paper found/> }.into_any())
}

#[component]
fn Paper(found: DeliverySheet) -> impl IntoView {
    let crumbs = vec![(found.number.clone(), routes::request(&found.number))];
    let settled = found.settled_at.map_or_else(|| "—".to_owned(), moment);
    let facts: Vec<(Text, Text)> = vec![
        (t!("delivery.number").into(), found.number.clone().into()),
        (t!("delivery.settled").into(), settled.into()),
        (t!("resources.unit").into(), found.unit_name.into()),
        (t!("resources.system").into(), found.system_name.into()),
        (t!("delivery.call").into(), found.call.into()),
    ];
    let failed = (!found.failed.is_empty()).then(|| {
        view! {
            <h2>{t!("delivery.failed")}</h2>
            <ul>
                {found
                    .failed
                    .into_iter()
                    .map(|(what, why)| view! { <li>{facts::label(&what)} ": " {i18n::msg(&why)}</li> })
                    .collect_view()}
            </ul>
        }
    });
    let name = use_viewer().map(|v| v.name).unwrap_or_default();
    let foot = format!("{} · {name}", found.number);
    let waits = found.lines.iter().any(|line| line.secret_waits);
    view! {
        <div class="no-print">
            <PageHead title=t!("delivery.title") fact=t!("delivery.fact") crumbs/>
        </div>
        <PrintSheet label=t!("delivery.title") foot page=t!("delivery.page")>
            <p class="sheet-h1">{t!("delivery.title")}</p>
            <SheetFacts facts/>
            <h2>{t!("delivery.lines")}</h2>
            <table class="sf">
                <colgroup>
                    <col class="c-w4"/>
                    <col/>
                    <col class="c-w4"/>
                    <col class="c-w5"/>
                </colgroup>
                <thead>
                    <tr>
                        <th scope="col">{t!("resources.name")}</th>
                        <th scope="col">{t!("resources.spec")}</th>
                        <th scope="col">{t!("resources.address")}</th>
                        <th scope="col">{t!("resources.until")}</th>
                    </tr>
                </thead>
                <tbody>{found.lines.into_iter().map(line).collect_view()}</tbody>
            </table>
            {failed}
            <h2>{t!("delivery.get_in")}</h2>
            <p>{if waits { t!("delivery.get_in_secret") } else { t!("delivery.get_in_key") }}</p>
            <div class="stamps stamp-top">
                <BlankStamp title=t!("delivery.handed_over")/>
                <BlankStamp title=t!("delivery.taken_over")/>
            </div>
        </PrintSheet>
    }
}

fn line(line: DeliveryLine) -> impl IntoView {
    let row = line.row;
    let under = line.attached_to.map_or_else(
        || word("resource.kind", row.kind.as_str()),
        |to| t!("delivery.attached", name = to.name),
    );
    let spec = facts::joined([facts::label(&row.item_name), facts::line(&row.facts)]);
    view! {
        <tr>
            <th scope="row">
                <a href=routes::resource(row.id.as_str())>{row.name}</a>
                <br/>
                <small>{under}</small>
            </th>
            <td data-l=t!("resources.spec")>{spec}</td>
            <td data-l=t!("resources.address")>{row.address.unwrap_or_else(|| "—".to_owned())}</td>
            <td data-l=t!("resources.until")>{day(row.expires_at)}</td>
        </tr>
    }
}
