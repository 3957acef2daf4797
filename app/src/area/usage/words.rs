//! Words, numbers and states of utilisation.

use crate::{i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    time::Zone,
    usage::{
        BUSY_CPU, BUSY_MEMORY, IDLE_CPU, IDLE_MEMORY, LEAST_DAYS, LEAST_DAYS_BUSY, LEAST_SAMPLES,
        Load, Measure, SAMPLES_A_DAY, Sum, WINDOW_DAYS,
    },
    view::usage::UsageHead,
};

/// The text of a code in one of the lists of words.
pub fn word(list: &str, code: &str) -> String {
    i18n::t_key(&format!("{list}.{code}")).into_owned()
}

/// Tenths of a percent as they are printed.
pub fn percent(permille: i64) -> String {
    format!("{}.{}%", permille / 10, permille % 10)
}

/// The same of something that may not be known: never a zero in the place of nothing.
pub fn known(permille: Option<i64>) -> String {
    permille.map_or_else(|| t!("usage.no_data").to_owned(), percent)
}

/// Mean and peak of the last 30 days, or that nothing is known.
pub fn pair(sum: Option<Sum>) -> String {
    match sum {
        Some(sum) => format!("{} / {}", percent(sum.mean), percent(sum.peak)),
        None => t!("usage.no_data").to_owned(),
    }
}

/// A rate with what it is made of, or a dash where there is nothing to divide by.
pub fn share(part: i64, whole: i64) -> String {
    if whole <= 0 {
        "—".to_owned()
    } else {
        percent(lingbao_model::view::overview::permille(part, whole))
    }
}

/// What the last 30 days say.
pub fn state(load: Load) -> AnyView {
    let look = match load {
        Load::Idle => Look::Act,
        Load::Busy => Look::Bad,
        Load::Normal => Look::Ok,
        Load::Few => Look::Wait,
        Load::NoData => Look::Pause,
    };
    view! { <Chip look text=word("usage.load", load.as_str())/> }.into_any()
}

/// The line under the title: how far the measurements go.
pub fn fact(head: &UsageHead) -> String {
    match (head.configured, head.until) {
        (true, Some(day)) => t!("usage.fact", days = WINDOW_DAYS, day = day),
        (true, None) => t!("usage.fact_none").to_owned(),
        (false, _) => t!("usage.fact_off").to_owned(),
    }
}

/// The last round broke off, and for operators why; ids that are nobody's.
pub fn trouble(head: &UsageHead) -> impl IntoView + use<> {
    let broken = head
        .tried_at
        .filter(|_| head.configured && head.broken)
        .map(|at| {
            let text = t!("usage.broken", at = at.minute_text(Zone::SHANGHAI));
            let why = head.error.clone();
            view! {
                <Banner tone=Tone::Warn>{text} {why.map(|why| view! { <br/><span class="mono">{why}</span> })}</Banner>
            }
        });
    let unknown = head
        .unknown
        .filter(|n| head.configured && *n > 0)
        .map(|n| view! { <p class="sub between">{t!("usage.unknown", n = n)}</p> });
    let memory = (head.configured && !head.measures.contains(&Measure::Memory))
        .then(|| view! { <Banner>{t!("usage.no_memory")}</Banner> });
    view! {
        {broken}
        {memory}
        {unknown}
    }
}

/// In the place of a list: nothing measures, or nothing has been taken in yet. `None` if something is
/// known.
pub fn nothing(head: &UsageHead) -> Option<AnyView> {
    if !head.configured {
        let empty = view! { <Empty icon="pulse" title=t!("usage.off") note=t!("usage.off_note")/> };
        return Some(empty.into_any());
    }
    head.until.is_none().then(|| {
        view! { <Empty icon="pulse" title=t!("usage.none_yet") note=t!("usage.none_yet_note")/> }
            .into_any()
    })
}

/// The way between the two lists.
pub fn tabs(units: bool) -> impl IntoView {
    let tab = |href: &str, text: &'static str, current| Tab {
        href: href.to_owned(),
        text: text.to_owned(),
        count: None,
        current,
    };
    let tabs = vec![
        tab(routes::USAGE, t!("usage.hosts"), !units),
        tab(routes::USAGE_UNITS, t!("usage.units"), units),
    ];
    view! { <Tabs label=t!("usage.title") tabs/> }
}

/// How the numbers are made (口径), with the bounds of the model.
pub fn definitions() -> impl IntoView {
    let tenth = |permille: i64| permille / 10;
    let text = |text: String| text.into_any();
    let facts: Vec<(Text, AnyView)> = vec![
        (
            t!("usage.allocation").into(),
            text(t!("usage.allocation_rule").to_owned()),
        ),
        (
            t!("usage.rate").into(),
            text(t!("usage.rate_rule", days = WINDOW_DAYS)),
        ),
        (
            t!("usage.mean_peak").into(),
            text(t!(
                "usage.mean_peak_rule",
                all = SAMPLES_A_DAY,
                least = LEAST_SAMPLES
            )),
        ),
        (
            word("usage.load", Load::Idle.as_str()).into(),
            text(t!(
                "usage.idle_rule",
                cpu = tenth(IDLE_CPU),
                memory = tenth(IDLE_MEMORY),
                days = WINDOW_DAYS,
                least = LEAST_DAYS
            )),
        ),
        (
            word("usage.load", Load::Busy.as_str()).into(),
            text(t!(
                "usage.busy_rule",
                cpu = tenth(BUSY_CPU),
                memory = tenth(BUSY_MEMORY),
                days = WINDOW_DAYS,
                least = LEAST_DAYS_BUSY
            )),
        ),
        (
            t!("usage.zombie").into(),
            text(t!("usage.zombie_rule").to_owned()),
        ),
    ];
    view! {
        <Fold summary=t!("ui.definition")>
            <Facts facts wide=true/>
        </Fold>
    }
}
