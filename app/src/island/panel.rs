//! The answer before the action: price, quota before and after, verdict, who will approve.

use crate::{
    facts, i18n, t,
    ui::{Verdict as VerdictBox, *},
};
use leptos::prelude::*;
use lingbao_model::{
    id::PoolId,
    msg::{Label, Msg},
    param::{Condition, Kind as ParamKind, Param, Schema},
    policy::Route,
    price::{Charge, Quote},
    quota::Change,
    verdict::Verdict,
    view::request::{ConfigureView, StageView},
};

/// Whether any part of the price is paid month by month; only then there is a term.
pub fn monthly(view: &ConfigureView) -> bool {
    let parts = &view.offer.price.0;
    parts.iter().any(|part| part.charge == Charge::Monthly)
}

/// Without scripts every field stands there: under one that is only sometimes asked for, when.
pub fn when(param: &Param, all: &Schema) -> Option<AnyView> {
    let Some(Condition::OneOf { param, values }) = &param.depends_on else {
        return None;
    };
    let asked = all.get(param)?;
    let ParamKind::Choice { options, .. } = &asked.kind else {
        return None;
    };
    let value: Vec<String> = options
        .iter()
        .filter(|option| values.contains(&option.value))
        .map(|option| i18n::label(&option.label))
        .collect();
    let (param, value) = (i18n::label(&asked.label), value.join(" / "));
    let text = t!("order.when", param = param, value = value);
    Some(view! { <p class="hint hint-after" data-when>{text}</p> }.into_any())
}

/// The lines of a price: `处理器 4 核 × 46.00`.
pub fn price_lines(quote: &Quote) -> Vec<PriceLine> {
    let mut lines: Vec<PriceLine> = quote
        .lines
        .iter()
        .map(|line| {
            let quantity =
                i18n::msg(&Msg::new(format!("quantity.{}", line.unit)).with("n", line.quantity));
            let once = if line.charge == Charge::Once {
                t!("order.once_mark")
            } else {
                ""
            };
            let rate = lingbao_model::money::round_micro(line.rate.of(1));
            let label = i18n::label(&line.label);
            // Where the unit is the thing itself (人日, cores), it is said once.
            let what = if quantity.to_lowercase().ends_with(&label.to_lowercase()) {
                quantity
            } else {
                format!("{label} {quantity}")
            };
            (
                format!("{what} × {}{once}", rate.yuan()),
                line.amount.yuan(),
                false,
            )
        })
        .collect();
    if quote.count > 1 {
        lines.push((t!("order.each").into(), quote.each.yuan(), true));
        lines.push((
            t!("order.pieces").into(),
            format!("× {}", quote.count),
            false,
        ));
    }
    lines
}

/// Reasons, quota and route of a verdict. What is only not filled in yet (`missing`) is no refusal.
pub fn verdict(verdict: &Verdict, missing: Vec<String>, pools: &[(PoolId, Label)]) -> AnyView {
    let warns = verdict.warns.clone();
    let passes = verdict.passes() && missing.is_empty();
    let (tone, title) = match (verdict.passes(), passes) {
        (_, true) => (Tone::Ok, t!("order.passes")),
        (true, false) => (Tone::Warn, t!("order.unfinished")),
        (false, _) => (Tone::Bad, t!("order.blocked")),
    };
    let blocks: Vec<String> = missing
        .into_iter()
        .chain(verdict.blocks.iter().map(i18n::msg))
        .collect();
    let way = way(&verdict.route);
    let bars: Vec<AnyView> = verdict
        .changes
        .iter()
        .filter(|c| c.asked != 0)
        .map(|c| bar(c, pools))
        .collect();
    let has_bars = !bars.is_empty();
    view! {
        {has_bars.then(|| view! { <PricePart title=t!("order.quota")><div class="qs">{bars}</div></PricePart> })}
        <PricePart live=true>
            <VerdictBox tone title>
                {passes.then(|| view! { <p>{way}</p> })}
                {(!blocks.is_empty())
                    .then(|| view! { <ul>{blocks.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul> })}
            </VerdictBox>
            {(!warns.is_empty())
                .then(|| {
                    view! {
                        <VerdictBox tone=Tone::Warn title=t!("order.warns")>
                            <ul>{warns.iter().map(|m| view! { <li>{i18n::msg(m)}</li> }).collect_view()}</ul>
                        </VerdictBox>
                    }
                })}
        </PricePart>
    }
    .into_any()
}

/// Who will approve, in one sentence.
pub fn way(route: &Route) -> String {
    if route.is_automatic() {
        return t!("order.automatic").to_owned();
    }
    let names: Vec<String> = route
        .stages
        .iter()
        .map(|stage| i18n::label(&stage.name))
        .collect();
    t!(
        "order.way",
        stages = names.join(" → "),
        days = i64::from(route.due_days())
    )
}

fn bar(change: &Change, pools: &[(PoolId, Label)]) -> AnyView {
    let (label, amounts) = facts::of_quota(change, pools);
    let shown = |n: i64| facts::amount(change.dimension, n);
    let after = change.before.with_held(change.asked);
    let numbers = t!(
        "order.left",
        left = shown(after.left()),
        limit = facts::measured(change.dimension, change.before.limit)
    )
    .into_any();
    view! { <QuotaLine label amounts numbers/> }.into_any()
}

/// Who will be asked, stage by stage, and within how many days; or that nobody is.
pub fn stages(route: &[StageView]) -> String {
    if route.is_empty() {
        return t!("change.at_once").to_owned();
    }
    let names: Vec<String> = route.iter().map(|s| i18n::label(&s.name)).collect();
    let days: i64 = route.iter().map(|s| i64::from(s.due_days)).sum();
    t!("order.way", stages = names.join(" → "), days = days)
}
