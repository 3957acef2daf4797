//! One request: where it stands, what it asks for, what was said, how the delivery goes.

use super::list::{look, status_text};
use crate::{asked, error::ApiError, facts, form::FormId, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    fulfilment::Status as PieceStatus,
    money::Money,
    request::{Decision, Kind as RequestKind, Status, StepStatus},
    time::Zone,
    view::request::{Act, DetailLine, PieceView, RequestDetail, StepView},
};

/// One request in sight.
///
/// # Errors
/// `NotFound`.
#[server(name = GetRequest, prefix = "/fn", endpoint = "requests/get", output = crate::json::Json)]
pub async fn get_request(id: String) -> Result<RequestDetail, ApiError> {
    use lingbao_core::service::{notice, request::detail};
    let cx = crate::ssr::cx()?;
    let id = detail::find(&cx, &id).await?;
    let found = detail::detail(&cx, &id).await?;
    notice::seen(&cx, &routes::request(id.as_str())).await;
    Ok(found)
}

/// The page; it follows the request by events, without a reload.
#[component]
pub fn Detail() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version(&format!("request:{}", id.get_untracked()));
    let request = Resource::new(move || (id.get(), version.get()), |(id, _)| get_request(id));
    page_of(request, |request| view! { <Shown request/> }.into_any())
}

#[component]
fn Shown(request: RequestDetail) -> impl IntoView {
    let row = &request.row;
    let fact = format!(
        "{} · {} · {}",
        row.number, request.unit_full_name, row.applicant_name
    );
    let crumbs = vec![(t!("nav.requests").to_owned(), routes::REQUESTS.to_owned())];
    let acts = view! { <Acts request=request.clone()/> };
    let lines = request.lines.iter().map(line).collect_view();
    let releases = request
        .releases
        .iter()
        .map(|one| {
            let href = routes::resource(one.resource.as_str());
            let (name, code, month) = (
                one.name.clone(),
                one.code.clone(),
                facts::charge(-one.month, Money::ZERO),
            );
            let when = match (one.erase_at, one.released_at) {
                (Some(at), _) => {
                    t!("requests.erased_on", day = Zone::SHANGHAI.date(at))
                }
                (None, Some(at)) => at.minute_text(Zone::SHANGHAI),
                (None, None) => "—".to_owned(),
            };
            let certificate = one.certificate.clone().map(|number| {
                let href = routes::certificate(one.resource.as_str());
                view! { <a class="sub" href=href>{number}</a> }
            });
            view! {
                <Row>
                    <RowHead name href sub=code/>
                    <Cell l=t!("requests.spec")>{t!("requests.release")}</Cell>
                    <Cell l=t!("requests.count")>"1"</Cell>
                    <Cell l=t!("requests.delivery")>
                        {when}
                        {certificate}
                    </Cell>
                    <Cell l=t!("requests.month") class="num">{month}</Cell>
                </Row>
            }
        })
        .collect_view();
    let change = request.change.as_ref().map(|line| {
        let href = routes::resource(line.resource.as_str());
        let rows = facts::steps(&line.change);
        let name = format!("{} · {}", line.name, i18n::label(&line.item_name));
        let from = line.change.price_from.map(|at| {
            let day = Zone::SHANGHAI.date(at).to_string();
            view! { <p class="sub">{t!("change.price_from", day = day)}</p> }
        });
        view! {
            <Panel title=t!("change.effect") pad=true>
                <p class="h-gap"><a href=href>{name}</a></p>
                <BeforeAfter caption=t!("change.effect") rows/>
                {from}
            </Panel>
        }
    });
    let lists = request.change.is_none();
    let columns = vec![
        col(t!("requests.item")),
        col(t!("requests.spec")),
        col(t!("requests.count")),
        col(t!("requests.delivery")),
        col(t!("requests.month")).class("num"),
    ];
    let history: Vec<Event> = request
        .history
        .iter()
        .rev()
        .map(|entry| Event {
            shape: shape(&entry.msg.key),
            title: i18n::msg(&entry.msg).into_any(),
            when: entry.at.minute_text(Zone::SHANGHAI),
            say: entry.by_name.clone().unwrap_or_default(),
        })
        .collect();
    let warns = request
        .verdict
        .iter()
        .flat_map(|v| v.warns.iter())
        .map(|w| view! { <li>{i18n::msg(w)}</li> })
        .collect_view();
    let system = request
        .system
        .as_ref()
        .map_or_else(|| "—".to_owned(), |s| s.name.clone());
    let per_month = match &request.change {
        Some(line) if !line.change.what.makes_disk() => t!("change.difference"),
        _ => t!("requests.per_month"),
    };
    let facts: Vec<(Text, AnyView)> = vec![
        (t!("requests.system").into(), system.into_any()),
        (
            t!("requests.reason").into(),
            request.reason.clone().into_any(),
        ),
        (
            per_month.into(),
            format!("{} {}", row.month.yuan(), t!("requests.yuan")).into_any(),
        ),
        (
            t!("requests.once").into(),
            format!("{} {}", row.once.yuan(), t!("requests.yuan")).into_any(),
        ),
        (
            t!("requests.submitted").into(),
            row.submitted_at.minute_text(Zone::SHANGHAI).into_any(),
        ),
    ];
    let mut facts = facts;
    if let Some(days) = request.keep_days {
        let text = match days {
            0 => t!("requests.kept_not").to_owned(),
            n => t!("requests.kept_days", n = n),
        };
        facts.push((t!("requests.kept").into(), text.into_any()));
    }
    view! {
        <PageHead title=row.title.clone() fact crumbs acts=acts.into_any()/>
        <ErrorSummary/>
        <p class="acts acts-tail"><Chip look=look(row.status) text=status_text(row.status) boxed=true/></p>
        <Track steps=track(&request)/>
        {change}
        {lists
            .then(|| {
                view! {
                    <TableBox>
                        <Table caption=t!("requests.lines") columns>{lines}{releases}</Table>
                    </TableBox>
                }
            })}
        <Panel title=t!("requests.about") pad=true>
            <Facts facts/>
            <ul>{warns}</ul>
        </Panel>
        <Panel title=t!("requests.opinions") pad=true>
            <Timeline events=opinions(&request.steps)/>
        </Panel>
        <Panel title=t!("requests.history") pad=true>
            <Timeline events=history dense=true/>
        </Panel>
    }
}

/// The stages of the last round, and what comes before and after them.
fn track(request: &RequestDetail) -> Vec<TrackStep> {
    let round = request.steps.iter().map(|s| s.round).max().unwrap_or(0);
    let mut steps = vec![TrackStep {
        stage: Stage::Was,
        title: t!("requests.track.submit").to_owned(),
        detail: request
            .row
            .submitted_at
            .minute_text(Zone::SHANGHAI)
            .into_any(),
    }];
    for step in request
        .steps
        .iter()
        .filter(|s| s.round == round && s.status != StepStatus::Void)
    {
        let stage = match step.status {
            StepStatus::Approved => Stage::Was,
            StepStatus::Open => Stage::Now,
            StepStatus::Returned | StepStatus::Rejected => Stage::Act,
            StepStatus::Planned | StepStatus::Void => Stage::Next,
        };
        let who = match &step.opinion {
            Some(opinion) => format!(
                "{} {}",
                opinion.by_name,
                opinion.at.minute_text(Zone::SHANGHAI)
            ),
            None => step.people.join(" "),
        };
        steps.push(TrackStep {
            stage,
            title: i18n::label(&step.name),
            detail: who.into_any(),
        });
    }
    // Refused or taken back, it ends here: nothing was delivered, and nobody will confirm.
    if matches!(request.row.status, Status::Rejected | Status::Withdrawn) {
        steps.push(TrackStep {
            stage: Stage::Act,
            title: status_text(request.row.status),
            detail: request
                .closed_at
                .map(|at| at.minute_text(Zone::SHANGHAI))
                .into_any(),
        });
        return steps;
    }
    let fulfil = match (request.approved_at, request.settled_at) {
        (_, Some(_)) => Stage::Was,
        (Some(_), None) => Stage::Now,
        (None, None) => Stage::Next,
    };
    steps.push(TrackStep {
        stage: fulfil,
        title: t!("requests.track.fulfil").to_owned(),
        detail: ().into_any(),
    });
    let confirm = match (request.settled_at, request.closed_at) {
        (_, Some(_)) => Stage::Was,
        (Some(_), None) => Stage::Act,
        (None, None) => Stage::Next,
    };
    steps.push(TrackStep {
        stage: confirm,
        title: t!("requests.track.confirm").to_owned(),
        detail: ().into_any(),
    });
    steps
}

fn line(line: &DetailLine) -> AnyView {
    let view = &line.view;
    let own = &view.line;
    let place = [view.zone_name.as_ref(), view.pool_name.as_ref()]
        .into_iter()
        .flatten()
        .map(i18n::label)
        .collect::<Vec<_>>();
    let mut sub = own.name.clone();
    if let Some((position, name)) = &view.attached_to {
        sub = format!("{sub} → {position} {name}");
    }
    let spec = facts::joined([facts::line(&view.facts), place.join(" · ")]);
    let money = facts::charge(own.quote.month, own.quote.once);
    let (count, delivery) = (own.count, pieces(&line.pieces));
    let name = i18n::label(&own.item_name);
    view! {
        <Row>
            <RowHead name sub/>
            <Cell l=t!("requests.spec")>{spec}</Cell>
            <Cell l=t!("requests.count")>{count}</Cell>
            <Cell l=t!("requests.delivery")>{delivery}</Cell>
            <Cell l=t!("requests.month") class="num">{money}</Cell>
        </Row>
    }
    .into_any()
}

/// How many pieces stand where; a failed one with its reason, a delivered one with its link.
fn pieces(pieces: &[PieceView]) -> AnyView {
    if pieces.is_empty() {
        return "—".into_any();
    }
    let chips = PieceStatus::ALL.iter().filter_map(|status| {
        let n = pieces.iter().filter(|p| p.status == *status).count();
        let look = match status {
            PieceStatus::Waiting => Look::Wait,
            PieceStatus::Running => Look::Run,
            PieceStatus::Delivered => Look::Ok,
            PieceStatus::Failed | PieceStatus::Residue => Look::Bad,
            PieceStatus::Cancelled => Look::Stop,
        };
        let text = format!("{} {n}", i18n::t_key(&format!("requests.piece.{status}")));
        (n > 0).then(|| view! { <Chip look text/> " " })
    });
    let reason = pieces
        .iter()
        .find_map(|p| p.reason.as_ref())
        .map(|r| view! { <div class="sub">{i18n::msg(r)}</div> });
    view! { {chips.collect_view()} {reason} }.into_any()
}

/// The sign of an entry of the history.
fn shape(key: &str) -> &'static str {
    let says = |word: &str| key.contains(word);
    if says("reject")
        || says("failed")
        || says("not_released")
        || says("not_changed")
        || says("not_restored")
    {
        "bad"
    } else if says("return") || says("withdraw") || says("partial") || says("expired") {
        "act"
    } else {
        "ok"
    }
}

fn opinions(steps: &[StepView]) -> Vec<Event> {
    let mut said: Vec<Event> = steps
        .iter()
        .filter_map(|step| {
            let opinion = step.opinion.as_ref()?;
            let what = i18n::t_key(&format!("approvals.decided.{}", opinion.decision)).into_owned();
            Some(Event {
                shape: match opinion.decision {
                    Decision::Approve => "ok",
                    Decision::Return => "act",
                    Decision::Reject => "bad",
                },
                title: format!("{} · {} · {what}", i18n::label(&step.name), opinion.by_name)
                    .into_any(),
                when: opinion.at.minute_text(Zone::SHANGHAI),
                say: opinion.text.clone(),
            })
        })
        .collect();
    if said.is_empty() {
        said.push(Event {
            shape: "wait",
            title: t!("requests.no_opinions").into_any(),
            when: String::new(),
            say: String::new(),
        });
    }
    said
}

/// What this viewer may do now.
#[component]
fn Acts(request: RequestDetail) -> impl IntoView {
    let may = |act: Act| request.may.contains(&act);
    let card = request.my_step.as_ref().map(|step| {
        view! { <LinkButton href=routes::card(step.as_str()) kind=Kind::Main>{t!("requests.decide")}</LinkButton> }
    });
    let print = routes::request_print(&request.row.number);
    let delivery = may(Act::Delivery).then(|| {
        let href = format!("/deliveries/{}", request.row.id);
        view! { <LinkButton href icon="doc">{t!("requests.delivery_sheet")}</LinkButton> }
    });
    let certified = request.releases.iter().any(|one| one.certificate.is_some());
    let certificates = certified.then(|| {
        let href = routes::certificates(&request.row.number);
        view! { <LinkButton href icon="doc">{t!("certificate.all")}</LinkButton> }
    });
    // Who looks after fulfilment goes from a request to what was done for it.
    let operates = crate::viewer::use_viewer().is_some_and(|viewer| viewer.can("operate"));
    let fulfilment = operates.then(|| {
        let href = routes::with_query(routes::OPERATIONS, &[("request", &request.row.number)]);
        view! { <LinkButton href icon="tool">{t!("operations.list")}</LinkButton> }
    });
    let supplement = may(Act::Supplement).then(|| {
        let href = match &request.change {
            Some(line) => routes::change(
                line.resource.as_str(),
                line.change.what.as_str(),
                request.row.id.as_str(),
            ),
            None if request.row.kind == RequestKind::Release => {
                routes::release_again(request.row.id.as_str())
            }
            None => format!("{}/{}", routes::CART, request.row.id),
        };
        view! { <LinkButton href kind=Kind::Main>{t!("requests.supplement")}</LinkButton> }
    });
    view! {
        {delivery}
        {certificates}
        {fulfilment}
        {supplement}
        {card}
        <LinkButton href=print icon="print">{t!("print.open")}</LinkButton>
        <form method="post" class="acts">
            <FormId/>
            <input type="hidden" name="version" value=request.version.to_string()/>
            {may(Act::Copy).then(|| view! { <Button name="do" value="copy" icon="copy">{t!("requests.copy")}</Button> })}
            {may(Act::Withdraw).then(|| view! { <Confirm act=t!("requests.withdraw") note=t!("requests.withdraw_note") value="withdraw"/> })}
            {may(Act::Confirm)
                .then(|| view! { <Button kind=Kind::Main name="do" value="confirm">{t!("requests.confirm")}</Button> })}
        </form>
    }
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::service::{cart, request};
    use lingbao_model::{id::RequestId, msg::Msg};

    /// Withdraws, confirms or copies.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let own: RequestId = request::detail::find(&cx, form.param("id")).await?;
        let version: i64 = form.value("version").parse().unwrap_or(0);
        match form.value("do") {
            "withdraw" => {
                request::withdraw::withdraw(&cx, &own, version).await?;
                Ok(Done::to(routes::request(own.as_str())).say(Msg::new("requests.said.withdraw")))
            }
            "confirm" => {
                request::confirm::confirm(&cx, &own, version).await?;
                Ok(Done::to(routes::request(own.as_str())).say(Msg::new("requests.said.confirm")))
            }
            "copy" => {
                let copied = cart::copy_by(&cx, &own, form.form_id()).await?;
                Ok(Done::to(format!("{}/{}", routes::CART, copied.cart))
                    .say(Msg::new("requests.said.copy"))
                    .note(copied.notes))
            }
            _ => Err(ApiError::not_found().into()),
        }
    }
}
