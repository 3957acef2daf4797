//! Giving resources back: what, with what effect, and why. A returned release is supplemented here
//! too: what it gives back stands, the reason is written anew.

use crate::{error::ApiError, facts, form::FormId, i18n, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    money::Money,
    text::REASON_MAX,
    view::{request::ReturnedRelease, resource::ResourceRow},
};
use serde::{Deserialize, Serialize};

/// What the form shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releasing {
    /// What would be given back, the asked ones first, then what hangs on them.
    pub rows: Vec<ResourceRow>,
    /// How many snapshots go with them.
    pub snapshots: i64,
    /// How many days they lie in the recycle bin; 0: there is none.
    pub keep_days: i64,
    /// The returned request that is supplemented.
    pub again: Option<ReturnedRelease>,
}

/// The asked resources, or those of a returned release, as far as the reader sees them.
///
/// # Errors
/// `NotFound` if one of them is out of sight, `Conflict` for a request that was not returned.
#[server(name = GetReleasing, prefix = "/fn", endpoint = "requests/releasing", output = crate::json::Json)]
pub async fn releasing(ids: String, request: String) -> Result<Releasing, ApiError> {
    use lingbao_core::service::request::release;
    let cx = crate::ssr::cx()?;
    let again = match request.as_str() {
        "" => None,
        request => Some(release::returned(&cx, &crate::ssr::id(request)?).await?),
    };
    let asked: Vec<lingbao_model::id::ResourceId> = match &again {
        Some(again) => again.resources.clone(),
        None => ids
            .split(',')
            .filter(|id| !id.is_empty())
            .map(crate::ssr::id)
            .collect::<Result<_, _>>()?,
    };
    release::not_too_many(asked.len())?;
    let (rows, snapshots) = lingbao_core::service::resource::giving_back(&cx, &asked).await?;
    if rows.is_empty() {
        return Err(ApiError::not_found());
    }
    Ok(Releasing {
        rows,
        snapshots,
        keep_days: release::keep_days(&cx),
        again,
    })
}

/// The page.
#[component]
pub fn Release() -> impl IntoView {
    let query = use_query_map();
    // Several stand behind commas, or each in a `resource` of its own.
    let asked = Memo::new(move |_| {
        query.with(|q| {
            let ids = q.get_all("resource").unwrap_or_default().join(",");
            (ids, q.get("request").unwrap_or_default())
        })
    });
    let found = Resource::new(
        move || asked.get(),
        |(ids, request)| releasing(ids, request),
    );
    page_of(found, |found| view! { <Form found/> }.into_any())
}

#[component]
fn Form(found: Releasing) -> impl IntoView {
    let crumbs = vec![(t!("nav.requests").to_owned(), routes::REQUESTS.to_owned())];
    let ids = found
        .rows
        .iter()
        .map(|row| row.id.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let month = found
        .rows
        .iter()
        .fold(lingbao_model::money::Money::ZERO, |sum, row| {
            sum + row.month
        })
        .yuan();
    let snapshots = (found.snapshots > 0)
        .then(|| view! { <p><b>{t!("release.snapshots", n = found.snapshots)}</b></p> });
    // What was agreed to be kept or erased stands; only the reason is asked for.
    let (ending, keys, reason, asked, submit) = match found.again {
        Some(again) => {
            let kept = match again.keep_days {
                0 => t!("requests.kept_not").to_owned(),
                n => t!("requests.kept_days", n = n),
            };
            let asked = again.asked.map(|o| {
                let said = t!("cart.asked", who = o.by_name, text = o.text);
                view! { <Banner tone=Tone::Warn>{said}</Banner> }
            });
            let version = again.version.to_string();
            let keys = view! {
                <input type="hidden" name="request" value=again.request.to_string()/>
                <input type="hidden" name="version" value=version/>
            }
            .into_any();
            let kept =
                view! { <p><b>{t!("requests.kept")}{t!("ui.colon")}{kept}</b></p> }.into_any();
            (kept, keys, again.reason, asked, t!("cart.resubmit"))
        }
        None => {
            let keys = view! { <input type="hidden" name="resources" value=ids/> }.into_any();
            let submit = t!("release.submit");
            (ending(found.keep_days), keys, String::new(), None, submit)
        }
    };
    let rows = found
        .rows
        .into_iter()
        .map(|row| {
            let href = routes::resource(row.id.as_str());
            let spec = facts::line(&row.facts);
            let (item, money) = (
                i18n::label(&row.item_name),
                facts::charge(row.month, Money::ZERO),
            );
            view! {
                <Row>
                    <RowHead name=row.name href sub=item/>
                    <Cell l=t!("requests.spec")>{spec}</Cell>
                    <Cell l=t!("requests.system")>{row.system_name}</Cell>
                    <Cell l=t!("requests.month") class="num">{money}</Cell>
                </Row>
            }
        })
        .collect_view();
    let columns = vec![
        col(t!("requests.item")),
        col(t!("requests.spec")),
        col(t!("requests.system")),
        col(t!("requests.month")).class("num"),
    ];
    view! {
        <PageHead title=t!("release.title") fact=t!("release.fact") crumbs/>
        {asked}
        <ErrorSummary/>
        <TableBox>
            <Table caption=t!("release.what") columns>{rows}</Table>
        </TableBox>
        <form method="post" class="panel panel-pad narrow">
            <FormId/>
            {keys}
            <p>{t!("release.effect", month = month)}</p>
            {snapshots}
            {ending}
            <Field name="reason" label=t!("release.reason") hint=t!("release.reason_hint")>
                <TextArea value=reason maxlength=REASON_MAX/>
            </Field>
            <div class="field">
                <Button kind=Kind::Bad>{submit}</Button>
            </div>
        </form>
    }
}

/// What becomes of the data: kept for some days, or, chosen and confirmed, erased at once. Where there
/// is no recycle bin it is said, and nothing is to be chosen.
fn ending(days: i64) -> AnyView {
    if days == 0 {
        return view! { <p><b>{t!("release.no_bin")}</b></p> }.into_any();
    }
    view! {
        <FieldSet name="ending" legend=t!("release.ending")>
            <Choices stacked=true>
                <Choice
                    name="ending"
                    value="bin"
                    title=t!("release.bin", n = days)
                    note=t!("release.bin_note", n = days)
                    checked=true
                />
                <Choice name="ending" value="erase" title=t!("release.erase") note=t!("release.erase_note")/>
            </Choices>
        </FieldSet>
        <FieldSet name="confirm" legend=t!("release.confirm_legend") hide_legend=true>
            <Check name="confirm" value="yes">{t!("release.confirm")}</Check>
        </FieldSet>
    }
    .into_any()
}

/// The post of the page.
pub mod ssr {
    use crate::{
        form::{
            FORM_ID,
            ssr::{Done, Posted, Refused},
        },
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::request::release;
    use lingbao_model::{
        id::RequestId,
        msg::{FieldError, Msg},
        view::request::Submitted,
    };

    /// Asks for the release, or sends a returned one again.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn submit(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let (reason, sent) = (form.value("reason"), form.value(FORM_ID));
        if !form.value("request").is_empty() {
            let request: RequestId = id(form.value("request"))?;
            let version: i64 = form.value("version").parse().unwrap_or(0);
            let done = release::resubmit(&cx, &request, version, reason, sent).await?;
            return Ok(said(&done));
        }
        let ids = form
            .value("resources")
            .split(',')
            .filter(|one| !one.is_empty())
            .map(id)
            .collect::<Result<Vec<_>, _>>()?;
        let at_once = form.value("ending") == "erase";
        if at_once && form.value("confirm") != "yes" {
            return Err(FieldError::new("confirm", Msg::new("release.unconfirmed")).into());
        }
        let done = release::create(&cx, &ids, reason, at_once, sent).await?;
        Ok(said(&done))
    }

    fn said(done: &Submitted) -> Done {
        let said = Msg::new("release.said").with("number", done.number.clone());
        Done::to(routes::request(done.request.as_str())).say(said)
    }
}
