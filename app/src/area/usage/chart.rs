//! A small chart: a bar a day for the mean, a mark for the peak. A day of which nothing is known has
//! neither. The same numbers stand in the table under it.

use super::words::percent;
use crate::{t, ui::*};
use leptos::prelude::*;
use lingbao_model::{time::Date, usage::Reading};

/// Width of a day.
const STEP: i64 = 12;

/// One measure, day by day; `name` is what is measured.
pub fn days(name: String, days: Vec<(Date, Option<Reading>)>) -> AnyView {
    let measured = days.iter().filter(|(_, reading)| reading.is_some()).count();
    let ends = days.first().zip(days.last());
    let (from, until) = ends.map_or_else(Default::default, |(a, b)| {
        (a.0.to_string(), b.0.to_string())
    });
    let label = t!(
        "usage.chart",
        what = name,
        from = from.clone(),
        until = until.clone(),
        n = i64::try_from(measured).unwrap_or(0)
    );
    let width = STEP * i64::try_from(days.len()).unwrap_or(0);
    let bars = (0..)
        .zip(&days)
        .filter_map(|(n, (_, reading))| Some(bar(n, (*reading)?)))
        .collect_view();
    let rows = days.into_iter().map(row).collect_view();
    let key = |class: &'static str, text: &'static str| {
        view! {
            <li>
                <svg viewBox="0 0 12 12" aria-hidden="true">
                    <rect class=class width="12" height="12" rx="2"></rect>
                </svg>
                {text}
            </li>
        }
    };
    view! {
        <div class="plot">
            <div class="plot-y" aria-hidden="true"><span>"100%"</span><span>"50%"</span><span>"0"</span></div>
            <svg viewBox=format!("0 0 {width} 100") preserveAspectRatio="none" role="img" aria-label=label>
                {["0", "50", "100"]
                    .map(|y| view! { <path class="grid" d=format!("M0 {y}H{width}")></path> })
                    .into_iter()
                    .collect_view()}
                {bars}
            </svg>
            <div class="plot-x" aria-hidden="true"><span>{from}</span><span>{until}</span></div>
        </div>
        <ul class="legend legend-h">
            {key("b-1", t!("usage.mean"))}
            {key("b-3", t!("usage.peak"))}
            {key("b-rest", t!("usage.thin"))}
        </ul>
        <Fold summary=t!("ui.numbers")>
            <table class="lines">
                <thead>
                    <tr>
                        <th scope="col">{t!("usage.day")}</th>
                        <th scope="col">{t!("usage.mean")}</th>
                        <th scope="col">{t!("usage.peak")}</th>
                        <th scope="col">{t!("usage.samples")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </Fold>
    }
    .into_any()
}

fn bar(n: i64, reading: Reading) -> AnyView {
    let (x, tall) = (n * STEP + 2, reading.mean.clamp(0, 1000));
    let y = |permille: i64| tenths(1000 - permille.clamp(0, 1000));
    let enough = reading.is_enough();
    let class = if enough { "b-1" } else { "b-rest" };
    let peak = enough.then(|| {
        view! { <rect class="b-3" x=x y=y(reading.peak) width="8" height="1.5"></rect> }
    });
    view! {
        <rect class=class x=x y=y(tall) width="8" height=tenths(tall)></rect>
        {peak}
    }
    .into_any()
}

/// A tenth of a percent is a tenth of a unit of the field.
fn tenths(n: i64) -> String {
    format!("{}.{}", n / 10, n % 10)
}

fn row((day, reading): (Date, Option<Reading>)) -> AnyView {
    let cells = match reading {
        Some(reading) => {
            let few = (!reading.is_enough()).then(|| t!("usage.too_few"));
            view! {
                <td>{percent(reading.mean)}</td>
                <td>{percent(reading.peak)}</td>
                <td>{reading.samples} " " {few}</td>
            }
            .into_any()
        }
        None => view! { <td colspan="3">{t!("usage.no_data")}</td> }.into_any(),
    };
    view! { <tr><th scope="row">{day.to_string()}</th>{cells}</tr> }.into_any()
}
