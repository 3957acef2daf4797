//! A host's system anew (重装系统): what is lost and what stays, then the way in and the name to type.

use super::words::{against, below, day, link};
use crate::{asked, error::ApiError, facts, form::FormId, i18n, live, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::resource::ReinstallView;

/// What installing a host anew would do, in the reader's sight.
///
/// # Errors
/// `NotFound`.
#[server(name = GetReinstall, prefix = "/fn", endpoint = "resources/reinstall", output = crate::json::Json)]
pub async fn reinstalling(id: String) -> Result<ReinstallView, ApiError> {
    let cx = crate::ssr::cx()?;
    Ok(lingbao_core::fulfil::reinstall::view(&cx, &crate::ssr::id(&id)?).await?)
}

/// The page.
#[component]
pub fn ReinstallPage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version(&format!("resource:{}", id.get_untracked()));
    let found = Resource::new(
        move || (id.get(), version.get()),
        |(id, _)| reinstalling(id),
    );
    page_of(found, |found| view! { <Reinstall found/> }.into_any())
}

#[component]
fn Reinstall(found: ReinstallView) -> impl IntoView {
    let crumbs = below(&found.resource, &found.name);
    let image = found.image.as_ref().map(facts::label).unwrap_or_default();
    let fact = t!("reinstall.fact", name = found.name.clone(), image = image);
    let banners = against([found.busy.as_ref(), found.closed.as_ref()]);
    let stays = stays(&found);
    let form = found.may.then(|| form(&found));
    view! {
        <PageHead title=t!("reinstall.title") fact=fact crumbs/>
        <ErrorSummary/>
        {banners}
        <div class="gap-6">
            <Panel title=t!("reinstall.lost") pad=true>
                <p><b>{t!("reinstall.lost_note")}</b></p>
            </Panel>
            <Panel title=t!("reinstall.stays") pad=true>
                <Facts facts=stays/>
            </Panel>
            {form}
        </div>
    }
}

/// What stays as it is: of the host, of what hangs on it, and of its contract.
fn stays(found: &ReinstallView) -> Vec<(Text, AnyView)> {
    let text = |text: String| text.into_any();
    let rules = i64::try_from(found.rules).unwrap_or(i64::MAX);
    let attached = if found.attachments.is_empty() {
        text(t!("reinstall.attached_none").to_owned())
    } else {
        let links = found.attachments.iter();
        let links = links
            .map(|one| view! { <div>{link(one)}</div> })
            .collect_view();
        view! { {links} <div class="sub">{t!("reinstall.attached_note")}</div> }.into_any()
    };
    let power = if found.runs {
        t!("reinstall.power_on")
    } else {
        t!("reinstall.power_off")
    };
    let mut all: Vec<(Text, AnyView)> = vec![
        (
            t!("reinstall.price").into(),
            text(t!("reinstall.price_same", month = found.month.yuan())),
        ),
        (
            t!("reinstall.quota").into(),
            text(t!("reinstall.quota_same").to_owned()),
        ),
        (
            t!("reinstall.until").into(),
            text(t!("reinstall.until_same", day = day(found.expires_at))),
        ),
        (
            t!("reinstall.name").into(),
            text(t!("reinstall.name_stays", name = found.name.clone())),
        ),
    ];
    if let Some(address) = found.address.clone() {
        let address = view! { <span class="mono">{address}</span> };
        all.push((t!("reinstall.address").into(), address.into_any()));
    }
    all.push((t!("reinstall.attached").into(), attached));
    all.push((
        t!("reinstall.rules").into(),
        text(t!("reinstall.rules_n", n = rules)),
    ));
    all.push((t!("reinstall.power").into(), text(power.to_owned())));
    all
}

/// Its name is typed, so that nobody presses it by mistake.
fn form(found: &ReinstallView) -> AnyView {
    let options: Vec<Opt> = found
        .ways
        .iter()
        .map(|one| (one.value.clone(), i18n::label(&one.label)))
        .collect();
    let has = |way: &str| found.ways.iter().any(|one| one.value == way);
    let way = if has(&found.way) {
        found.way.clone()
    } else {
        found
            .ways
            .first()
            .map(|one| one.value.clone())
            .unwrap_or_default()
    };
    let key = has("ssh_key").then(|| {
        view! {
            <Field name="ssh_key" label=t!("reinstall.ssh_key") hint=t!("reinstall.ssh_key_hint")>
                <TextInput maxlength=4000_u32/>
            </Field>
        }
    });
    let password =
        has("password").then(|| view! { <p class="sub">{t!("reinstall.password_note")}</p> });
    let image = found.image.as_ref().map(|image| {
        let name = facts::label(image).into_any();
        view! { <Facts facts=vec![(t!("reinstall.image").into(), name)]/> }
    });
    let hint = t!("reinstall.confirm_hint", name = found.name.clone());
    view! {
        <Panel title=t!("reinstall.form")>
            <form method="post" class="panel-pad narrow">
                <FormId/>
                {image}
                <FieldSet name="access" legend=t!("reinstall.access")>
                    <Seg name="access" options value=way/>
                </FieldSet>
                {password}
                {key}
                <Field name="confirm" label=t!("reinstall.confirm") hint=hint>
                    <TextInput maxlength=80_u32/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Bad name="do" value="reinstall">{t!("reinstall.submit")}</Button>
                </div>
            </form>
        </Panel>
    }
    .into_any()
}

/// The post of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::fulfil::reinstall;
    use lingbao_model::{id::ResourceId, msg::Msg, reinstall::ReinstallForm};

    /// Has it installed anew.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn submit(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<ResourceId>(form.param("id"))?);
        if form.value("do") != "reinstall" {
            return Err(ApiError::not_found().into());
        }
        let typed = ReinstallForm {
            access: form.value("access").to_owned(),
            ssh_key: form.value("ssh_key").to_owned(),
            confirm: form.value("confirm").to_owned(),
        };
        reinstall::reinstall(&cx, &of, &typed, form.form_id()).await?;
        Ok(Done::to(routes::resource(of.as_str())).say(Msg::new("reinstall.begun")))
    }
}
