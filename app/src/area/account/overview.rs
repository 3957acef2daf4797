//! Who one is here, when one was here, and on which browsers one still is.

use super::{password, tokens};
use crate::{error::ApiError, i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    time::Zone,
    view::people::{GrantRow, Profile, SessionRow, Visit},
};
use serde::{Deserialize, Serialize};

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    profile: Profile,
    sessions: Vec<SessionRow>,
}

/// The person's account and sessions.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetOwn, prefix = "/fn", endpoint = "account/own", output = crate::json::Json)]
pub async fn own() -> Result<Own, ApiError> {
    use lingbao_core::service::{notice, session};
    let cx = crate::ssr::cx()?;
    notice::seen(&cx, crate::routes::ME).await;
    Ok(Own {
        profile: session::profile(&cx).await?,
        sessions: session::my_sessions(&cx).await?,
    })
}

/// The page.
#[component]
pub fn Overview() -> impl IntoView {
    let own_data = Resource::new(|| (), |()| own());
    let acts = view! {
        <LinkButton href=password::PATH icon="lock">{t!("account.password")}</LinkButton>
        <LinkButton href=tokens::PATH icon="key">{t!("account.tokens")}</LinkButton>
    };
    view! {
        <PageHead title=t!("account.title") acts=acts.into_any()/>
        <ErrorSummary/>
        {page_of(own_data, |own| view! { <Body own/> }.into_any())}
    }
}

#[component]
fn Body(own: Own) -> impl IntoView {
    let Own { profile, sessions } = own;
    let changed = profile.password_changed_at.minute_text(Zone::SHANGHAI);
    let phone = if profile.phone.is_empty() {
        t!("account.no_phone").to_owned()
    } else {
        profile.phone
    };
    let facts: Vec<(Text, AnyView)> = vec![
        (t!("account.name").into(), profile.name.into_any()),
        (t!("account.login").into(), profile.login.into_any()),
        (t!("account.unit").into(), profile.unit_name.into_any()),
        (t!("account.phone").into(), phone.into_any()),
        (
            t!("account.this_visit").into(),
            visit(profile.last_login).into_any(),
        ),
        (
            t!("account.visit_before").into(),
            visit(profile.prev_login).into_any(),
        ),
        (
            t!("account.failed_tries").into(),
            profile.failed_tries.to_string().into_any(),
        ),
        (t!("account.password_changed").into(), changed.into_any()),
    ];
    view! {
        {profile
            .must_change_password
            .then(|| {
                let acts = view! { <a href=password::PATH>{t!("account.password")}</a> }.into_any();
                view! { <Banner tone=Tone::Warn acts=acts>{t!("account.must_change")}</Banner> }
            })}
        <Panel title=t!("account.about") pad=true>
            <Facts facts/>
        </Panel>
        <Panel title=t!("account.roles")>
            <Roles grants=profile.grants/>
        </Panel>
        <Panel title=t!("account.sessions") sub=t!("account.sessions_sub")>
            <Sessions sessions/>
            <form method="post" class="panel-pad">
                <Button kind=Kind::Bad>{t!("account.everywhere")}</Button>
            </form>
        </Panel>
    }
}

fn visit(visit: Option<Visit>) -> String {
    match visit {
        None => t!("account.never").to_owned(),
        Some(Visit { at, ip }) if ip.is_empty() => at.minute_text(Zone::SHANGHAI),
        Some(Visit { at, ip }) => t!(
            "account.visit",
            at = at.minute_text(Zone::SHANGHAI),
            ip = ip
        ),
    }
}

#[component]
fn Roles(grants: Vec<GrantRow>) -> impl IntoView {
    if grants.is_empty() {
        return view! { <Empty icon="user" title=t!("account.no_roles") note=t!("account.no_roles_note")/> }.into_any();
    }
    let columns = vec![
        col(t!("account.role")),
        col(t!("account.on")),
        col(t!("account.reach")),
    ];
    view! {
        <Table caption=t!("account.roles") columns flat=true>
            {grants
                .into_iter()
                .map(|grant| {
                    let reach = i18n::t_key(&format!("reach.{}", grant.reach)).into_owned();
                    view! {
                        <Row>
                            <RowHead name=i18n::t_key(&format!("role.{}", grant.role)).into_owned()/>
                            <Cell l=t!("account.on")>{grant.unit_name}</Cell>
                            <Cell l=t!("account.reach")>{reach}</Cell>
                        </Row>
                    }
                })
                .collect_view()}
        </Table>
    }
    .into_any()
}

#[component]
fn Sessions(sessions: Vec<SessionRow>) -> impl IntoView {
    let columns = vec![
        col(t!("account.began")),
        col(t!("account.seen")),
        col(t!("account.ends")),
    ];
    view! {
        <Table caption=t!("account.sessions") columns flat=true>
            {sessions
                .into_iter()
                .map(|session| {
                    let current = session.current.then(|| view! { " "<Tag text=t!("account.this_one") accent=true/> });
                    view! {
                        <Row>
                            <RowHead name=session.created_at.minute_text(Zone::SHANGHAI)/>
                            <Cell l=t!("account.seen")>{session.seen_at.minute_text(Zone::SHANGHAI)}{current}</Cell>
                            <Cell l=t!("account.ends")>{session.expires_at.minute_text(Zone::SHANGHAI)}</Cell>
                        </Row>
                    }
                })
                .collect_view()}
        </Table>
    }
}

/// The post of the page.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::service::session;
    use tower_sessions::Session;

    /// Ends all sessions, this one too, and leads to the door.
    ///
    /// # Errors
    /// What the service says.
    pub async fn sign_out_everywhere(form: Posted) -> Result<Done, Refused> {
        session::sign_out_everywhere(&cx()?).await?;
        // The row is gone already; this makes the browser forget its cookie.
        if let Some(browser) = form.parts.extensions.get::<Session>()
            && let Err(error) = browser.flush().await
        {
            tracing::warn!(%error, "session not flushed");
        }
        Ok(Done::to(routes::SIGN_IN))
    }
}
