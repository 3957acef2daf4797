//! Charts: inline SVG from pure functions. All words are HTML, so they never shrink; the same
//! numbers stand in a table under the chart.

use super::{Fold, Text};
use crate::t;
use leptos::prelude::*;

/// One bar: name, length, and the number as it is printed.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it is.
    pub name: String,
    /// Its size, in any unit; all bars of a chart in the same.
    pub value: i64,
    /// The number with unit.
    pub text: String,
}

/// A ranking. It is a table already, so it needs no second one.
#[component]
pub fn Bars(bars: Vec<Bar>) -> impl IntoView {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0);
    view! {
        <table class="bars">
            <tbody>
                {bars
                    .into_iter()
                    .map(|bar| {
                        view! {
                            <tr>
                                <th scope="row">{bar.name}</th>
                                <td>
                                    <svg aria-hidden="true">
                                        <rect class="b-rest" width="100%" height="100%" rx="2"></rect>
                                        <rect class="b-1" width=percent(bar.value, most) height="100%" rx="2"></rect>
                                    </svg>
                                </td>
                                <td>{bar.text}</td>
                            </tr>
                        }
                    })
                    .collect_view()}
            </tbody>
        </table>
    }
}

/// A number given in tenths, with its decimal. Charts reckon in whole numbers: formatting floating
/// point costs the browser more than the charts do.
pub(super) fn tenths(n: i64) -> String {
    format!("{}.{}", n / 10, n % 10)
}

fn percent(value: i64, of: i64) -> String {
    if of <= 0 {
        "0%".to_owned()
    } else {
        let share = value.max(0).saturating_mul(1000).saturating_add(of / 2) / of;
        format!("{}%", tenths(share))
    }
}

/// Shares of a whole, two to four.
#[component]
pub fn Ring(
    /// The number in the middle and what it counts.
    #[prop(into)]
    middle: Text,
    #[prop(into)] unit: Text,
    parts: Vec<Bar>,
) -> impl IntoView {
    let values: Vec<_> = parts.iter().map(|part| part.value).collect();
    let arcs = arcs(&values);
    let spoken = parts
        .iter()
        .map(|part| format!("{} {}", part.name, part.text))
        .collect::<Vec<_>>()
        .join(", ");
    view! {
        <div class="ring">
            <svg viewBox="0 0 128 128" role="img" aria-label=spoken>
                <circle class="r-0" cx="64" cy="64" r="50"></circle>
                {arcs
                    .into_iter()
                    .map(|(class, dash, offset)| {
                        view! {
                            <circle
                                class=class
                                cx="64"
                                cy="64"
                                r="50"
                                stroke-dasharray=dash
                                stroke-dashoffset=offset
                                transform="rotate(-90 64 64)"
                            ></circle>
                        }
                    })
                    .collect_view()}
                <text class="ring-v" x="64" y="68">{middle}</text>
                <text class="ring-k" x="64" y="86">{unit}</text>
            </svg>
            <ul class="legend">
                {parts
                    .into_iter()
                    .enumerate()
                    .map(|(i, part)| {
                        view! {
                            <li>
                                <svg viewBox="0 0 12 12" aria-hidden="true">
                                    <rect class=format!("b-{}", i % 4 + 1) width="12" height="12" rx="2"></rect>
                                </svg>
                                {part.name}
                                <b>{part.text}</b>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </div>
    }
}

/// Class, dash and offset of the arcs on a circle of radius 50, with gaps of 2 between them.
fn arcs(values: &[i64]) -> Vec<(String, String, String)> {
    const ROUND: i64 = 3142;
    let sum: i64 = values.iter().map(|v| (*v).max(0)).sum();
    if sum == 0 {
        return Vec::new();
    }
    let mut at = 0;
    values
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let whole = (*value).max(0).saturating_mul(ROUND) / sum;
            let drawn = (whole - 20).max(0);
            let arc = (
                format!("r-{}", i % 4 + 1),
                format!("{} {}", tenths(drawn), tenths(ROUND - drawn)),
                format!("-{}", tenths(at)),
            );
            at += whole;
            arc
        })
        .collect()
}

/// One line of a [`Plot`].
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// One number a point of the axis.
    pub values: Vec<i64>,
    /// The numbers as they are printed, for the table.
    pub texts: Vec<String>,
}

/// A trend: at most two lines.
#[component]
pub fn Plot(
    /// The claim the picture makes, for readers who do not see it.
    #[prop(into)]
    label: Text,
    /// The points of the axis.
    axis: Vec<String>,
    lines: Vec<Line>,
    /// How a number stands at the axis.
    #[prop(default = lingbao_model::money::grouped_signed)]
    format: fn(i64) -> String,
) -> impl IntoView {
    let top = top(lines
        .iter()
        .flat_map(|line| line.values.iter().copied())
        .max()
        .unwrap_or(0));
    let marks: Vec<_> = (0..=3).rev().map(|i| format(top / 3 * i)).collect();
    let paths: Vec<_> = lines.iter().map(|line| path(&line.values, top)).collect();
    let last = axis.len().saturating_sub(1);
    view! {
        <div class="plot">
            <div class="plot-y" aria-hidden="true">
                {marks.into_iter().map(|mark| view! { <span>{mark}</span> }).collect_view()}
            </div>
            <svg viewBox="0 0 360 100" preserveAspectRatio="none" role="img" aria-label=label>
                {["0", "33.3", "66.7", "100"]
                    .map(|y| view! { <path class="grid" d=format!("M0 {y}H360")></path> })
                    .into_iter()
                    .collect_view()}
                {paths
                    .into_iter()
                    .enumerate()
                    .map(|(i, d)| view! { <path class=if i == 0 { "ln" } else { "ln ln-2" } d=d></path> })
                    .collect_view()}
            </svg>
            <div class="plot-x" aria-hidden="true">
                {axis
                    .iter()
                    .enumerate()
                    .map(|(i, text)| {
                        // On phones every second one has room: the last always, and none beside it.
                        let drop = (last - i) % 2 == 1;
                        view! { <span class=drop.then_some("drop")>{text.clone()}</span> }
                    })
                    .collect_view()}
            </div>
        </div>
        <ul class="legend legend-h">
            {lines
                .iter()
                .enumerate()
                .map(|(i, line)| {
                    view! {
                        <li>
                            <svg viewBox="0 0 12 12" aria-hidden="true">
                                <path class=if i == 0 { "ln" } else { "ln ln-2" } d="M0 6h12"></path>
                            </svg>
                            {line.name.clone()}
                            <b>{line.texts.last().cloned()}</b>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
        <Fold summary=t!("ui.numbers")>
            <table class="lines">
                <thead class="sr">
                    <tr>
                        <th scope="col">{t!("ui.axis")}</th>
                        {lines.iter().map(|line| view! { <th scope="col">{line.name.clone()}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>
                    {axis
                        .iter()
                        .enumerate()
                        .map(|(i, text)| {
                            view! {
                                <tr>
                                    <th scope="row">{text.clone()}</th>
                                    {lines
                                        .iter()
                                        .map(|line| view! { <td>{line.texts.get(i).cloned()}</td> })
                                        .collect_view()}
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </Fold>
    }
}

/// The top of the axis: the next 3, 6, 15 × 10ⁿ, so that its thirds are round.
fn top(most: i64) -> i64 {
    let mut unit = 1;
    loop {
        for step in [3, 6, 15] {
            if step * unit >= most {
                return step * unit;
            }
        }
        match i64::checked_mul(unit, 10) {
            Some(next) if next <= i64::MAX / 15 => unit = next,
            _ => return i64::MAX / 3 * 3,
        }
    }
}

/// A line over a field of 360 by 100.
fn path(values: &[i64], top: i64) -> String {
    let steps = i64::try_from(values.len().saturating_sub(1).max(1)).unwrap_or(1);
    let points: Vec<_> = (0..)
        .zip(values)
        .map(|(i, v)| {
            let up = v.saturating_mul(1000) / top.max(1);
            format!("{} {}", tenths(i * 3600 / steps), tenths(1000 - up))
        })
        .collect();
    if points.is_empty() {
        String::new()
    } else {
        format!("M{}", points.join("L"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_on_a_round_number() {
        assert_eq!(
            [0, 3, 4, 13_294, 60_001].map(top),
            [3, 3, 6, 15_000, 150_000]
        );
        assert!(top(i64::MAX) > 0);
    }

    #[test]
    fn lines_and_arcs_fill_their_field() {
        assert_eq!(path(&[0, 50, 100], 100), "M0.0 100.0L180.0 50.0L360.0 0.0");
        assert_eq!(path(&[5], 10), "M0.0 50.0");
        assert_eq!(path(&[], 10), "");
        let arcs = arcs(&[1, 3]);
        assert_eq!(arcs[0].1, "76.5 237.7");
        assert_eq!(arcs[1].2, "-78.5");
        assert!(super::arcs(&[0, 0]).is_empty());
    }
}
