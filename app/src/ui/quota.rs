//! The bar of a limit: used, held, now, left. Told apart by pattern as well as by colour.

use super::{Text, classes};
use crate::t;
use leptos::prelude::*;
use lingbao_model::money::grouped_signed;

/// What a bar shows, in the same unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// The limit.
    pub limit: i64,
    /// In use.
    pub used: i64,
    /// Held by what is under way.
    pub held: i64,
    /// What is being looked at would take this much.
    pub now: i64,
}

impl Amounts {
    /// What would be left; negative beyond the limit.
    pub fn left(self) -> i64 {
        self.limit.saturating_sub(self.taken())
    }

    fn taken(self) -> i64 {
        self.used.saturating_add(self.held).saturating_add(self.now)
    }

    /// Share of the limit that would be taken, in hundredths of a percent; 100 % of no limit.
    fn share(self) -> i64 {
        part(self.taken(), self.limit)
    }

    /// Which pattern the new part gets: amber from 90 %, red beyond the limit.
    fn fill(self) -> &'static str {
        match self.share() {
            10_001.. => "url(#p-over)",
            9_000.. => "url(#p-near)",
            _ => "url(#p-now)",
        }
    }

    /// The share as text, `87.5%`.
    pub fn percent(self) -> String {
        let tenths = (self.share() + 5) / 10;
        format!("{}.{}%", tenths / 10, tenths % 10)
    }
}

/// `n` of `limit` in hundredths of a percent.
fn part(n: i64, limit: i64) -> i64 {
    if limit <= 0 {
        return if n > 0 { 10_001 } else { 0 };
    }
    let share = i128::from(n.max(0)) * 10_000 / i128::from(limit);
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// A length as an SVG attribute; no style attribute is allowed.
fn length(hundredths: i64) -> String {
    let h = hundredths.clamp(0, 10_000);
    format!("{}.{:02}%", h / 100, h % 100)
}

/// The bar alone, for a table cell or a card. Its words are for readers who do not see it; the
/// numbers stand beside it as text.
#[component]
pub fn QuotaBar(
    /// What is limited.
    #[prop(into)]
    label: Text,
    #[prop(optional, into)] unit: Text,
    amounts: Amounts,
    /// `qbar-s` (8 px) or `qbar-big` (16 px).
    #[prop(default = "")]
    class: &'static str,
) -> impl IntoView {
    let Amounts {
        limit,
        used,
        held,
        now,
    } = amounts;
    let spoken = t!(
        "ui.quota",
        label = label,
        limit = grouped_signed(limit),
        unit = unit,
        used = grouped_signed(used),
        held = grouped_signed(held),
        now = grouped_signed(now),
        left = grouped_signed(amounts.left()),
    );
    let (a, b) = (part(used, limit), part(used.saturating_add(held), limit));
    let end = amounts.share();
    let separators = [(used > 0, a), (held > 0, b), (now > 0, end)];
    view! {
        <svg class=classes(&["qbar", class]) role="img" aria-label=spoken>
            <rect class="q-used" width=length(a) height="100%"></rect>
            {(held > 0)
                .then(|| {
                    view! { <rect x=length(a) width=length(b - a) height="100%" fill="url(#p-held)"></rect> }
                })}
            {(now > 0)
                .then(|| {
                    view! { <rect x=length(b) width=length(end - b) height="100%" fill=amounts.fill()></rect> }
                })}
            {separators
                .into_iter()
                .filter(|(there, at)| *there && *at < 10_000)
                .map(|(_, at)| view! { <rect class="q-sep" x=length(at) width="1.5" height="100%"></rect> })
                .collect_view()}
        </svg>
    }
}

/// A bar with its name and numbers over it.
#[component]
pub fn QuotaLine(
    #[prop(into)] label: Text,
    #[prop(optional, into)] unit: Text,
    amounts: Amounts,
    /// What to say at the right instead of "left / limit" (money, a link to ask for more).
    #[prop(optional)]
    numbers: Option<AnyView>,
) -> impl IntoView {
    let left = amounts.left();
    let class = match amounts.share() {
        10_001.. => "bad",
        9_000.. => "rise",
        _ => "",
    };
    let numbers = numbers.unwrap_or_else(|| {
        let (word, n) = if left < 0 { (t!("ui.over"), -left) } else { (t!("ui.left"), left) };
        view! {
            {word} " " <b>{grouped_signed(n)}</b> {format!(" / {} ", grouped_signed(amounts.limit))} {unit.clone()}
        }
        .into_any()
    });
    view! {
        <div class="q">
            <div class="q-top">
                <span>{label.clone()}</span>
                <span class=class>{numbers}</span>
            </div>
            <QuotaBar label unit amounts/>
        </div>
    }
}

/// What the patterns mean; once a page.
#[component]
pub fn QuotaKey(#[prop(optional)] with_now: bool) -> impl IntoView {
    view! {
        <ul class="key">
            <li>
                <svg aria-hidden="true">
                    <rect class="q-used" width="100%" height="100%"></rect>
                </svg>
                {t!("ui.key.used")}
            </li>
            <li>
                <svg aria-hidden="true">
                    <rect width="100%" height="100%" fill="url(#p-held)"></rect>
                </svg>
                {t!("ui.key.held")}
            </li>
            {with_now
                .then(|| {
                    view! {
                        <li>
                            <svg aria-hidden="true">
                                <rect width="100%" height="100%" fill="url(#p-now)"></rect>
                            </svg>
                            {t!("ui.key.now")}
                        </li>
                    }
                })}
            <li>
                <svg aria-hidden="true"></svg>
                {t!("ui.key.left")}
            </li>
        </ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_fills() {
        let a = Amounts {
            limit: 64,
            used: 36,
            held: 4,
            now: 16,
        };
        assert_eq!(
            (a.left(), a.percent().as_str(), a.fill()),
            (8, "87.5%", "url(#p-now)")
        );
        let near = Amounts {
            limit: 40_000,
            used: 21_380,
            held: 960,
            now: 15_550,
        };
        assert_eq!((near.left(), near.fill()), (2_110, "url(#p-near)"));
        let over = Amounts {
            limit: 4,
            used: 2,
            held: 1,
            now: 2,
        };
        assert_eq!((over.left(), over.fill()), (-1, "url(#p-over)"));
        assert_eq!(length(part(21_380, 40_000)), "53.45%");
    }

    #[test]
    fn no_limit_is_no_division() {
        assert_eq!(Amounts::default().percent(), "0.0%");
        assert_eq!(
            Amounts {
                now: 1,
                ..Amounts::default()
            }
            .fill(),
            "url(#p-over)"
        );
        assert_eq!(part(i64::MAX, 1), i64::MAX);
    }
}
