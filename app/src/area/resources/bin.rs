//! A thing in the recycle bin (回收站): until when, what taking it back takes, and the erasure before
//! its time.

use super::{
    restore::bar,
    words::{below, day, link, moment, word},
};
use crate::{asked, error::ApiError, form::FormId, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::bin::BinView;

/// A thing of the bin in the reader's sight.
///
/// # Errors
/// `NotFound`, or that it does not lie there.
#[server(name = GetBin, prefix = "/fn", endpoint = "resources/bin", output = crate::json::Json)]
pub async fn lying(id: String) -> Result<BinView, ApiError> {
    let cx = crate::ssr::cx()?;
    Ok(lingbao_core::fulfil::bin::view(&cx, &crate::ssr::id(&id)?).await?)
}

/// The page.
#[component]
pub fn BinPage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version(&format!("resource:{}", id.get_untracked()));
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| lying(id));
    page_of(found, |found| view! { <Lying found/> }.into_any())
}

#[component]
fn Lying(found: BinView) -> impl IntoView {
    let crumbs = below(&found.resource, &found.name);
    let fact = t!(
        "bin.fact",
        kind = word("resource.kind", found.kind.as_str()),
        name = found.name.clone()
    );
    let until = t!(
        "bin.until",
        n = found.days_left,
        at = moment(found.erase_at)
    );
    let request = routes::request(&found.request_number);
    let month = format!("{} {}", found.month.yuan(), t!("resources.yuan_month"));
    let mut facts: Vec<(Text, AnyView)> = vec![
        (t!("bin.since").into(), moment(found.recycled_at).into_any()),
        (t!("bin.erase_at").into(), until.into_any()),
        (
            t!("bin.request").into(),
            view! { <a href=request>{found.request_number.clone()}</a> }.into_any(),
        ),
        (t!("bin.month").into(), month.into_any()),
        (
            t!("resources.until").into(),
            day(found.expires_at).into_any(),
        ),
    ];
    if !found.with.is_empty() {
        let with = found
            .with
            .iter()
            .map(|one| view! { <div>{link(one)}</div> })
            .collect_view();
        facts.push((t!("bin.with").into(), with.into_any()));
    }
    if let Some(host) = &found.host {
        facts.push((t!("resources.attached_to").into(), link(host)));
    }
    let bars = found
        .changes
        .iter()
        .filter(|change| change.asked != 0)
        .map(|change| bar(change, &found.pools))
        .collect_view();
    let quota = (!found.changes.is_empty()).then(|| {
        view! {
            <Panel title=t!("bin.quota") pad=true>
                <div class="qs">{bars}</div>
                <QuotaKey with_now=true/>
            </Panel>
        }
    });
    let erase = found.may_erase.then(|| erasing(&found));
    let back = taking_back(&found);
    view! {
        <PageHead title=t!("bin.title") fact=fact crumbs/>
        <ErrorSummary/>
        <div class="gap-6">
            <Panel title=t!("bin.about") pad=true>
                <Facts facts/>
                <p class="hint">{t!("bin.note")}</p>
            </Panel>
            {quota}
            {back}
            {erase}
        </div>
    }
}

/// The form that takes it back, or why it can't be.
fn taking_back(found: &BinView) -> Option<AnyView> {
    if !found.may_take_back {
        return None;
    }
    let blocks: Vec<String> = found.blocks.iter().map(i18n::msg).collect();
    if !blocks.is_empty() {
        let banner = view! {
            <Banner tone=Tone::Bad>
                <ul>{blocks.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
                <a href=routes::QUOTA>{t!("restore.quota_link")}</a>
            </Banner>
        };
        return Some(banner.into_any());
    }
    let form = view! {
        <form method="post" class="panel panel-pad narrow">
            <FormId/>
            <p>{t!("bin.take_back_note")}</p>
            <div class="field">
                <Button kind=Kind::Main name="do" value="take_back">{t!("bin.take_back")}</Button>
            </div>
        </form>
    };
    Some(form.into_any())
}

/// The form that erases it before its time: its name is typed, so that nobody presses it by mistake.
fn erasing(found: &BinView) -> AnyView {
    let snapshots = (found.snapshots > 0)
        .then(|| view! { <p><b>{t!("release.snapshots", n = found.snapshots)}</b></p> });
    let alone = (!found.with.is_empty()).then(|| view! { <p>{t!("bin.erase_alone")}</p> });
    let hint = t!("bin.confirm_hint", name = found.name.clone());
    view! {
        <Panel title=t!("bin.erase") pad=true>
            <form method="post" class="narrow">
                <FormId/>
                <p>{t!("bin.erase_note")}</p>
                {snapshots}
                {alone}
                <Field name="confirm" label=t!("bin.confirm") hint=hint>
                    <TextInput maxlength=80_u32/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Bad name="do" value="erase">{t!("bin.erase")}</Button>
                </div>
            </form>
        </Panel>
    }
    .into_any()
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::fulfil::bin;
    use lingbao_model::{id::ResourceId, msg::Msg};

    /// Takes it back, or has it erased.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let of = id::<ResourceId>(form.param("id"))?;
        let sent = form.form_id();
        let (done, said) = match form.value("do") {
            "take_back" => (bin::take_back(&cx, &of, sent).await, "bin.said_back"),
            "erase" => {
                let typed = form.value("confirm");
                (bin::erase(&cx, &of, typed, sent).await, "bin.said_erase")
            }
            _ => return Err(ApiError::not_found().into()),
        };
        match done {
            Ok(()) => Ok(Done::to(routes::resource(of.as_str())).say(Msg::new(said))),
            Err(error) => Err(Refused::short_at("take_back", error)),
        }
    }
}
