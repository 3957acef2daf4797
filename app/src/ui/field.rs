//! Fields of forms: label over hint over message over control.
//!
//! A control takes its name, id and message from the [`Field`] around it and its value from the
//! posted form ([`use_form`]), so a page says each name once.

use super::{Icon, Shape, Text, classes, named};
use crate::{
    form::{FormState, use_form},
    i18n, t,
};
use leptos::{context::Provider, prelude::*};
use lingbao_model::msg::Msg;

/// What a field tells the control inside it.
#[derive(Debug, Clone, Default)]
struct Inside {
    name: String,
    id: String,
    described_by: Option<String>,
    invalid: bool,
}

/// The id of the control of a field; the error summary links to it.
pub fn field_id(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("f-{plain}")
}

/// A label with its control; the message of the server stands between.
#[component]
pub fn Field(
    /// Name of the control in the form.
    #[prop(into)]
    name: String,
    #[prop(into)] label: Text,
    /// One line of help, above the control.
    #[prop(optional, into)]
    hint: Option<Text>,
    /// Marks the field as not required.
    #[prop(optional)]
    optional: bool,
    children: Children,
) -> impl IntoView {
    let message = use_form().error(&name).cloned();
    let id = field_id(&name);
    let hint_id = hint.is_some().then(|| format!("{id}-h"));
    let error_id = format!("{id}-e");
    let invalid = message.is_some();
    let described_by = classes(&[hint_id.as_deref().unwrap_or(""), &error_id]);
    let inside = Inside {
        name,
        id: id.clone(),
        described_by: Some(described_by),
        invalid,
    };
    view! {
        <div class="field" class:is-bad=invalid>
            <label for=id>
                {label}
                {optional.then(|| view! { " "<span class="opt">{t!("ui.optional")}</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
            <FieldError id=error_id message/>
            <Provider value=inside>{children()}</Provider>
        </div>
    }
}

/// Several choices under one legend ([`super::Seg`], [`super::Choice`], [`Check`]).
#[component]
pub fn FieldSet(
    #[prop(into)] name: String,
    #[prop(into)] legend: Text,
    #[prop(optional, into)] hint: Option<Text>,
    /// The legend is only read aloud, because a heading beside it says the same.
    #[prop(optional)]
    hide_legend: bool,
    children: Children,
) -> impl IntoView {
    let posted = use_form().error(&name).cloned();
    let id = field_id(&name);
    let invalid = posted.is_some();
    let error_id = format!("{id}-e");
    let hint_id = hint.is_some().then(|| format!("{id}-h"));
    let described_by = classes(&[hint_id.as_deref().unwrap_or(""), &error_id]);
    let inside = Inside {
        name,
        id: id.clone(),
        described_by: None,
        invalid,
    };
    view! {
        <fieldset class="field" class:is-bad=invalid id=id tabindex="-1" aria-describedby=described_by>
            <legend class=if hide_legend { "sr" } else { "lab" }>{legend}</legend>
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
            <FieldError id=error_id message=posted/>
            <Provider value=inside>{children()}</Provider>
        </fieldset>
    }
}

/// The message of a field.
#[component]
fn FieldError(id: String, message: Option<Msg>) -> impl IntoView {
    view! {
        <div id=id role="status">
            {message
                .map(|msg| {
                    view! {
                        <p class="err">
                            <Shape name="bad"/>
                            {i18n::msg(&msg)}
                        </p>
                    }
                })}
        </div>
    }
}

/// How wide a control is at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Width {
    /// As wide as its place.
    #[default]
    Full,
    /// Three digits.
    Xs,
    /// A date.
    S,
    /// A name.
    M,
    /// A sentence.
    L,
}

impl Width {
    fn class(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::Xs => "w-xs",
            Self::S => "w-s",
            Self::M => "w-m",
            Self::L => "w-l",
        }
    }
}

fn inside(name: String) -> Inside {
    if name.is_empty() {
        use_context::<Inside>().unwrap_or_default()
    } else {
        Inside {
            id: field_id(&name),
            name,
            ..Inside::default()
        }
    }
}

/// One line of text. Events (`on:input`) go to the element.
#[component]
pub fn TextInput(
    /// Only without a [`Field`] around it.
    #[prop(optional, into)]
    name: String,
    /// What stands there before anything was posted.
    #[prop(optional, into)]
    value: String,
    /// `text`, `email`, `tel`, `search`, `date`; for passwords there is [`PasswordInput`].
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(default = Width::Full)] width: Width,
    #[prop(optional, into)] maxlength: Option<u32>,
    #[prop(optional)] autocomplete: &'static str,
    #[prop(optional, into)] placeholder: Option<Text>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let Inside {
        name,
        id,
        described_by,
        invalid,
    } = inside(name);
    let value = use_form().value_or(&name, value);
    view! {
        <input
            class=classes(&["input", width.class()])
            id=id
            name=name
            type=kind
            value=value
            maxlength=maxlength.map(|n| n.to_string())
            autocomplete=(!autocomplete.is_empty()).then_some(autocomplete)
            placeholder=placeholder
            aria-required=required.then_some("true")
            aria-invalid=invalid.then_some("true")
            aria-describedby=described_by
        />
    }
}

/// A password: never filled again.
#[component]
pub fn PasswordInput(
    #[prop(optional, into)] name: String,
    /// `current-password` or `new-password`.
    #[prop(default = "current-password")]
    autocomplete: &'static str,
) -> impl IntoView {
    let Inside {
        name,
        id,
        described_by,
        invalid,
    } = inside(name);
    view! {
        <input
            class="input"
            id=id
            name=name
            type="password"
            autocomplete=autocomplete
            aria-invalid=invalid.then_some("true")
            aria-describedby=described_by
        />
    }
}

/// Several lines of text. The only place that may write a `<textarea>`.
///
/// leptos 0.8 does not escape its children on the server, which would let a stored text run as
/// script; so it is escaped here. leptos 0.9: write the text as a child again.
#[component]
pub fn TextArea(
    #[prop(optional, into)] name: String,
    #[prop(optional, into)] value: String,
    #[prop(default = 4)] rows: u32,
    #[prop(default = Width::Full)] width: Width,
    #[prop(optional, into)] maxlength: Option<u32>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let Inside {
        name,
        id,
        described_by,
        invalid,
    } = inside(name);
    let value = use_form().value_or(&name, value);
    view! {
        <textarea
            class=classes(&["input", width.class()])
            id=id
            name=name
            rows=rows
            maxlength=maxlength.map(|n| n.to_string())
            aria-required=required.then_some("true")
            aria-invalid=invalid.then_some("true")
            aria-describedby=described_by
            inner_html=escape_text(&value)
        ></textarea>
    }
}

/// Text as the content of an element. The first line break after `<textarea>` is dropped by browsers, so
/// one stands in front, and a text that begins with one keeps it.
fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    out.push('\n');
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(c),
        }
    }
    out
}

/// One choice of a [`Select`]: value and text.
pub type Opt = (String, String);

/// A native list of choices. For two to four short ones use [`super::Seg`].
#[component]
pub fn Select(
    #[prop(optional, into)] name: String,
    options: Vec<Opt>,
    #[prop(optional, into)] value: String,
    #[prop(default = Width::Full)] width: Width,
) -> impl IntoView {
    let Inside {
        name,
        id,
        described_by,
        invalid,
    } = inside(name);
    let chosen = use_form().value_or(&name, value);
    view! {
        <div class=classes(&["select", width.class()])>
            <select
                class="input"
                id=id
                name=name
                aria-invalid=invalid.then_some("true")
                aria-describedby=described_by
            >
                {options
                    .into_iter()
                    .map(|(value, text)| {
                        let selected = value == chosen;
                        view! {
                            <option value=value selected=selected>
                                {text}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
}

/// A whole number with unit and two buttons. Without scripts the buttons post
/// `step=<name>-` or `step=<name>+`, which the page answers with the number changed ([`super::step`]).
#[component]
pub fn NumberStepper(
    #[prop(optional, into)] name: String,
    /// Read aloud; the visible label is of the field around it.
    #[prop(into)]
    label: Text,
    #[prop(optional, into)] unit: Text,
    #[prop(default = 0)] value: i64,
    #[prop(default = 1)] min: i64,
    #[prop(default = i64::MAX)] max: i64,
    #[prop(default = 1)] by: i64,
) -> impl IntoView {
    let Inside {
        name,
        id,
        described_by,
        invalid,
    } = inside(name);
    let value = use_form().value_or(&name, value.to_string());
    let spoken = if unit.is_empty() {
        label.to_string()
    } else {
        format!("{label} ({unit})")
    };
    view! {
        <div class="step">
            <button
                type="submit"
                name="step"
                value=format!("{name}-")
                aria-label=t!("ui.less", what = label)
                aria-controls=id.clone()
                data-by=(-by).to_string()
                data-min=min.to_string()
                data-max=max.to_string()
            >
                <Icon name="minus"/>
            </button>
            <input
                id=id.clone()
                name=name.clone()
                type="text"
                inputmode="numeric"
                autocomplete="off"
                maxlength="20"
                value=value
                aria-label=spoken
                aria-invalid=invalid.then_some("true")
                aria-describedby=described_by
            />
            {(!unit.is_empty()).then(|| view! { <span class="step-unit" aria-hidden="true">{unit}</span> })}
            <button
                type="submit"
                name="step"
                value=format!("{name}+")
                aria-label=t!("ui.more", what = label)
                aria-controls=id.clone()
                data-by=by.to_string()
                data-min=min.to_string()
                data-max=max.to_string()
            >
                <Icon name="plus"/>
            </button>
        </div>
    }
}

/// A box to tick.
#[component]
pub fn Check(
    #[prop(into)] name: String,
    #[prop(default = "on".into(), into)] value: String,
    /// Before anything was posted.
    #[prop(optional)]
    checked: bool,
    children: Children,
) -> impl IntoView {
    let checked = use_form().chosen(&name, &value, checked);
    let id = field_id(&format!("{name}-{value}"));
    let own = id.clone();
    view! {
        <label class="check" for=own>
            <input type="checkbox" id=id name=name value=value checked=checked/>
            <span>{children()}</span>
        </label>
    }
}

/// What is wrong with the form, on top of it, with a link to each field. It takes the focus, so
/// that it is the first thing read after a refused post.
#[component]
pub fn ErrorSummary(
    /// Labels of fields that the dictionary does not know, by name: those of generated forms.
    #[prop(optional)]
    labels: Vec<(String, String)>,
) -> impl IntoView {
    let form = use_form();
    let FormState {
        errors, problem, ..
    } = form;
    let any = !errors.is_empty() || problem.is_some();
    any.then(|| {
        let n = errors.len();
        let title = match &problem {
            Some(error) => i18n::msg(&error.msg),
            None => t!("ui.summary", n = n),
        };
        let next = problem.as_ref().and_then(|error| error.next.clone());
        let number = problem.as_ref().and_then(|error| error.request_id.clone());
        view! {
            <div class="summary" role="alert" tabindex="-1" autofocus id="summary" aria-labelledby="summary-t">
                <h2 id="summary-t">{title}</h2>
                {(n > 0)
                    .then(|| {
                        view! {
                            <ol>
                                {errors
                                    .iter()
                                    .map(|error| {
                                        view! {
                                            <li>
                                                <a href=format!("#{}", field_id(&error.field)) rel="external">
                                                    {named(error, &labels)}
                                                </a>
                                            </li>
                                        }
                                    })
                                    .collect_view()}
                            </ol>
                        }
                    })}
                {next.map(|next| view! { <p><a href=next>{t!("ui.go_on")}</a></p> })}
                {number.map(|id| view! { <p class="sub">{t!("error.number", id = id)}</p> })}
            </div>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_area_lets_no_script_out() {
        let payload = "\n</textarea><script>alert(1)</script>&amp;\"";
        let html = Owner::new().with(|| {
            provide_context(leptos_router::location::RequestUrl::new("/"));
            view! {
                <leptos_router::components::Router>
                    <TextArea name="why" value=payload/>
                </leptos_router::components::Router>
            }
            .to_html()
        });
        assert!(
            html.contains("&lt;/textarea&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;"),
            "{html}"
        );
        assert!(!html.contains("<script"), "{html}");
        assert!(
            html.contains(">\n\n&lt;/textarea"),
            "a leading line break is kept: {html}"
        );
    }

    /// Every other textarea would bring the hole back.
    #[test]
    fn nobody_else_writes_a_textarea() {
        fn search(dir: &std::path::Path, hits: &mut Vec<std::path::PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    search(&path, hits);
                } else if path.extension().is_some_and(|e| e == "rs")
                    && std::fs::read_to_string(&path)
                        .unwrap()
                        .contains("<textarea")
                {
                    hits.push(path);
                }
            }
        }
        let mut hits = Vec::new();
        search(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut hits,
        );
        assert_eq!(hits.len(), 1, "{hits:?}");
        assert!(hits[0].ends_with("ui/field.rs"));
    }
}
