//! The certificate of erasure (数据销毁证明) on A4, and the list of those of a whole request.

use super::words::{below, moment, word};
use crate::{asked, error::ApiError, facts, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    time::Timestamp,
    view::bin::{Certificate, CertificateFacts, ErasureMethod},
};

/// The certificate of a resource in the reader's sight.
///
/// # Errors
/// `NotFound`, also while it is not erased.
#[server(name = GetCertificate, prefix = "/fn", endpoint = "resources/certificate", output = crate::json::Json)]
pub async fn certified(id: String) -> Result<Certificate, ApiError> {
    let (cx, id) = (crate::ssr::cx()?, crate::ssr::id(&id)?);
    Ok(lingbao_core::fulfil::certificate::of_resource(&cx, &id).await?)
}

/// The certificates of a request in the reader's sight.
///
/// # Errors
/// `NotFound`, also while nothing of it is erased.
#[server(name = GetCertificates, prefix = "/fn", endpoint = "requests/certificates", output = crate::json::Json)]
pub async fn certificates(request: String) -> Result<Vec<Certificate>, ApiError> {
    use lingbao_core::fulfil::certificate;
    use lingbao_model::view::page::MAX_PAGE_ROWS;
    let cx = crate::ssr::cx()?;
    let page = certificate::of_request(&cx, &request, None, MAX_PAGE_ROWS).await?;
    Ok(page.0)
}

/// The page of one.
#[component]
pub fn CertificatePage() -> impl IntoView {
    let id = asked::param("id");
    let found = Resource::new(move || id.get(), certified);
    page_of(found, |found| view! { <Paper found/> }.into_any())
}

/// How it ended, in words that claim nothing which nobody did.
fn method(facts: &CertificateFacts) -> String {
    let backend = facts.backend.clone().unwrap_or_default();
    match facts.method {
        ErasureMethod::Deleted => t!("certificate.deleted", backend = backend),
        ErasureMethod::NotInCloud => t!("certificate.not_in_cloud").to_owned(),
        ErasureMethod::WrittenOff => t!("certificate.written_off", backend = backend),
    }
}

fn read_back(facts: &CertificateFacts) -> String {
    match (facts.absent_at, facts.method) {
        (Some(at), _) => t!("certificate.absent", at = moment(at)),
        (None, ErasureMethod::NotInCloud) => "—".to_owned(),
        (None, _) => t!("certificate.unconfirmed").to_owned(),
    }
}

/// Who agreed; small things nobody has to be asked for.
fn agreed(names: &[String]) -> Text {
    if names.is_empty() {
        t!("certificate.nobody").into()
    } else {
        names.join(t!("ui.comma")).into()
    }
}

fn some(text: Option<String>) -> Text {
    text.unwrap_or_else(|| "—".to_owned()).into()
}

#[component]
fn Paper(found: Certificate) -> impl IntoView {
    let facts = found.facts;
    let crumbs = below(&facts.resource, &facts.name);
    let when = |at: Option<Timestamp>| some(at.map(moment));
    let unit: Vec<(Text, Text)> = vec![
        (t!("certificate.number").into(), facts.number.clone().into()),
        (t!("resources.unit").into(), facts.unit_name.clone().into()),
        (
            t!("resources.system").into(),
            facts.system_name.clone().into(),
        ),
    ];
    let thing: Vec<(Text, Text)> = vec![
        (t!("resources.name").into(), facts.name.clone().into()),
        (
            t!("resources.kind").into(),
            word("resource.kind", facts.kind.as_str()).into(),
        ),
        (
            t!("resources.item").into(),
            facts::label(&facts.item_name).into(),
        ),
        (t!("resources.spec").into(), facts::line(&facts.spec).into()),
        (
            t!("certificate.backend").into(),
            some(facts.backend.clone()),
        ),
        (
            t!("certificate.external_id").into(),
            some(facts.external_id.clone()),
        ),
    ];
    let release: Vec<(Text, Text)> = vec![
        (
            t!("resources.request").into(),
            some(facts.request_number.clone()),
        ),
        (
            t!("certificate.asked_by").into(),
            some(facts.asked_by.clone()),
        ),
        (
            t!("certificate.approved_by").into(),
            agreed(&facts.approved_by),
        ),
        (t!("bin.since").into(), when(facts.recycled_at)),
    ];
    let ordered = facts.ordered_by.clone();
    let mut erasure: Vec<(Text, Text)> = vec![
        (
            t!("certificate.erased_at").into(),
            moment(facts.erased_at).into(),
        ),
        (
            t!("certificate.snapshots").into(),
            facts.snapshots.to_string().into(),
        ),
        (
            t!("certificate.backups").into(),
            facts.backups.to_string().into(),
        ),
    ];
    if let Some(name) = ordered {
        erasure.push((t!("certificate.ordered_by").into(), name.into()));
    }
    let (method, absent) = (method(&facts), read_back(&facts));
    let unconfirmed = (facts.method == ErasureMethod::WrittenOff)
        .then(|| view! { <Banner tone=Tone::Bad>{t!("certificate.unconfirmed")}</Banner> });
    let broken = (!found.intact)
        .then(|| view! { <Banner tone=Tone::Bad>{t!("certificate.broken")}</Banner> });
    let foot = format!(
        "{} · {}",
        facts.number,
        found.digest.get(..16).unwrap_or_default()
    );
    view! {
        <div class="no-print">
            <PageHead title=t!("certificate.title") fact=t!("certificate.fact") crumbs/>
        </div>
        {broken}
        {unconfirmed}
        <PrintSheet label=t!("certificate.title") foot page=t!("certificate.title")>
            <p class="sheet-h1">{t!("certificate.title")}</p>
            <h2>{t!("certificate.unit")}</h2>
            <SheetFacts facts=unit/>
            <h2>{t!("certificate.thing")}</h2>
            <SheetFacts facts=thing/>
            <h2>{t!("certificate.release")}</h2>
            <SheetFacts facts=release/>
            <h2>{t!("certificate.erasure")}</h2>
            <SheetFacts facts=erasure/>
            <p>{method}</p>
            <p>{absent}</p>
            <h2>{t!("certificate.digest")}</h2>
            <p class="mono">{found.digest}</p>
            <h2>{t!("certificate.notes")}</h2>
            <p>{t!("certificate.note1")}</p>
            <p>{t!("certificate.note2")}</p>
            <div class="stamps stamp-top">
                <BlankStamp title=t!("print.office_stamp")/>
                <BlankStamp title=t!("print.unit_stamp")/>
            </div>
        </PrintSheet>
    }
}

/// The page of all of a request.
#[component]
pub fn CertificatesPage() -> impl IntoView {
    let id = asked::param("id");
    let found = Resource::new(move || id.get(), certificates);
    page_of(found, |found| view! { <Listing found/> }.into_any())
}

#[component]
fn Listing(found: Vec<Certificate>) -> impl IntoView {
    let first = found.first().map(|one| one.facts.clone());
    let number = first
        .as_ref()
        .and_then(|facts| facts.request_number.clone())
        .unwrap_or_default();
    let asked_by = some(first.as_ref().and_then(|facts| facts.asked_by.clone()));
    let approved_by = first
        .as_ref()
        .map_or_else(Vec::new, |facts| facts.approved_by.clone());
    let unit = first.map(|facts| facts.unit_name).unwrap_or_default();
    let crumbs = vec![
        (t!("nav.requests").to_owned(), routes::REQUESTS.to_owned()),
        (number.clone(), routes::request(&number)),
    ];
    let about: Vec<(Text, Text)> = vec![
        (t!("resources.request").into(), number.clone().into()),
        (t!("resources.unit").into(), unit.into()),
        (t!("certificate.asked_by").into(), asked_by),
        (t!("certificate.approved_by").into(), agreed(&approved_by)),
    ];
    view! {
        <div class="no-print">
            <PageHead title=t!("certificate.list") fact=t!("certificate.fact") crumbs/>
        </div>
        <PrintSheet label=t!("certificate.list") foot=number page=t!("certificate.list")>
            <p class="sheet-h1">{t!("certificate.list")}</p>
            <SheetFacts facts=about/>
            <h2>{t!("certificate.things")}</h2>
            <table class="sf">
                <thead>
                    <tr>
                        <th scope="col">{t!("certificate.number")}</th>
                        <th scope="col">{t!("resources.name")}</th>
                        <th scope="col">{t!("certificate.external_id")}</th>
                        <th scope="col">{t!("certificate.erased")}</th>
                    </tr>
                </thead>
                <tbody>{found.into_iter().map(line).collect_view()}</tbody>
            </table>
            <div class="stamps stamp-top">
                <BlankStamp title=t!("print.office_stamp")/>
                <BlankStamp title=t!("print.unit_stamp")/>
            </div>
        </PrintSheet>
    }
}

fn line(one: Certificate) -> impl IntoView {
    let facts = one.facts;
    let kind = word("resource.kind", facts.kind.as_str());
    let how = format!("{} {}", method(&facts), read_back(&facts));
    let broken = (!one.intact).then(|| view! { <b>{t!("certificate.broken")}</b> });
    view! {
        <tr>
            <th scope="row">
                <a href=routes::certificate(facts.resource.as_str())>{facts.number}</a>
            </th>
            <td>{facts.name}<br/><small>{kind} " " {facts::line(&facts.spec)}</small></td>
            <td>{facts.external_id.unwrap_or_else(|| "—".to_owned())}</td>
            <td>{moment(facts.erased_at)}<br/><small>{how}</small>{broken}</td>
        </tr>
    }
}
