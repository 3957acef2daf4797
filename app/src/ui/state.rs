//! States: always shape, text and colour together, because any one may be lost.

use super::{Shape, Text, classes};
use leptos::prelude::*;

/// The eight looks of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Not handed in.
    Draft,
    /// Waits for somebody else.
    Wait,
    /// Under way.
    Run,
    /// The reader must act.
    Act,
    /// Good.
    Ok,
    /// Failed.
    Bad,
    /// Over, off.
    Stop,
    /// Halted.
    Pause,
}

impl Look {
    /// Name of the shape and of the class.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Wait => "wait",
            Self::Run => "run",
            Self::Act => "act",
            Self::Ok => "ok",
            Self::Bad => "bad",
            Self::Stop => "stop",
            Self::Pause => "pause",
        }
    }
}

/// A state in a table, or boxed beside a title.
#[component]
pub fn Chip(look: Look, #[prop(into)] text: Text, #[prop(optional)] boxed: bool) -> impl IntoView {
    let own = format!("chip-{}", look.name());
    view! {
        <span class=classes(&["chip", &own, if boxed { "chip-box" } else { "" }])>
            <Shape name=look.name()/>
            {text}
        </span>
    }
}

/// A category; not a state.
#[component]
pub fn Tag(#[prop(into)] text: Text, #[prop(optional)] accent: bool) -> impl IntoView {
    view! { <span class=if accent { "tag tag-accent" } else { "tag" }>{text}</span> }
}

/// The five lights of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Time enough.
    Green,
    /// Near.
    Near,
    /// Overdue, yellow card.
    Yellow,
    /// Long overdue, red card.
    Red,
    /// The clock is stopped.
    Off,
}

/// A deadline, and nothing else: the moment inside a day, else what is left.
#[component]
pub fn Lamp(light: Light, #[prop(into)] text: Text) -> impl IntoView {
    let (class, shape) = match light {
        Light::Green => ("lamp", "lamp"),
        Light::Near => ("lamp lamp-near", "near"),
        Light::Yellow => ("lamp lamp-yellow", "yellow"),
        Light::Red => ("lamp lamp-red", "red"),
        Light::Off => ("lamp lamp-off", "pause"),
    };
    view! {
        <span class=class>
            <Shape name=shape/>
            {text}
        </span>
    }
}

/// Things to notice before deciding.
#[component]
pub fn Flags(flags: Vec<Flag>) -> impl IntoView {
    view! {
        <ul class="flags">
            {flags
                .into_iter()
                .map(|flag| {
                    let class = match flag.good {
                        Some(true) => "flag-ok",
                        Some(false) => "flag-warn",
                        None => "",
                    };
                    view! {
                        <li class=class>
                            <super::Icon name=flag.icon/>
                            <div>
                                {flag.text}
                                {(!flag.note.is_empty()).then(|| view! { <small>{flag.note}</small> })}
                            </div>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

/// One of [`Flags`].
#[derive(Debug, Clone)]
pub struct Flag {
    /// Icon by its name.
    pub icon: &'static str,
    /// `true` reassures, `false` warns.
    pub good: Option<bool>,
    /// What it is.
    pub text: String,
    /// Why or what then; may be empty.
    pub note: String,
}
