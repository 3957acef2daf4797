//! The audit trail: who did what, as a list and as a file, and whether the chain is whole.

use crate::form::ssr::{Pages, page_post};
use crate::{asked, error::ApiError, facts, i18n, pages::page, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{
    time::Zone,
    view::{
        audit::{ACTIONS, AuditLine, Outcome},
        page::Page as Rows,
    },
};

/// Path of the file.
pub const CSV: &str = "/admin/audit.csv";

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/admin/audit"), Trail)]
}

/// What the page posts to itself, and the list as a file.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(routes::ADMIN_AUDIT, page_post(ssr::verify))
        .route(CSV, axum::routing::get(ssr::csv))
}

asked!(actor, action, subject, outcome, from, to, after);

/// One page of events in the reader's sight.
///
/// # Errors
/// `Forbidden` for others than auditors.
#[server(name = GetAudit, prefix = "/fn", endpoint = "audit/list", output = crate::json::Json)]
pub async fn events(asked: Asked) -> Result<Rows<AuditLine>, ApiError> {
    Ok(lingbao_core::service::audit::list(&crate::ssr::cx()?, &ssr::filter(asked)).await?)
}

/// The page.
#[component]
fn Trail() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let list = Resource::new(move || asked.get(), events);
    list_of(asked, list, |page, asked| {
        view! { <List page asked/> }.into_any()
    })
}

#[component]
fn List(page: Rows<AuditLine>, asked: Asked) -> impl IntoView {
    let first = (!asked.after.is_empty()).then(|| asked.link(routes::ADMIN_AUDIT, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::ADMIN_AUDIT, after));
    let active = asked.active();
    let file = asked.link(CSV, "");
    let acts = view! {
        <form method="post">
            <Button icon="shield">{t!("audit.verify")}</Button>
        </form>
        <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton>
    }
    .into_any();
    let outcomes = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            Outcome::ALL
                .iter()
                .map(|one| (one.to_string(), outcome_text(*one))),
        )
        .collect();
    let actions = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            ACTIONS
                .iter()
                .map(|one| ((*one).to_owned(), facts::action(one))),
        )
        .collect();
    let body = if page.rows.is_empty() {
        view! { <Empty icon="book" title=t!("audit.none")/> }.into_any()
    } else {
        view! { <Events rows=page.rows/> }.into_any()
    };
    view! {
        <PageHead title=t!("nav.admin_audit") fact=t!("audit.fact") acts/>
        <ErrorSummary/>
        <TableBox>
            <FilterBar action=routes::ADMIN_AUDIT active=active>
                <Find name="actor" label=t!("audit.actor") placeholder=t!("audit.actor_hint") value=asked.actor.clone()/>
                <Find name="subject" label=t!("audit.subject") placeholder=t!("audit.subject_hint") value=asked.subject.clone()/>
                <FilterSelect name="action" label=t!("audit.action") options=actions value=asked.action.clone()/>
                <FilterSelect name="outcome" label=t!("audit.outcome") options=outcomes value=asked.outcome.clone()/>
                <div class="bar-two">
                    <FilterDay name="from" label=t!("ui.from") value=asked.from.clone()/>
                    <FilterDay name="to" label=t!("ui.to") value=asked.to.clone()/>
                </div>
            </FilterBar>
            {body}
            <Pager total=page.total nostrip:first=first nostrip:next=next/>
        </TableBox>
    }
}

fn outcome_text(outcome: Outcome) -> String {
    i18n::t_key(&format!("audit.outcome.{outcome}")).into_owned()
}

#[component]
fn Events(rows: Vec<AuditLine>) -> impl IntoView {
    let columns = vec![
        col(t!("audit.what")),
        col(t!("audit.at")).class("half"),
        col(t!("audit.actor")).class("half"),
        col(t!("audit.subject")),
        col(t!("resources.unit")),
        col(t!("audit.ip")),
        col(t!("audit.detail")),
        col(t!("audit.outcome")).class("corner"),
    ];
    view! {
        <Table caption=t!("nav.admin_audit") columns tight=true>
            {rows.into_iter().map(event).collect_view()}
        </Table>
    }
}

fn event(line: AuditLine) -> impl IntoView {
    let seq = line
        .seq
        .map_or_else(|| t!("audit.unsealed").to_owned(), |seq| format!("#{seq}"));
    let look = if line.outcome == Outcome::Done {
        Look::Ok
    } else {
        Look::Bad
    };
    let sub = format!("{} {seq}", line.action);
    let (name, subject) = (facts::action(&line.action), subject(&line));
    let detail = if line.detail == "null" {
        "—".into_any()
    } else {
        view! { <Fold summary=t!("audit.show")><code>{line.detail}</code></Fold> }.into_any()
    };
    view! {
        <Row>
            <RowHead name sub/>
            <Cell l=t!("audit.at") class="half">{line.at.minute_text(Zone::SHANGHAI)}</Cell>
            <Cell l=t!("audit.actor") class="half">{line.actor_name.unwrap_or(line.actor)}</Cell>
            <Cell l=t!("audit.subject")>{subject}</Cell>
            <Cell l=t!("resources.unit")>{line.unit_name.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("audit.ip")>{line.ip.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("audit.detail")>{detail}</Cell>
            <Cell l=t!("audit.outcome") class="corner"><Chip look text=outcome_text(line.outcome)/></Cell>
        </Row>
    }
}

/// What it was done to: its kind in words and its name or id, as a link where the reader may open it.
fn subject(line: &AuditLine) -> AnyView {
    let kind = i18n::t_key(&format!("audit.kind.{}", line.subject_kind)).into_owned();
    let id = line.subject_id.as_str();
    let name = line.subject_name.clone();
    let (href, ability) = match line.subject_kind.as_str() {
        // A cart has no number and no page for others.
        "request" if name.is_some() => (routes::request(id), &["read_requests"][..]),
        "resource" => (routes::resource(id), &["read_resources"][..]),
        "user" => (routes::user(id), &["manage_units", "manage_roles"][..]),
        "unit" => (routes::unit(id), &["manage_units", "manage_roles"][..]),
        "item" => (routes::item(id), &["manage_items", "manage_prices"][..]),
        "policy" => (routes::policy(id), &["manage_items"][..]),
        "saga" => (routes::saga(id), &["operate"][..]),
        "work_order" => (routes::work_order(id), &["operate"][..]),
        "difference" if name.is_some() => (routes::difference(id), &["operate"][..]),
        _ => (String::new(), &[][..]),
    };
    let opens = crate::viewer::use_viewer().is_some_and(|v| ability.iter().any(|a| v.can(a)));
    let text = match name {
        Some(name) => view! { {name} }.into_any(),
        None => view! { <span class="mono">{id.to_owned()}</span> }.into_any(),
    };
    if opens {
        view! { {kind} " " <a href=href>{text}</a> }.into_any()
    } else {
        view! { {kind} " " {text} }.into_any()
    }
}

/// The server's side.
pub mod ssr {
    use super::Asked;
    use crate::{
        csv,
        error::{ApiError, ErrorCode},
        form::ssr::{Done, Pages, Posted, Refused},
        i18n::{self, Lang},
        routes,
        ssr::cx,
    };
    use axum::{
        extract::{Query, Request, State},
        response::Response,
    };
    use lingbao_core::{audit::BrokenWhy, service::audit};
    use lingbao_model::{
        msg::Msg,
        time::Zone,
        view::audit::{AuditFilter, AuditLine},
    };

    /// The filter of the service. A word or a day that is none filters nothing.
    pub fn filter(asked: Asked) -> AuditFilter {
        AuditFilter {
            outcome: asked.outcome.parse().ok(),
            from: asked.from.parse().ok(),
            to: asked.to.parse().ok(),
            after: Some(asked.after).filter(|after| !after.is_empty()),
            actor: asked.actor,
            action: asked.action,
            subject: asked.subject,
            limit: 0,
        }
    }

    /// Walks the chain and says what was found.
    ///
    /// # Errors
    /// `Forbidden` for others than auditors; `Conflict` when the chain is broken.
    pub async fn verify(_: Posted) -> Result<Done, Refused> {
        let check = audit::verify(&cx()?).await?;
        let Some(broken) = check.broken else {
            let said = Msg::new("audit.whole").with("n", check.checked);
            return Ok(Done::to(routes::ADMIN_AUDIT).say(said));
        };
        let why = match broken.why {
            BrokenWhy::Gap => Msg::new("audit.broken.gap"),
            BrokenWhy::Link => Msg::new("audit.broken.link"),
            BrokenWhy::Changed => Msg::new("audit.broken.changed"),
            BrokenWhy::End => Msg::new("audit.broken.end"),
            BrokenWhy::Signature => Msg::new("audit.broken.signature"),
        };
        let msg = Msg::new("audit.broken")
            .with("seq", broken.seq)
            .with("why", why);
        Err(ApiError::new(ErrorCode::Conflict, msg).into())
    }

    /// The filtered list as a file.
    pub async fn csv(
        State(pages): State<Pages>,
        Query(asked): Query<Asked>,
        request: Request,
    ) -> Response {
        let name = "audit.csv";
        let slice = |cx, mut filter: AuditFilter, from| async move {
            filter.after = from;
            audit::export(&cx, &filter).await
        };
        let file = csv::File { name, head, line };
        let filter = || Ok(filter(asked));
        file.answer(&pages, request, filter, slice).await
    }

    fn head(lang: Lang) -> String {
        let keys = [
            "audit.seq",
            "audit.at",
            "audit.actor",
            "audit.code",
            "audit.action",
            "audit.outcome",
            "audit.subject",
            "audit.subject_name",
            "resources.unit",
            "audit.ip",
            "audit.request_id",
            "audit.detail",
        ];
        csv::heads(lang, keys)
    }

    fn line(lang: Lang, line: &AuditLine) -> String {
        let word = |key: String| i18n::msg_in(lang, &Msg::new(key));
        csv::line([
            line.seq.map(|seq| seq.to_string()).unwrap_or_default(),
            line.at.iso(Zone::SHANGHAI),
            line.actor_name
                .clone()
                .unwrap_or_else(|| line.actor.clone()),
            line.action.clone(),
            word(format!("audit.action.{}", line.action)),
            word(format!("audit.outcome.{}", line.outcome)),
            format!("{} {}", line.subject_kind, line.subject_id),
            line.subject_name.clone().unwrap_or_default(),
            line.unit_name.clone().unwrap_or_default(),
            line.ip.clone().unwrap_or_default(),
            line.request_id.clone().unwrap_or_default(),
            line.detail.clone(),
        ])
    }
}
