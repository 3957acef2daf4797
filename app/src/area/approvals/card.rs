//! The approval card: one phone screen, three taps, no scripts needed.

use super::lists::lamp;
use crate::{
    asked,
    error::ApiError,
    facts,
    form::use_form,
    i18n, routes, t,
    ui::{Amounts as Bar, *},
};
use leptos::prelude::*;
use leptos_meta::Title;
use lingbao_model::{
    money::{Money, grouped_signed},
    msg::Label,
    quota::{Change, Dimension},
    request::{Decision, Kind as RequestKind},
    text::REASON_MAX,
    time::Zone,
    view::request::{CardView, ChangeLine, LineView, OpinionView, PHRASES},
};

/// The card of a step; opening it marks the step as seen.
///
/// # Errors
/// `NotFound`.
#[server(name = GetCard, prefix = "/fn", endpoint = "approvals/card", output = crate::json::Json)]
pub async fn get_card(step: String) -> Result<CardView, ApiError> {
    use lingbao_core::service::{approval, notice};
    let cx = crate::ssr::cx()?;
    let card = approval::card(&cx, &crate::ssr::id(&step)?).await?;
    notice::seen(&cx, &routes::card(&step)).await;
    Ok(card)
}

/// The page.
#[component]
pub fn Card() -> impl IntoView {
    let step = asked::param("step");
    let card = Resource::new(move || step.get(), get_card);
    view! {
        <div class="ask-page">
            {page_of(card, |card| view! { <Shown card/> }.into_any())}
        </div>
    }
}

#[component]
fn Shown(card: CardView) -> impl IntoView {
    let back = if card.position > 0 {
        t!("approvals.position", n = card.position, of = card.of)
    } else {
        t!("nav.todo").to_owned()
    };
    let what = match card.kind {
        RequestKind::New => {
            let names: Vec<String> = card
                .lines
                .iter()
                .map(|l| format!("{} × {}", i18n::label(&l.line.item_name), l.line.count))
                .collect();
            names.join(t!("ui.comma"))
        }
        RequestKind::Release => t!("approvals.release", n = card.releases.len()),
        RequestKind::Change => card.change.as_ref().map(changed).unwrap_or_default(),
        // Nobody is asked about these.
        RequestKind::Import => String::new(),
    };
    let who = format!(
        "{} · {} {}",
        card.unit_name, card.applicant_name, card.applicant_phone
    );
    let sum = |label: &'static str, amount: Money| {
        view! {
            <div>
                <span>{label}</span>
                <b>{amount.yuan()}<span class="unit">{t!("approvals.yuan")}</span></b>
            </div>
        }
    };
    let places = places(&card.lines);
    let (year, year_unit) = facts::large(card.year);
    let (month, once) = (card.month, card.once);
    // Of a change the month is the difference; something new has no other.
    let per_month = match &card.change {
        Some(line) if !line.change.what.makes_disk() => t!("change.difference"),
        _ => t!("approvals.per_month"),
    };
    let monthly = (month.fen() != 0 || once.fen() == 0).then(|| sum(per_month, month));
    let once = (once.fen() != 0).then(|| sum(t!("approvals.once"), once));
    let pools = card.pools.clone();
    // The place in the queue is only known of its first two hundred.
    let decision = if card.open {
        view! { <Decide digest=card.digest.clone() request=card.request.to_string()/> }.into_any()
    } else {
        view! { <Settled card=card.clone()/> }.into_any()
    };
    view! {
        <div class="head narrow">
            <div class="head-text">
                <a class="more" href=routes::TODO><Icon name="left"/>{back}</a>
            </div>
        </div>
        <ErrorSummary/>
        <Title text=card.title.clone()/>
        <form class="panel ask narrow" method="post">
            // Enter decides nothing: the default button of the form can't be pressed.
            <button hidden disabled></button>
            <section class="ask-what">
                <div class="todo-top"><span>{who}</span>{card.lamp.map(lamp)}</div>
                <h1 class="ask-title">{card.title}</h1>
                <p>{what}</p>
                {places.into_iter().map(|place| view! { <p>{place}</p> }).collect_view()}
                <p>{format!("{}{}", if card.system_name.is_empty() { String::new() } else { format!("{} · ", card.system_name) }, card.reason)}</p>
            </section>
            <section class="ask-money" aria-label=t!("approvals.cost")>
                {monthly}
                {once}
                <div class="second">
                    <span>{t!("approvals.per_year")}</span>
                    <b>{year}<span class="unit">{year_unit}</span></b>
                </div>
            </section>
            {card.change.as_ref().map(before_after)}
            {(!card.changes.is_empty()).then(|| quota(&card.changes, &pools))}
            <section>
                <h2>{t!("approvals.flags")}</h2>
                <ul class="flags">
                    {if card.flags.is_empty() {
                        view! { <li class="flag-ok"><Icon name="shield"/><div>{t!("approvals.no_flags")}</div></li> }.into_any()
                    } else {
                        card.flags
                            .iter()
                            .map(|flag| view! { <li class="flag-warn"><Icon name="warn"/><div>{i18n::msg(flag)}</div></li> })
                            .collect_view()
                            .into_any()
                    }}
                </ul>
                <details class="fold">
                    <summary>{t!("approvals.lines")}</summary>
                    <table class="lines">
                        <caption class="sr">{t!("approvals.lines")}</caption>
                        <tbody>
                            {card.lines.iter().map(line).collect_view()}
                            {card.releases
                                .iter()
                                .map(|r| view! { <tr><th scope="row">{r.name.clone()}</th><td>{(-r.month).yuan()}</td></tr> })
                                .collect_view()}
                        </tbody>
                    </table>
                    <p><a href=routes::request(card.request.as_str())>{card.number.clone()}</a></p>
                </details>
                {(!card.opinions.is_empty()).then(|| opinions(&card.opinions))}
            </section>
            {decision}
        </form>
    }
}

/// What is changed: `变更规格 web（云主机）`.
fn changed(line: &ChangeLine) -> String {
    let what = i18n::t_key(&format!("resources.{}", line.change.what)).into_owned();
    format!("{what} · {} · {}", line.name, i18n::label(&line.item_name))
}

/// 原 and 现 of a change, and from when another price holds.
fn before_after(line: &ChangeLine) -> impl IntoView + use<> {
    let change = &line.change;
    let rows = facts::steps(change);
    let from = change.price_from.map(|at| {
        let day = Zone::SHANGHAI.date(at).to_string();
        view! { <p class="sub">{t!("change.price_from", day = day)}</p> }
    });
    view! { <section><BeforeAfter caption=t!("change.effect") rows/>{from}</section> }
}

/// Zone, level and pool of a line; nothing for work of people.
fn place(view: &LineView) -> Option<String> {
    let level = view.line.placement.as_ref()?.level.msg();
    let zone = view.zone_name.as_ref().map(i18n::label).unwrap_or_default();
    let pool = view.pool_name.as_ref().map(i18n::label).unwrap_or_default();
    Some(format!("{zone} · {} · {pool}", i18n::msg(&level)))
}

/// Where what is asked for will stand, each place once.
fn places(lines: &[LineView]) -> Vec<String> {
    let mut places: Vec<String> = lines.iter().filter_map(place).collect();
    places.sort();
    places.dedup();
    places
}

fn line(view: &LineView) -> impl IntoView + use<> {
    let line = &view.line;
    let spec = facts::line(&view.facts);
    let place = place(view).map(|place| view! { <span class="sub">{place}</span> });
    let amount = facts::charge(line.quote.month, line.quote.once);
    view! {
        <tr>
            <th scope="row">
                {format!("{} × {} ", i18n::label(&line.item_name), line.count)}
                <span class="sub">{format!("{} {spec}", line.name)}</span>
                {place}
            </th>
            <td>{amount}</td>
        </tr>
    }
}

fn opinions(opinions: &[(Label, OpinionView)]) -> impl IntoView + use<> {
    let events: Vec<Event> = opinions
        .iter()
        .map(|(step, opinion)| Event {
            shape: if opinion.decision == Decision::Approve {
                "ok"
            } else {
                "act"
            },
            title: format!("{} · {}", i18n::label(step), opinion.by_name).into_any(),
            when: opinion.at.minute_text(Zone::SHANGHAI),
            say: opinion.text.clone(),
        })
        .collect();
    view! { <Timeline events dense=true/> }
}

/// The three dimensions that are fullest afterwards; all of them stand on the request's page.
fn quota(
    changes: &[Change],
    pools: &[(lingbao_model::id::PoolId, Label)],
) -> impl IntoView + use<> {
    let mut shown: Vec<Change> = changes.iter().filter(|c| c.asked != 0).cloned().collect();
    shown.sort_by_key(|c| -c.before.with_held(c.asked).percent());
    shown.truncate(3);
    let many = pools.len() > 1;
    let rows: Vec<_> = shown
        .iter()
        .map(|change| {
            let mut label = i18n::t_key(&format!("dimension.{}", change.dimension)).into_owned();
            if many && let Some((_, pool)) = pools.iter().find(|(id, _)| *id == change.pool) {
                label = format!("{label} · {}", i18n::label(pool));
            }
            let after = change.before.with_held(change.asked);
            let bar = Bar {
                limit: change.before.limit,
                used: change.before.used + change.before.handed + change.asked.min(0),
                held: change.before.held,
                now: change.asked.max(0),
            };
            let class = if after.percent() >= 90 { "to rise" } else { "to" };
            let left = amount(change.dimension, after.left());
            view! {
                <tr>
                    <th scope="row">{label.clone()}</th>
                    <td>{format!("{}%", change.before.percent())}</td>
                    <td class=class>{format!("{}%", after.percent())}<span class="sub">{t!("approvals.left", left = left)}</span></td>
                </tr>
                <tr class="ba-bar">
                    <td colspan="3"><QuotaBar label amounts=bar class="qbar-s"/></td>
                </tr>
            }
        })
        .collect();
    view! {
        <section>
            <table class="ba">
                <caption class="sr">{t!("approvals.quota")}</caption>
                <thead>
                    <tr>
                        <th scope="col">{t!("approvals.quota_head")}</th>
                        <th scope="col">{t!("approvals.now")}</th>
                        <th scope="col">{t!("approvals.afterwards")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

fn amount(dimension: Dimension, n: i64) -> String {
    if dimension == Dimension::MonthlyFee {
        Money::from_fen(n).yuan()
    } else {
        grouped_signed(n)
    }
}

/// Opinion and buttons. The digest says what was shown: if the request changed meanwhile, the answer
/// is the difference and not a decision.
#[component]
fn Decide(digest: String, request: String) -> impl IntoView {
    let phrases: Vec<_> = PHRASES
        .iter()
        .map(|key| i18n::t_key(key).into_owned())
        .map(|text| (text.clone(), text))
        .collect();
    let typed = use_form().value("opinion").unwrap_or_default().to_owned();
    view! {
        <section>
            <input type="hidden" name="digest" value=digest/>
            <input type="hidden" name="request" value=request/>
            <FieldSet name="phrase" legend=t!("approvals.opinion")>
                <Phrases name="phrase" options=phrases/>
            </FieldSet>
            <Field name="opinion" label=t!("approvals.own_words") optional=true hint=t!("approvals.own_words_hint")>
                <TextArea value=typed rows=2 maxlength=REASON_MAX/>
            </Field>
        </section>
        <div class="thumb">
            <Button name="do" value="reject">{t!("approvals.reject")}</Button>
            <Button name="do" value="return">{t!("approvals.return")}</Button>
            <Button kind=Kind::Main name="do" value="approve">{t!("approvals.approve")}</Button>
        </div>
    }
}

/// A card on which nothing is to be decided by this person.
#[component]
fn Settled(card: CardView) -> impl IntoView {
    let said = match &card.decided {
        Some(opinion) => {
            let what = i18n::t_key(&format!("approvals.decided.{}", opinion.decision)).into_owned();
            t!(
                "approvals.taken",
                who = opinion.by_name.clone(),
                when = opinion.at.minute_text(Zone::SHANGHAI),
                what = what
            )
        }
        None => t!("approvals.not_open").to_owned(),
    };
    view! {
        <section>
            <Banner>{said}</Banner>
            <LinkButton href=routes::request(card.request.as_str())>{t!("approvals.see_request")}</LinkButton>
        </section>
    }
}

/// The post of the page.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::approval;
    use lingbao_model::{
        id::StepId,
        msg::{FieldError, Msg},
        request::Decision,
        view::request::DecideAnswer,
    };

    /// Decides; leads to the next to-do, or to the list.
    ///
    /// # Errors
    /// The card again: without a reason, with the difference, or with who was faster.
    pub async fn decide(form: Posted) -> Result<Done, Refused> {
        let step: StepId = id(form.param("step"))?;
        let decision: Decision = form
            .value("do")
            .parse()
            .map_err(|_| vec![FieldError::new("opinion", Msg::new("error.not_in_list"))])?;
        let typed = form.value("opinion").trim();
        let opinion = if typed.is_empty() {
            form.value("phrase")
        } else {
            typed
        };
        let answer =
            approval::decide(&cx()?, &step, decision, opinion, form.value("digest")).await?;
        match answer {
            DecideAnswer::Decided(done) => {
                let to = done.next.map_or_else(
                    || routes::TODO.to_owned(),
                    |next| routes::card(next.as_str()),
                );
                let said = Msg::new(format!("approvals.said.{}", done.decision))
                    .with("number", done.number);
                Ok(Done::to(to).say(said))
            }
            DecideAnswer::Changed(changed) => {
                let error = |d: &lingbao_model::view::request::Difference| {
                    let none = || Msg::new("approvals.nothing_there");
                    let msg = Msg::new("approvals.difference")
                        .with("what", d.what.clone())
                        .with("before", d.before.clone().unwrap_or_else(none))
                        .with("after", d.after.clone().unwrap_or_else(none));
                    FieldError::new("digest", msg)
                };
                let mut errors = vec![FieldError::new("digest", Msg::new("approvals.changed"))];
                errors.extend(changed.differences.iter().map(error));
                Err(errors.into())
            }
        }
    }
}
