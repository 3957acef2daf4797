//! A new disk out of a snapshot or a backup: what it costs and takes, and who must agree, before it is confirmed.

use super::words::{below, day, moment, way};
use crate::{error::ApiError, facts, form::FormId, i18n, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use lingbao_model::{
    id::PoolId, money::Money, msg::Label, quota::Change, text::REASON_MAX,
    view::resource::RestoreView,
};

/// What becomes of it.
///
/// # Errors
/// `NotFound`, `Forbidden`, or why it can't be done now.
#[server(name = GetRestore, prefix = "/fn", endpoint = "resources/restore", output = crate::json::Json)]
pub async fn restoring(id: String, snapshot: String) -> Result<RestoreView, ApiError> {
    let cx = crate::ssr::cx()?;
    let (id, snapshot) = (
        crate::ssr::id(&id)?,
        crate::ssr::id::<lingbao_model::id::SnapshotId>(&snapshot)?,
    );
    Ok(lingbao_core::fulfil::restore::preview(&cx, &id, &snapshot).await?)
}

/// The same of a backup.
///
/// # Errors
/// Those of [`restoring`].
#[server(name = GetRestoreBackup, prefix = "/fn", endpoint = "resources/restore-backup", output = crate::json::Json)]
pub async fn restoring_backup(id: String, backup: String) -> Result<RestoreView, ApiError> {
    let cx = crate::ssr::cx()?;
    let (id, backup) = (
        crate::ssr::id(&id)?,
        crate::ssr::id::<lingbao_model::id::BackupId>(&backup)?,
    );
    Ok(lingbao_core::fulfil::restore::preview(&cx, &id, &backup).await?)
}

/// The page of a snapshot.
#[component]
pub fn RestorePage() -> impl IntoView {
    let params = use_params_map();
    let of = move |name: &'static str| params.with(|p| p.get(name).unwrap_or_default());
    let found = Resource::new(
        move || (of("id"), of("snapshot")),
        |(id, snapshot)| restoring(id, snapshot),
    );
    page_of(found, |found| view! { <Form found/> }.into_any())
}

/// The page of a backup.
#[component]
pub fn RestoreBackupPage() -> impl IntoView {
    let params = use_params_map();
    let of = move |name: &'static str| params.with(|p| p.get(name).unwrap_or_default());
    let found = Resource::new(
        move || (of("id"), of("backup")),
        |(id, backup)| restoring_backup(id, backup),
    );
    page_of(found, |found| view! { <Form found/> }.into_any())
}

/// Title of the page, and what is made out of what.
fn heading(found: &RestoreView) -> (&'static str, String) {
    match (&found.snapshot, &found.backup) {
        (Some(one), _) => (
            t!("restore.title"),
            t!(
                "restore.fact",
                snapshot = one.name.clone(),
                at = moment(one.at)
            ),
        ),
        (None, Some(one)) => (
            t!("restore.backup_title"),
            t!("restore.backup_fact", at = moment(one.at)),
        ),
        (None, None) => (t!("restore.title"), String::new()),
    }
}

#[component]
fn Form(found: RestoreView) -> impl IntoView {
    let crumbs = below(&found.resource, &found.resource_name);
    let (title, fact) = heading(&found);
    let money = facts::charge(found.quote.each, found.quote.once);
    let effect: Vec<(Text, AnyView)> = vec![
        (
            t!("resources.snapshot_size").into(),
            t!("resources.gb", n = found.size_gb).into_any(),
        ),
        (t!("restore.price").into(), money.into_any()),
        (
            t!("resources.until").into(),
            day(found.expires_at).into_any(),
        ),
        (
            t!("resources.billing").into(),
            t!("restore.charged").into_any(),
        ),
        (t!("restore.approval").into(), way(&found.route).into_any()),
    ];
    // Where somebody must agree the same form asks for it.
    let asks = !found.route.is_empty();
    let submit = if asks {
        t!("restore.ask")
    } else {
        t!("restore.submit")
    };
    let reason = asks.then(|| {
        view! {
            <input type="hidden" name="asks" value="yes"/>
            <Field name="reason" label=t!("restore.reason") hint=t!("restore.reason_hint")>
                <TextArea rows=3 maxlength=REASON_MAX/>
            </Field>
        }
    });
    let bars = found
        .changes
        .iter()
        .filter(|change| change.asked != 0)
        .map(|change| bar(change, &found.pools))
        .collect_view();
    let blocks: Vec<String> = found.blocks.iter().map(i18n::msg).collect();
    let act = if blocks.is_empty() {
        view! {
            <form method="post" class="panel panel-pad narrow">
                <FormId/>
                <input type="hidden" name="month" value=found.quote.each.fen().to_string()/>
                <Field name="name" label=t!("restore.name") hint=t!("restore.name_hint")>
                    <TextInput value=found.name maxlength=40_u32/>
                </Field>
                {reason}
                <div class="field">
                    <Button kind=Kind::Main>{submit}</Button>
                </div>
            </form>
        }
        .into_any()
    } else {
        view! {
            <Banner tone=Tone::Bad>
                <ul>{blocks.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
                <a href=routes::QUOTA>{t!("restore.quota_link")}</a>
            </Banner>
        }
        .into_any()
    };
    view! {
        <PageHead title fact crumbs/>
        <ErrorSummary/>
        <div class="gap-6">
            <Panel title=t!("restore.effect") pad=true>
                <Facts facts=effect/>
            </Panel>
            <Panel title=t!("restore.quota") pad=true>
                <div class="qs">{bars}</div>
                <QuotaKey with_now=true/>
            </Panel>
            {act}
        </div>
    }
}

/// One dimension in one pool, before and after.
pub fn bar(change: &Change, pools: &[(PoolId, Label)]) -> AnyView {
    let (label, amounts) = facts::of_quota(change, pools);
    let shown = |n: i64| facts::amount(change.dimension, n);
    let after = change.before.with_held(change.asked);
    let numbers = t!(
        "restore.left",
        asked = shown(change.asked),
        left = shown(after.left()),
        limit = facts::measured(change.dimension, change.before.limit)
    )
    .into_any();
    view! { <QuotaLine label amounts numbers/> }.into_any()
}

/// The month price that the form was shown with.
#[cfg_attr(
    not(feature = "ssr"),
    expect(dead_code, reason = "only the server reads posts")
)]
fn month(typed: &str) -> Option<Money> {
    typed.parse().ok().map(Money::from_fen)
}

/// The post of the page.
pub mod ssr {
    use crate::area::resources::change::ssr::asked;
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::{fulfil::restore, service::request::change};
    use lingbao_model::{
        change::CopyId,
        id::{BackupId, ResourceId, SnapshotId},
        msg::Msg,
        view::request::ChangeForm,
    };

    /// Makes the disk out of a snapshot, or asks for it where somebody must agree.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn submit(form: Posted) -> Result<Done, Refused> {
        let snapshot = id::<SnapshotId>(form.param("snapshot"))?;
        make(&form, CopyId::Snapshot(snapshot)).await
    }

    /// The same out of a backup.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn submit_backup(form: Posted) -> Result<Done, Refused> {
        let backup = id::<BackupId>(form.param("backup"))?;
        make(&form, CopyId::Backup(backup)).await
    }

    async fn make(form: &Posted, copy: CopyId) -> Result<Done, Refused> {
        let cx = cx()?;
        let of = id::<ResourceId>(form.param("id"))?;
        let month = super::month(form.value("month")).ok_or_else(ApiError::not_found)?;
        if form.value("asks") == "yes" {
            let typed = [
                (copy.field(), copy.as_str().to_owned()),
                ("name", form.value("name").to_owned()),
                ("month", month.fen().to_string()),
            ];
            let order = ChangeForm {
                what: copy.what(),
                typed: typed.map(|(key, text)| (key.to_owned(), text)).into(),
                reason: form.value("reason").to_owned(),
            };
            return match change::create(&cx, &of, &order, form.form_id()).await {
                Ok(made) => Ok(asked(made)),
                Err(error) => Err(Refused::short_at("restore", error)),
            };
        }
        let made =
            restore::restore(&cx, &of, copy, form.value("name"), month, form.form_id()).await;
        match made {
            Ok(_) => Ok(Done::to(routes::resource(of.as_str())).say(Msg::new("restore.said"))),
            // Somebody may have taken the quota while the page was read.
            Err(error) => Err(Refused::short_at("restore", error)),
        }
    }
}
