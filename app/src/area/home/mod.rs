//! The workbench: what to do, what goes on, the shortest ways on.

use crate::{error::ApiError, facts, i18n, live, pages::page, routes, t, ui::*, viewer};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{
    money::grouped_signed,
    time::Zone,
    view::{
        audit::{AuditLine, Outcome},
        home::{AuditCounts, Home, PeopleCounts},
        operation::OperationCounts,
        page::{Page as Rows, Total as Count},
        people::NoticeRow,
        request::{RequestRow, TodoRow},
    },
};

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/"), Workbench)]
}

/// What the reader's workbench shows.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetHome, prefix = "/fn", endpoint = "home/workbench", output = crate::json::Json)]
pub async fn workbench() -> Result<Home, ApiError> {
    Ok(lingbao_core::service::home::home(&crate::ssr::cx()?).await?)
}

/// The page.
#[component]
fn Workbench() -> impl IntoView {
    let (own, jobs) = (live::version("viewer"), live::version("resources"));
    let found = Resource::new(move || (own.get(), jobs.get()), |_| workbench());
    page_of(found, |found| view! { <Parts found/> }.into_any())
}

fn count(total: Count) -> String {
    match total {
        Count::Exact(n) => grouped_signed(n),
        Count::MoreThan(n) => format!("{}+", grouped_signed(n)),
    }
}

#[component]
fn Parts(found: Home) -> impl IntoView {
    let (many, tiles) = tiles(&found);
    let orders = viewer::use_viewer().is_some_and(|viewer| viewer.can("order"));
    let acts = orders.then(|| {
        view! { <LinkButton href=routes::CATALOGUE kind=Kind::Main icon="plus">{t!("home.order")}</LinkButton> }
            .into_any()
    });
    let main = found.todo.is_some() || found.requests.is_some() || found.audit.is_some();
    let (beside, below) = if main {
        (Some(notices(found.notices)), None)
    } else {
        // Who has no list of their own reads the notices in the wide column.
        (None, Some(notices(found.notices)))
    };
    let aside = view! {
        {quick()}
        {beside}
    }
    .into_any();
    let todo = found.todo.map(todo);
    let requests = found.requests.map(requests);
    let trail = found.audit.map(trail);
    view! {
        <PageHead title=t!("nav.home") nostrip:acts=acts/>
        <Tiles six={many > 4}>{tiles}</Tiles>
        <div class="sec-6">
            <Columns aside>
                {todo}
                {requests}
                {trail}
                {below}
            </Columns>
        </div>
    }
}

/// The counts of the reader's roles, and how many there are.
fn tiles(found: &Home) -> (usize, AnyView) {
    let todo = found.todo.as_ref().map(|todo| {
        let lamp = todo.rows.first().map(|row| {
            let (light, text) = facts::lamp(row.lamp);
            view! { <Lamp light text/> }.into_any()
        });
        view! {
            <Tile label=t!("nav.todo") value=count(todo.total) unit=t!("home.pieces") href=routes::TODO nostrip:note=lamp/>
        }
    });
    let requests = found.requests.as_ref().map(|mine| {
        view! {
            <Tile label=t!("home.mine") value=count(mine.total) unit=t!("home.requests") href=routes::REQUESTS/>
        }
    });
    let resources = found.resources.map(|resources| {
        let note = (resources.expiring > 0)
            .then(|| t!("home.expiring", n = resources.expiring).into_any());
        view! {
            <Tile
                label=t!("nav.resources")
                value=grouped_signed(resources.all)
                unit=t!("home.items")
                href=routes::RESOURCES
                nostrip:note=note
            />
        }
    });
    let mut rest = Vec::new();
    if let Some(counts) = &found.operations {
        rest.extend(operator(counts));
    }
    if let Some(counts) = &found.people {
        rest.extend(administrator(counts));
    }
    if let Some(n) = found.proposed {
        rest.push(number(
            t!("home.proposed"),
            n,
            routes::ADMIN_ITEMS.to_owned(),
            n > 0,
        ));
    }
    if found.policies > 0 {
        rest.push(number(
            t!("home.policies"),
            found.policies,
            routes::ADMIN_POLICIES.to_owned(),
            true,
        ));
    }
    if let Some(counts) = &found.audit {
        rest.extend(auditor(counts));
    }
    let first = [todo.is_some(), requests.is_some(), resources.is_some()];
    let many = first.into_iter().filter(|is| *is).count() + rest.len();
    let tiles = view! {
        {todo}
        {requests}
        {resources}
        {rest}
    };
    (many, tiles.into_any())
}

/// A count that leads to its list; amber when somebody must act.
fn number(label: &'static str, n: i64, href: String, warn: bool) -> AnyView {
    view! { <Tile label value=grouped_signed(n) href warn/> }.into_any()
}

fn operator(counts: &OperationCounts) -> Vec<AnyView> {
    let to = |path: &str| path.to_owned();
    let stuck = counts.stuck + counts.residue;
    let (jobs, silent, differences) = (counts.stuck_jobs, counts.silent, counts.differences);
    vec![
        number(t!("home.stuck"), stuck, to(routes::OPERATIONS), stuck > 0),
        number(t!("home.stuck_jobs"), jobs, to(routes::JOBS), jobs > 0),
        number(
            t!("home.work_orders"),
            counts.work_orders,
            to(routes::WORK_ORDERS),
            false,
        ),
        number(t!("home.silent"), silent, to(routes::CLOUDS), silent > 0),
        number(
            t!("difference.title"),
            differences,
            to(routes::DIFFERENCES),
            differences > 0,
        ),
    ]
}

fn administrator(counts: &PeopleCounts) -> Vec<AnyView> {
    let locked = routes::with_query(routes::ADMIN_USERS, &[("state", "locked")]);
    vec![
        number(t!("home.locked"), counts.locked, locked, counts.locked > 0),
        number(
            t!("home.users"),
            counts.users,
            routes::ADMIN_USERS.to_owned(),
            false,
        ),
        number(
            t!("home.units"),
            counts.units,
            routes::ADMIN_UNITS.to_owned(),
            false,
        ),
    ]
}

fn auditor(counts: &AuditCounts) -> Vec<AnyView> {
    let day = counts.day.to_string();
    let of = |outcome: &str| {
        routes::with_query(routes::ADMIN_AUDIT, &[("outcome", outcome), ("from", &day)])
    };
    let (value, note, warn) = match counts.checked {
        None => (t!("home.chain_unseen"), None, true),
        Some((at, true)) => (t!("home.chain_whole"), Some(at), false),
        Some((at, false)) => (t!("home.chain_broken"), Some(at), true),
    };
    let note = note.map(|at| t!("home.chain_at", at = at.minute_text(Zone::SHANGHAI)).into_any());
    let chain = view! { <Tile label=t!("home.chain") value href=routes::ADMIN_AUDIT nostrip:note=note warn/> };
    vec![
        chain.into_any(),
        number(t!("home.refused"), counts.refused, of("refused"), false),
        number(t!("home.events"), counts.events, of(""), false),
    ]
}

/// The latest events of the audit trail.
fn trail(counts: AuditCounts) -> AnyView {
    let more = view! { <More href=routes::ADMIN_AUDIT>{t!("nav.admin_audit")}</More> }.into_any();
    let body = if counts.last.is_empty() {
        view! { <Empty icon="book" title=t!("audit.none")/> }.into_any()
    } else {
        view! { <ul class="rows">{counts.last.into_iter().map(event).collect_view()}</ul> }
            .into_any()
    };
    view! { <Panel title=t!("home.last_events") more>{body}</Panel> }.into_any()
}

fn event(line: AuditLine) -> impl IntoView {
    let who = line.actor_name.unwrap_or(line.actor);
    let subject = line.subject_name.unwrap_or(line.subject_id);
    let sub = if subject == who {
        who
    } else {
        format!("{who} · {subject}")
    };
    let look = match line.outcome {
        Outcome::Done => Look::Ok,
        Outcome::Refused => Look::Bad,
    };
    let outcome = i18n::t_key(&format!("audit.outcome.{}", line.outcome)).into_owned();
    view! {
        <li class="r-todo">
            <div>
                <span class="lead plain">{facts::action(&line.action)}</span>
                <div class="sub">{sub}</div>
            </div>
            <div class="sub">{line.at.minute_text(Zone::SHANGHAI)}</div>
            <div><Chip look text=outcome/></div>
        </li>
    }
}

fn todo(todo: Rows<TodoRow>) -> AnyView {
    let more =
        view! { <More href=routes::TODO>{t!("home.all", n = count(todo.total))}</More> }.into_any();
    let body = if todo.rows.is_empty() {
        view! { <Empty icon="inbox" title=t!("home.no_todo")/> }.into_any()
    } else {
        view! { <ul class="rows">{todo.rows.into_iter().map(step).collect_view()}</ul> }.into_any()
    };
    view! { <Panel title=t!("nav.todo") more>{body}</Panel> }.into_any()
}

fn step(row: TodoRow) -> impl IntoView {
    let (light, text) = facts::lamp(row.lamp);
    let sub = format!(
        "{} · {} · {}",
        row.number,
        row.unit_name,
        facts::label(&row.step_name)
    );
    view! {
        <li class="r-todo">
            <div>
                <a class="lead" href=routes::card(row.step.as_str())>{row.title}</a>
                <div class="sub">{sub}</div>
            </div>
            <div class="num">{facts::charge(row.month, row.once)}</div>
            <div><Lamp light text/></div>
        </li>
    }
}

fn requests(mine: Rows<RequestRow>) -> AnyView {
    let more = view! { <More href=routes::REQUESTS>{t!("home.all", n = count(mine.total))}</More> }
        .into_any();
    let body = if mine.rows.is_empty() {
        let act = view! { <LinkButton href=routes::CATALOGUE>{t!("nav.catalogue")}</LinkButton> }
            .into_any();
        view! { <Empty icon="doc" title=t!("home.no_requests") note=t!("home.no_requests_note") act/> }.into_any()
    } else {
        view! { <ul class="rows">{mine.rows.into_iter().map(request).collect_view()}</ul> }
            .into_any()
    };
    view! { <Panel title=t!("home.mine") more>{body}</Panel> }.into_any()
}

fn request(row: RequestRow) -> impl IntoView {
    let state = match &row.stage_name {
        Some(stage) => facts::label(stage),
        None => i18n::t_key(&format!("request.status.{}", row.status)).into_owned(),
    };
    let lamp = row.lamp.map(|lamp| {
        let (light, text) = facts::lamp(lamp);
        view! { <Lamp light text/> }
    });
    let sub = format!("{} · {} · {state}", row.number, row.system_name);
    view! {
        <li class="r-todo">
            <div>
                <a class="lead" href=routes::request(&row.number)>{row.title}</a>
                <div class="sub">{sub}</div>
            </div>
            <div class="num">{facts::charge(row.month, row.once)}</div>
            <div>{lamp}</div>
        </li>
    }
}

/// The shortest ways, by what the reader may do.
fn quick() -> Option<AnyView> {
    let viewer = viewer::use_viewer()?;
    let ways = [
        ("order", routes::CATALOGUE, t!("nav.catalogue")),
        ("order", routes::CART, t!("nav.cart")),
        ("read_resources", routes::RESOURCES, t!("nav.resources")),
        ("overview", routes::OVERVIEW, t!("nav.overview")),
        ("operate", routes::WORK_ORDERS, t!("nav.work_orders")),
        ("read_audit", routes::ADMIN_AUDIT, t!("nav.admin_audit")),
        ("operate", routes::OPERATIONS, t!("nav.operations")),
        ("manage_units", routes::ADMIN_UNITS, t!("nav.admin_units")),
        ("manage_units", routes::ADMIN_USERS, t!("people.users")),
        ("manage_roles", routes::ADMIN_USERS, t!("people.users")),
        ("", routes::HELP, t!("nav.help")),
    ];
    let links = ways
        .into_iter()
        .filter(|(ability, path, _)| {
            routes::PATHS.contains(path) && (ability.is_empty() || viewer.can(ability))
        })
        .map(|(_, path, text)| view! { <li><a class="lead plain" href=path>{text}</a></li> })
        .collect_view();
    Some(
        view! { <Panel title=t!("home.quick")><ul class="rows rows-s">{links}</ul></Panel> }
            .into_any(),
    )
}

fn notices(rows: Vec<NoticeRow>) -> AnyView {
    let more = view! { <More href=routes::NOTICES>{t!("home.all_notices")}</More> }.into_any();
    let body = if rows.is_empty() {
        view! { <Empty icon="bell" title=t!("notices.none")/> }.into_any()
    } else {
        view! { <ul class="rows rows-s">{rows.into_iter().map(notice).collect_view()}</ul> }
            .into_any()
    };
    view! { <Panel title=t!("nav.notices") more>{body}</Panel> }.into_any()
}

fn notice(row: NoticeRow) -> impl IntoView {
    view! {
        <li>
            <a class="lead plain" href=routes::local_path(&row.link).to_owned()>{i18n::msg(&row.msg)}</a>
            <span class="sub">{row.at.minute_text(Zone::SHANGHAI)}</span>
        </li>
    }
}
