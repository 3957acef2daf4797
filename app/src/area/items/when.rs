//! "When does it apply": the fields of one simple condition, as parts of a price, parameters and what an
//! item takes from quotas have it.

use super::{
    policy_rows::all,
    rows::{Labels, answer_name, keeping, options, place},
};
use crate::{i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    msg::Msg,
    param::{Condition, Kind as ParamKind, Param, Schema},
    text::parse_integer,
};

/// One condition, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    /// Name of the row that it belongs to.
    pub of: String,
    /// Key of the parameter that it looks at; nothing for always.
    pub key: String,
    /// The answers with which it holds.
    pub values: Vec<String>,
    /// The least number with which it holds.
    pub least: String,
}

impl When {
    /// What was posted of a row.
    pub fn read(of: &str, values: &[(String, String)]) -> Self {
        let typed = |field: &str| all(values, &format!("{of}.{field}"));
        let one = |field: &str| (*typed(field).first().unwrap_or(&"")).to_owned();
        Self {
            of: of.to_owned(),
            key: one("when"),
            values: all(values, &format!("{of}.values"))
                .into_iter()
                .map(ToOwned::to_owned)
                .collect(),
            least: one("least"),
        }
    }

    /// The fields of a condition; `None` if it is none that they can show.
    pub fn of(of: &str, condition: Option<&Condition>, schema: &Schema) -> Option<Self> {
        let mut row = Self {
            of: of.to_owned(),
            ..Self::default()
        };
        match condition {
            None => {}
            Some(Condition::OneOf { param, values }) => {
                // What can't be ticked would be lost.
                let known = options(schema, param);
                let shown = |value: &String| known.iter().any(|(one, _)| one == value);
                values.iter().all(shown).then_some(())?;
                row.key.clone_from(param);
                row.values.clone_from(values);
            }
            Some(Condition::AtLeast { param, value }) => {
                let number = schema.get(param).map(|param| &param.kind);
                matches!(number, Some(ParamKind::Integer { .. })).then_some(())?;
                row.key.clone_from(param);
                row.least = value.to_string();
            }
            Some(_) => return None,
        }
        Some(row)
    }

    /// The field of a message about a condition that could never hold: where one ticks, or where one
    /// says at what it looks.
    pub fn field(msg: &Msg) -> &'static str {
        match msg.key.as_ref() {
            "policy.choose" | "schema.no_such_option" => "values",
            _ => "when",
        }
    }

    /// The condition, which whoever saves it checks; a number that can't be read is told to `failed`.
    pub fn condition(
        &self,
        schema: &Schema,
        failed: &mut dyn FnMut(String, Msg),
    ) -> Option<Condition> {
        let Self { of, key, .. } = self;
        if key.is_empty() {
            return None;
        }
        if let Some(ParamKind::Integer { .. }) = schema.get(key).map(|param| &param.kind) {
            let value = parse_integer(&self.least);
            if value.is_none() {
                failed(format!("{of}.least"), Msg::new("error.not_a_number"));
            }
            return Some(Condition::AtLeast {
                param: key.clone(),
                value: value.unwrap_or(0),
            });
        }
        Some(Condition::OneOf {
            param: key.clone(),
            values: self.values.clone(),
        })
    }

    /// The fields: at which of the parameters `known` it looks, and with which answers it holds.
    /// `press` makes the button that shows the fields of another choice.
    pub fn fields(
        &self,
        known: &[Param],
        about: &str,
        labels: &mut Labels,
        press: impl Fn(&str, &'static str, &str, String) -> AnyView,
    ) -> AnyView {
        let on = format!("{}.when", self.of);
        labels.push((on.clone(), format!("{about} · {}", t!("items.depends_on"))));
        let mut choices = vec![(String::new(), t!("price.always").to_owned())];
        let looked_at = known.iter().filter(|param| {
            !matches!(
                param.kind,
                ParamKind::Text { .. } | ParamKind::Attach { .. }
            )
        });
        choices.extend(looked_at.map(|param| {
            let text = t!("price.by_answer", of = i18n::label(&param.label));
            (param.key.clone(), text)
        }));
        let show = press(
            &format!("show {}", self.of),
            t!("price.show"),
            about,
            place(&on),
        );
        let choices = keeping(choices, &self.key, &self.key);
        let chosen = self.key.clone();
        let answers = known
            .iter()
            .find(|param| param.key == self.key)
            .map_or_else(
                || self.carried(),
                |param| self.answers(param, about, labels),
            );
        view! {
            <div class="steps between">
                <Field name=on label=t!("items.depends_on")>
                    <Select options=choices value=chosen width=Width::M/>
                </Field>
                {show}
            </div>
            {answers}
        }
        .into_any()
    }

    /// The answers beside those that the page shows, so that a parameter that was moved or called
    /// otherwise and back again loses nothing.
    fn carried(&self) -> AnyView {
        let of = &self.of;
        let values = self.values.iter();
        let fields = values
            .map(|value| (format!("{of}.values"), value.clone()))
            .chain([(format!("{of}.least"), self.least.clone())]);
        fields
            .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
            .collect_view()
            .into_any()
    }

    fn answers(&self, param: &Param, about: &str, labels: &mut Labels) -> AnyView {
        if let ParamKind::Integer { .. } = param.kind {
            let name = format!("{}.least", self.of);
            let text = t!("price.least");
            labels.push((name.clone(), format!("{about} · {text}")));
            let typed = self.least.clone();
            return view! {
                <Field name label=text>
                    <TextInput value=typed width=Width::S maxlength=12_u32/>
                </Field>
            }
            .into_any();
        }
        let name = format!("{}.values", self.of);
        let legend = t!("price.values", of = i18n::label(&param.label));
        labels.push((name.clone(), format!("{about} · {legend}")));
        let known = options(&Schema(vec![param.clone()]), &param.key);
        let is_known = |value: &String| known.iter().any(|(one, _)| one == value);
        let gone: Vec<_> = self
            .values
            .iter()
            .filter(|value| !is_known(value))
            .collect();
        // An answer that no option gives any more stays ticked: whoever saves takes it away, not we.
        let gone = gone.into_iter().map(|value| {
            let text = t!("content.not_here", key = value.as_str());
            (value.clone(), text)
        });
        let shown = known.iter().map(|(value, label)| {
            let text = answer_name(value, label);
            (value.clone(), text)
        });
        let boxes: Vec<_> = shown
            .chain(gone)
            .map(|(value, text)| {
                let checked = self.values.contains(&value);
                let name = name.clone();
                view! { <Check name value checked>{text}</Check> }
            })
            .collect();
        view! { <FieldSet name legend>{boxes}</FieldSet> }.into_any()
    }
}
