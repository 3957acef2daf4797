//! The panel beside the form that changes a resource: what becomes of it, as the server reckons it, at the
//! button 计算 and with scripts while one types.

use super::{panel::stages, typed::follow};
use crate::{
    error::ApiError,
    facts, i18n, t,
    ui::{Amounts as Bar, Verdict as VerdictBox, *},
};
use leptos::prelude::*;
use lingbao_model::{
    change::What,
    param::Typed,
    quota::Change as QuotaChange,
    time::Zone,
    view::request::{ChangeView, TriedChange},
};
use serde::{Deserialize, Serialize};

/// What would become of the change as it is typed; `typed` is a JSON object of its fields.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Conflict` when it can't be changed now.
#[server(name = TryChange, prefix = "/fn", endpoint = "resources/change-try", output = crate::json::Json)]
pub async fn try_change(
    id: String,
    what: String,
    request: String,
    typed: String,
) -> Result<TriedChange, ApiError> {
    use lingbao_core::service::request::change;
    let cx = crate::ssr::cx()?;
    let what = what.parse().map_err(|_| ApiError::not_found().answered())?;
    let form = lingbao_model::view::request::ChangeForm {
        what,
        typed: serde_json::from_str(&typed).map_err(|_| ApiError::not_found().answered())?,
        reason: String::new(),
    };
    let request = crate::ssr::id_or_none(&request)?;
    Ok(change::try_it(&cx, &crate::ssr::id(&id)?, &form, request.as_ref()).await?)
}

/// What a change is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The resource.
    pub resource: String,
    /// What is to be changed.
    pub what: What,
    /// The returned request that is supplemented; empty for none.
    pub request: String,
    /// The fields of the form that change price or quota.
    pub keys: Vec<String>,
}

impl Asking {
    /// Of the form of a change.
    pub fn of(view: &ChangeView) -> Self {
        let own = ["months", "name", "snapshot", "backup"].map(ToOwned::to_owned);
        Self {
            resource: view.resource.to_string(),
            what: view.what,
            request: view
                .request
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            keys: view
                .params
                .iter()
                .map(|p| p.key.clone())
                .chain(own)
                .collect(),
        }
    }

    /// What of the form is asked about: the reason changes neither price nor quota.
    fn part(&self, typed: &Typed) -> Typed {
        let mut part = typed.clone();
        part.retain(|key, _| self.keys.contains(key));
        part
    }

    /// What would become of it.
    ///
    /// # Errors
    /// As [`try_change`].
    pub async fn asked(&self, typed: &Typed) -> Result<TriedChange, ApiError> {
        let typed = serde_json::to_string(&self.part(typed)).unwrap_or_default();
        let (id, what) = (self.resource.clone(), self.what.to_string());
        try_change(id, what, self.request.clone(), typed).await
    }
}

/// The panel; `form` is the id of the form that it stands in, `tried` what becomes of what is typed
/// there when the page comes.
#[island]
pub fn ChangePanel(
    form: String,
    asking: Asking,
    begun: Typed,
    tried: Result<TriedChange, ApiError>,
    submit: String,
) -> impl IntoView {
    let typed = follow(&form, begun);
    let tried = RwSignal::new(tried);
    #[cfg(feature = "hydrate")]
    ask_as_one_types(asking, typed, tried);
    #[cfg(not(feature = "hydrate"))]
    let _ = (asking, typed);
    view! {
        <PricePanel label=t!("order.panel")>
            {move || match tried.get() {
                Ok(tried) => effect(&tried),
                Err(error) => view! { <PricePart><ErrorBanner error/></PricePart> }.into_any(),
            }}
            <PricePart>
                <Button kind=Kind::Main name="do" value="submit">{submit}</Button>
                <Button name="do" value="try">{t!("order.compute")}</Button>
            </PricePart>
        </PricePanel>
    }
}

/// Asks anew when something changed that is asked about; of two answers the younger question's counts.
#[cfg(feature = "hydrate")]
fn ask_as_one_types(
    asking: Asking,
    typed: RwSignal<Typed>,
    tried: RwSignal<Result<TriedChange, ApiError>>,
) {
    let turn = StoredValue::new(0_u32);
    let begun = typed.with_untracked(|typed| asking.part(typed));
    let part = {
        let asking = asking.clone();
        Memo::new(move |_| typed.with(|typed| asking.part(typed)))
    };
    Effect::new(move |before: Option<Typed>| {
        let now = part.get();
        if before.as_ref().unwrap_or(&begun) != &now {
            let own = turn.with_value(|turn| turn.wrapping_add(1));
            turn.set_value(own);
            let (asking, now) = (asking.clone(), now.clone());
            leptos::task::spawn_local(async move {
                let answer = asking.asked(&now).await;
                if turn.get_value() == own {
                    tried.set(answer);
                }
            });
        }
        now
    });
}

/// Before and after, the difference, the quota, the verdict, who will approve.
fn effect(tried: &TriedChange) -> AnyView {
    let change = &tried.change;
    let rows = facts::steps(change);
    let difference = change.difference();
    let sign = if difference.fen() > 0 { "+" } else { "" };
    let sum = format!("{sign}{}", difference.yuan());
    let from = change
        .price_from
        .map(|at| t!("change.price_from", day = Zone::SHANGHAI.date(at)))
        .map(|text| view! { <p class="sub">{text}</p> });
    let unit = match change.what {
        what if what.makes_disk() => t!("resources.yuan_month"),
        _ => t!("change.difference"),
    };
    let verdict = &tried.verdict;
    let bars = verdict
        .changes
        .iter()
        .filter(|c| c.asked != 0)
        .map(bar)
        .collect::<Vec<_>>();
    let has_bars = !bars.is_empty();
    let blocks: Vec<String> = tried
        .errors
        .iter()
        .map(|e| i18n::msg(&e.msg))
        .chain(verdict.blocks.iter().map(i18n::msg))
        .collect();
    let passes = blocks.is_empty();
    // What is as it was when the form opened is no refusal.
    let begun = tried.errors.iter().any(|e| e.msg.key != "change.nothing");
    let (tone, title) = match (passes, begun || !verdict.blocks.is_empty()) {
        (true, _) => (Tone::Ok, t!("order.passes")),
        (false, false) => (Tone::Warn, t!("order.unfinished")),
        (false, true) => (Tone::Bad, t!("order.blocked")),
    };
    let way = stages(&tried.route);
    let warns: Vec<String> = verdict.warns.iter().map(i18n::msg).collect();
    let items = |all: Vec<String>| {
        let all = all.into_iter().map(|text| view! { <li>{text}</li> });
        view! { <ul>{all.collect_view()}</ul> }
    };
    view! {
        <PricePart title=t!("change.effect") live=true>
            <BeforeAfter caption=t!("change.effect") rows/>
            <div class="sum"><b>{sum}</b><span class="unit">{unit}</span></div>
            {from}
        </PricePart>
        {has_bars.then(|| view! { <PricePart title=t!("order.quota")><div class="qs">{bars}</div></PricePart> })}
        <PricePart live=true>
            <VerdictBox tone title>
                {passes.then(|| view! { <p>{way}</p> })}
                {(!blocks.is_empty()).then(|| items(blocks))}
            </VerdictBox>
            {(!warns.is_empty())
                .then(|| view! { <VerdictBox tone=Tone::Warn title=t!("order.warns")>{items(warns)}</VerdictBox> })}
        </PricePart>
    }
    .into_any()
}

fn bar(change: &QuotaChange) -> AnyView {
    let label = i18n::t_key(&format!("dimension.{}", change.dimension)).into_owned();
    let shown = |n: i64| facts::amount(change.dimension, n);
    let after = change.before.with_held(change.asked);
    let numbers = format!(
        "{} · {}",
        t!(
            "change.quota",
            before = shown(change.before.left()),
            after = shown(after.left())
        ),
        t!(
            "order.left",
            left = shown(after.left()),
            limit = facts::measured(change.dimension, change.before.limit)
        )
    );
    let amounts = Bar {
        limit: change.before.limit,
        used: change.before.used + change.before.handed + change.asked.min(0),
        held: change.before.held,
        now: change.asked.max(0),
    };
    let numbers = numbers.into_any();
    view! { <QuotaLine label amounts numbers/> }.into_any()
}
