//! One approval policy: what is in force, its versions, who made and who published them.

use super::{
    policies::{in_force, title},
    policy_drawn::{Drawn, Paper},
    policy_form::PolicyForm,
};
use crate::{asked, error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Publication,
    msg::Msg,
    time::{Timestamp, Zone},
    view::{
        item::Act,
        policy::{PolicyVersion, PolicyView},
    },
};

/// One policy.
///
/// # Errors
/// `Forbidden`, `NotFound`.
#[server(name = GetPolicy, prefix = "/fn", endpoint = "policies/get", output = crate::json::Json)]
pub async fn get_policy(kind: String) -> Result<PolicyView, ApiError> {
    Ok(lingbao_core::service::policy::get(&crate::ssr::cx()?, &kind).await?)
}

/// The page: as it is read, as a form (`?as=form`), or on paper (`?as=paper`).
#[component]
pub fn OnePolicy() -> impl IntoView {
    let kind = asked::param("kind");
    let looked = asked::now(|of| of("as"));
    let policy = Resource::new(move || kind.get(), get_policy);
    list_of(looked, policy, |policy, looked: String| {
        match looked.as_str() {
            "form" => view! { <PolicyForm policy/> }.into_any(),
            "paper" => view! { <Paper policy/> }.into_any(),
            _ => view! { <Shown policy/> }.into_any(),
        }
    })
}

#[component]
fn Shown(policy: PolicyView) -> impl IntoView {
    let crumbs = vec![(
        t!("policy.title").to_owned(),
        routes::ADMIN_POLICIES.to_owned(),
    )];
    let here = routes::policy(policy.kind.as_str());
    let newest = policy.versions.first().map(|v| v.state);
    let write = (newest != Some(Publication::Proposed)).then(|| {
        let href = routes::with_query(&here, &[("as", "form")]);
        view! { <LinkButton href kind=Kind::Main>{t!("policy.write")}</LinkButton> }
    });
    let paper = routes::with_query(&here, &[("as", "paper")]);
    let acts = view! {
        <LinkButton href=paper icon="print">{t!("policy.print")}</LinkButton>
        {write}
    };
    let fact = policy
        .in_force
        .as_ref()
        .map_or_else(|| t!("policy.nothing").to_owned(), in_force);
    let follows = policy
        .follows
        .map(|other| view! { <Banner>{t!("policy.follows", of = title(other))}</Banner> });
    let columns = vec![
        col(t!("items.version")),
        col(t!("items.state")),
        col(t!("items.written")),
        col(t!("items.published")),
        col(t!("policy.changes")),
        col(t!("items.acts")).hidden(),
    ];
    // Not in the table: a policy is wider than a cell.
    let before = policy
        .versions
        .iter()
        .filter(|v| v.state != Publication::Published);
    let before = before
        .map(|version| {
            let summary = format!(
                "{} {}",
                t!("items.show"),
                t!("items.number", n = version.number)
            );
            let policy = version.policy.clone();
            view! { <Fold summary><Drawn policy/></Fold> }
        })
        .collect_view();
    let waiting = waiting(policy.versions.first());
    let rows = policy.versions.into_iter().map(row).collect_view();
    view! {
        <PageHead title=title(policy.kind) fact crumbs acts=acts.into_any()/>
        <ErrorSummary/>
        {follows}
        {waiting}
        {policy.in_force.map(|found| view! { <Drawn policy=found.policy/> })}
        <Section title=t!("policy.versions")>
            <TableBox>
                <Table caption=t!("policy.versions") columns>{rows}</Table>
            </TableBox>
            {before}
        </Section>
    }
}

/// What stands before the second person: where the new version is another one.
fn waiting(newest: Option<&PolicyVersion>) -> Option<AnyView> {
    let version = newest.filter(|v| v.state == Publication::Proposed)?;
    let (changes, acts) = (changes(&version.changes), acts(version));
    let shown = view! {
        <Panel title=t!("policy.waiting", n = version.number) pad=true>
            {changes}
            {acts}
        </Panel>
    };
    Some(shown.into_any())
}

fn changes(of: &[Msg]) -> AnyView {
    if of.is_empty() {
        return view! { <span>"—"</span> }.into_any();
    }
    let lines = of.iter().map(|msg| view! { <li>{i18n::msg(msg)}</li> });
    view! { <ul>{lines.collect_view()}</ul> }.into_any()
}

fn acts(version: &PolicyVersion) -> AnyView {
    let buttons = version
        .may
        .iter()
        .filter(|act| **act != Act::Write)
        .map(|act| {
            let kind = if *act == Act::Publish {
                Kind::Main
            } else {
                Kind::Plain
            };
            let text = i18n::t_key(&format!("items.act.{act}")).into_owned();
            view! { <Button kind size=Size::Small name="do" value=act.as_str()>{text}</Button> }
        })
        .collect_view();
    let (number, version) = (version.number.to_string(), version.version.to_string());
    view! {
        <form method="post" class="acts acts-gap">
            <input type="hidden" name="number" value=number/>
            <input type="hidden" name="version" value=version/>
            {buttons}
        </form>
    }
    .into_any()
}

fn row(version: PolicyVersion) -> AnyView {
    let look = match version.state {
        Publication::Draft => Look::Wait,
        Publication::Proposed => Look::Act,
        Publication::Published => Look::Ok,
        Publication::Retired => Look::Stop,
    };
    let text = i18n::t_key(&format!("items.state.{}", version.state)).into_owned();
    let said = |who: Option<String>, at: Option<Timestamp>| {
        at.map_or_else(
            || "—".to_owned(),
            |at| {
                let who = who.unwrap_or_else(|| t!("items.system").to_owned());
                format!("{who} {}", at.minute_text(Zone::SHANGHAI))
            },
        )
    };
    // What waits has its buttons above, beside what is otherwise in it.
    let buttons = (version.state == Publication::Draft).then(|| acts(&version));
    let changed = changes(&version.changes);
    let written = said(version.written_by, Some(version.written_at));
    let published = said(version.published_by, version.published_at);
    let retired = version.retired_at.map(|at| {
        let at = at.minute_text(Zone::SHANGHAI);
        view! { <span class="sub">{t!("policy.until", at = at)}</span> }
    });
    let name = t!("items.number", n = version.number);
    view! {
        <Row>
            <RowHead name/>
            <Cell l=t!("items.state")><Chip look text/></Cell>
            <Cell l=t!("items.written")>{written}</Cell>
            <Cell l=t!("items.published")>{published} {retired}</Cell>
            <Cell l=t!("policy.changes")>{changed}</Cell>
            <Cell l="">{buttons}</Cell>
        </Row>
    }
    .into_any()
}

/// The posts of the page.
pub mod ssr {
    use super::super::{
        policy_rows::{ROW, Rows},
        policy_trial,
    };
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::{error::ServiceError, service::policy};
    use lingbao_model::{
        msg::Msg,
        view::{item::Act, policy::Seen},
    };

    /// Tries, changes rows, writes; or proposes, takes back, publishes.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn post(form: Posted) -> Result<Done, Refused> {
        let kind = form.param("kind").to_owned();
        let whole = |name: &str| form.value(name).parse::<i64>().unwrap_or(0);
        let seen = Seen {
            number: whole("number"),
            version: whole("version"),
        };
        match form.value("do") {
            "try" => {
                let rows = Rows::read(&form.values);
                let mut errors = rows.policy().err().unwrap_or_default();
                let example = policy_trial::facts(|name| form.value(name).to_owned(), &[]);
                errors.extend(example.err());
                Err(Refused::Again(errors))
            }
            "write" => {
                let rows = Rows::read(&form.values);
                let typed = rows.policy()?;
                let written = policy::write(&cx()?, &kind, seen, &typed).await;
                written.map_err(|error| at_fields(error, &rows))?;
                Ok(Done::to(routes::policy(&kind)).say(Msg::new("items.said.written")))
            }
            act => match act.parse::<Act>() {
                Ok(act) => {
                    policy::act(&cx()?, &kind, seen, act).await?;
                    let said = Msg::new(format!("items.said.{act}"));
                    Ok(Done::to(routes::policy(&kind)).say(said))
                }
                Err(_) => Err(pressed(&form, act)),
            },
        }
    }

    /// The form with a row more, with one less, or in another order.
    fn pressed(form: &Posted, act: &str) -> Refused {
        let mut rows = Rows::read(&form.values);
        let at = act.split_once(' ').map_or("", |(_, at)| at);
        let Some(mut values) = rows.press(act, form.value(&format!("{at}.new"))) else {
            return Refused::Problem(ApiError::not_found());
        };
        let names = rows.names().into_iter();
        values.extend(names.map(|name| (ROW.to_owned(), name)));
        Refused::Amended(values, Vec::new())
    }

    fn at_fields(error: ServiceError, rows: &Rows) -> ServiceError {
        match error {
            ServiceError::Invalid(errors) => {
                let named = errors.into_iter().map(|one| rows.at_field(one));
                ServiceError::Invalid(named.collect())
            }
            other => other,
        }
    }
}
