//! Where something stands ([`Track`], [`MiniTrack`]) and what happened ([`Timeline`]).

use super::{Shape, chart::tenths, classes};
use leptos::prelude::*;

/// Whether a stage is over, current or ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Over.
    Was,
    /// Current.
    Now,
    /// Current, and the reader must act.
    Act,
    /// Ahead.
    Next,
}

/// One stage of a [`Track`].
pub struct TrackStep {
    /// Where it stands.
    pub stage: Stage,
    /// Its name.
    pub title: String,
    /// Who and when, under the name.
    pub detail: AnyView,
}

/// The stages of one thing, side by side (below each other on phones).
#[component]
pub fn Track(steps: Vec<TrackStep>) -> impl IntoView {
    view! {
        <ol class="track">
            {steps
                .into_iter()
                .map(|step| {
                    let (class, shape) = match step.stage {
                        Stage::Was => ("was", "ok"),
                        Stage::Now | Stage::Act => ("now", "near"),
                        Stage::Next => ("", "wait"),
                    };
                    let current = matches!(step.stage, Stage::Now | Stage::Act);
                    view! {
                        <li class=class aria-current=current.then_some("step")>
                            <Shape name=shape/>
                            <b>{step.title}</b>
                            {step.detail}
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
}

/// The same in a table cell: five bars, with the words beside it in the row.
#[component]
pub fn MiniTrack(stages: Vec<Stage>) -> impl IntoView {
    let bars = mini_bars(&stages);
    view! {
        <svg class="mini" viewBox="0 0 120 8" preserveAspectRatio="none" aria-hidden="true">
            {bars
                .into_iter()
                .map(|(class, x, width)| view! { <rect class=class x=x y="2" width=width height="4"></rect> })
                .collect_view()}
        </svg>
    }
}

/// Class, x and width of the bars of a [`MiniTrack`] on a width of 120.
fn mini_bars(stages: &[Stage]) -> Vec<(&'static str, String, String)> {
    let each = 1200 / i64::try_from(stages.len().max(1)).unwrap_or(1);
    (0..)
        .zip(stages)
        .map(|(i, stage)| {
            let class = match stage {
                Stage::Was => "m-was",
                Stage::Now => "m-now",
                Stage::Act => "m-act",
                Stage::Next => "m-next",
            };
            (class, tenths(i * each + 10), tenths(each - 20))
        })
        .collect()
}

/// One event of a [`Timeline`].
pub struct Event {
    /// State shape (`ok`, `run`, `act`, `bad`, `wait`).
    pub shape: &'static str,
    /// Who and what.
    pub title: AnyView,
    /// When, ready to print.
    pub when: String,
    /// What was said; may be empty.
    pub say: String,
}

/// What happened, newest first or oldest first as the page decides.
#[component]
pub fn Timeline(events: Vec<Event>, #[prop(optional)] dense: bool) -> impl IntoView {
    view! {
        <ol class=classes(&["time", if dense { "time-d" } else { "" }])>
            {events
                .into_iter()
                .map(|event| {
                    let tone = match event.shape {
                        "ok" => "t-ok",
                        "run" => "t-run",
                        "act" => "t-act",
                        "bad" => "t-bad",
                        _ => "",
                    };
                    view! {
                        <li>
                            <Shape name=event.shape class=tone/>
                            <div class="time-top">
                                <span>{event.title}</span>
                                <span class="when">{event.when}</span>
                            </div>
                            {(!event.say.is_empty()).then(|| view! { <p class="say">{event.say}</p> })}
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
}

/// The steps of a long form, with the current one marked.
#[component]
pub fn Wizard(
    #[prop(into)] label: super::Text,
    steps: Vec<String>,
    /// Index of the current step, from 0.
    current: usize,
) -> impl IntoView {
    view! {
        <nav class="wizard" aria-label=label>
            <ol>
                {steps
                    .into_iter()
                    .enumerate()
                    .map(|(i, text)| {
                        view! {
                            <li class=(i < current).then_some("was") aria-current=(i == current).then_some("step")>
                                <b>{i + 1}</b>
                                {text}
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
        </nav>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_the_width() {
        let bars = mini_bars(&[
            Stage::Was,
            Stage::Now,
            Stage::Next,
            Stage::Next,
            Stage::Next,
        ]);
        assert_eq!(bars[0], ("m-was", "1.0".to_owned(), "22.0".to_owned()));
        assert_eq!(bars[4].1, "97.0");
        assert!(mini_bars(&[]).is_empty());
    }
}
