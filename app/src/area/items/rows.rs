//! What the forms of contents, prices and policies share: their buttons, and the parameters they speak of.

use crate::{i18n, t, ui::field_id};
use leptos::prelude::*;
use lingbao_model::{
    msg::Label,
    param::{Kind, Param, Schema},
};

/// Labels of fields by their names, for the summary.
pub type Labels = Vec<(String, String)>;

/// A button that changes rows; the page comes back at the place `to` of the form `form`. `what` is read
/// aloud, for there are many that say the same.
pub fn press(form: &str, act: &str, text: &'static str, what: &str, to: String) -> AnyView {
    let what = (!what.is_empty()).then(|| view! { <span class="sr">{format!(" {what}")}</span> });
    view! {
        <button class="btn btn-sm" name="do" value=act.to_owned() formaction=format!("?as={form}{to}")>
            {text}
            {what}
        </button>
    }
    .into_any()
}

/// The place of a field in the page.
pub fn place(field: &str) -> String {
    format!("#{}", field_id(field))
}

/// The title of a row: its number, and its name in the language of the page.
pub fn titled(number: &str, (zh, en): &(String, String)) -> String {
    match i18n::label(&Label::new(zh.trim(), en.trim())) {
        name if name.is_empty() => number.to_owned(),
        name => format!("{number} · {name}"),
    }
}

/// The values of a choice or of a yes and no with their names; nothing for other parameters.
pub fn options(schema: &Schema, key: &str) -> Vec<(String, Label)> {
    let yes_no = |value: &str| (value.to_owned(), Label::default());
    match schema.get(key).map(|param| &param.kind) {
        Some(Kind::Choice { options, .. }) => options
            .iter()
            .map(|option| (option.value.clone(), option.label.clone()))
            .collect(),
        Some(Kind::Flag { .. }) => vec![yes_no("true"), yes_no("false")],
        _ => Vec::new(),
    }
}

/// The name of an option; a yes or a no has none of its own.
pub fn answer_name(value: &str, label: &Label) -> String {
    match (value, label.zh.is_empty()) {
        ("true", true) => t!("fact.yes").to_owned(),
        ("false", true) => t!("fact.no").to_owned(),
        _ => i18n::label(label),
    }
}

/// Whether a parameter can be counted by a price or a quota.
pub const fn counts(param: &Param) -> bool {
    matches!(param.kind, Kind::Integer { .. } | Kind::Flag { .. })
}

/// What can be counted: one, or the number of a parameter.
pub fn quantities(schema: &Schema, chosen: &str) -> Vec<(String, String)> {
    let one = (String::new(), t!("price.one").to_owned());
    let numbers = schema.0.iter().filter(|param| counts(param));
    let numbers = numbers.map(|param| (param.key.clone(), i18n::label(&param.label)));
    keeping(
        std::iter::once(one).chain(numbers).collect(),
        chosen,
        chosen,
    )
}

/// The options of a list, and what is chosen if it is none of them, by its `key`: a list that left it
/// out would say the first option instead, and nobody would have changed it. Saving refuses it.
pub fn keeping(
    mut options: Vec<(String, String)>,
    chosen: &str,
    key: &str,
) -> Vec<(String, String)> {
    if options.iter().all(|(value, _)| value != chosen) {
        options.push((chosen.to_owned(), t!("content.not_here", key = key)));
    }
    options
}
