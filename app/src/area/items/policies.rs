//! Which approval policy is in force for each kind of request, and since when.

use crate::{error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Publication,
    time::Zone,
    view::policy::{InForce, PolicyRow},
};

/// All policies.
///
/// # Errors
/// `Forbidden` for whoever does not manage them.
#[server(name = GetPolicies, prefix = "/fn", endpoint = "policies/list", output = crate::json::Json)]
pub async fn get_policies() -> Result<Vec<PolicyRow>, ApiError> {
    Ok(lingbao_core::service::policy::list(&crate::ssr::cx()?).await?)
}

/// The page.
#[component]
pub fn Policies() -> impl IntoView {
    let policies = Resource::new(|| (), |()| get_policies());
    page_of(policies, |rows| view! { <Shown rows/> }.into_any())
}

/// What a policy is called: after the kind of request.
pub fn title(kind: lingbao_model::request::Kind) -> String {
    i18n::t_key(&format!("policy.of.{kind}")).into_owned()
}

/// Which version is in force, since when and by whom.
pub fn in_force(found: &InForce) -> String {
    let number = t!("items.number", n = found.number);
    let by = found.by.as_deref().unwrap_or(t!("items.system"));
    match found.since {
        Some(at) => t!(
            "policy.since",
            number = number,
            at = at.minute_text(Zone::SHANGHAI),
            by = by
        ),
        None => number,
    }
}

#[component]
fn Shown(rows: Vec<PolicyRow>) -> impl IntoView {
    let columns = vec![
        col(t!("policy.title")),
        col(t!("policy.in_force")),
        col(t!("policy.stages")),
        col(t!("items.state")),
    ];
    view! {
        <PageHead title=t!("policy.title") fact=t!("policy.fact")/>
        {super::tabs(routes::ADMIN_POLICIES)}
        <TableBox>
            <Table caption=t!("policy.title") columns>{rows.into_iter().map(row).collect_view()}</Table>
        </TableBox>
    }
}

fn row(row: PolicyRow) -> AnyView {
    let href = routes::policy(row.kind.as_str());
    let (look, text) = match (row.newest, &row.in_force) {
        (Some(Publication::Proposed), _) => (Look::Act, t!("items.waiting")),
        (Some(Publication::Draft), _) => (Look::Wait, t!("items.in_writing")),
        (_, Some(_)) => (Look::Ok, t!("items.state.published")),
        (_, None) => (Look::Bad, t!("policy.nothing")),
    };
    let stages = row.in_force.as_ref().map(|found| {
        let stages = found.policy.stages.iter();
        let names: Vec<_> = stages.map(|stage| i18n::label(&stage.name)).collect();
        names.join(" → ")
    });
    let holds = match (row.follows, &row.in_force) {
        (Some(other), _) => t!("policy.follows", of = title(other)),
        (None, Some(found)) => in_force(found),
        (None, None) => "—".to_owned(),
    };
    view! {
        <Row>
            <RowHead name=title(row.kind) href/>
            <Cell l=t!("policy.in_force")>{holds}</Cell>
            <Cell l=t!("policy.stages")>{stages.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("items.state")><Chip look text/></Cell>
        </Row>
    }
    .into_any()
}
