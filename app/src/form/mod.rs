//! Forms that post to their own page's URL.
//!
//! A page registers a POST handler beside its GET (see [`ssr::page_post`]). Success answers 303
//! with a message for the next page (the flash, kept in the session). Failure renders the same page
//! with 422, everything typed still in the fields, a message at each field and a summary on top.
//! Nothing of this needs scripts: the form is a native post.
//!
//! The page reads [`use_form`] and hands it to the fields of [`crate::ui`]; they find their value
//! and message by name.

pub mod ssr;

use crate::error::ApiError;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use lingbao_model::msg::{FieldError, Msg};

pub use crate::names::FORM_ID;

/// What the server knows about the form on the page being shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormState {
    /// Path of the page that was posted; elsewhere the state says nothing.
    pub path: String,
    /// What was typed, in order; a name can stand several times. Never contains secrets.
    pub values: Vec<(String, String)>,
    /// Messages about fields.
    pub errors: Vec<FieldError>,
    /// Why the whole was refused, when that is not about one field.
    pub problem: Option<ApiError>,
    /// What to know about what was just done, in full; shown once, on the page that it led to.
    pub notes: Vec<Msg>,
    /// What was just done on the page before; shown once.
    pub flash: Option<Msg>,
}

impl FormState {
    /// The value typed under a name (the first, if several).
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1.as_str())
    }

    /// The value typed under a name, or what the page proposes when nothing was posted.
    ///
    /// An unchecked box and a cleared list post nothing, so after a post the proposal is not used.
    pub fn value_or(&self, name: &str, proposal: impl Into<String>) -> String {
        match self.value(name) {
            Some(value) => value.to_owned(),
            None if self.was_posted() => String::new(),
            None => proposal.into(),
        }
    }

    /// Whether a box or radio of this name and value was chosen; `proposal` before any post.
    pub fn chosen(&self, name: &str, value: &str, proposal: bool) -> bool {
        if self.was_posted() {
            self.values
                .iter()
                .any(|pair| pair.0 == name && pair.1 == value)
        } else {
            proposal
        }
    }

    /// The message about a field.
    pub fn error(&self, name: &str) -> Option<&Msg> {
        self.errors
            .iter()
            .find(|error| error.field == name)
            .map(|error| &error.msg)
    }

    /// Whether this page answers a post.
    pub fn was_posted(&self) -> bool {
        !self.values.is_empty()
    }
}

/// Names whose values are never sent back into a page.
pub fn is_secret(name: &str) -> bool {
    ["password", "secret", "token", "otp"]
        .iter()
        .any(|word| name.contains(word))
}

/// What is known of the form on this page; of another page only what was just done there.
pub fn use_form() -> FormState {
    let state = use_context::<FormState>().unwrap_or_default();
    let here = use_location().pathname.get_untracked();
    if state.path == here {
        state
    } else {
        FormState {
            flash: state.flash,
            ..FormState::default()
        }
    }
}

/// Makes ids for forms; given by the server, because randomness is an argument there.
#[derive(Clone)]
pub struct FormIds(pub std::sync::Arc<dyn Fn() -> String + Send + Sync>);

/// The hidden one-time id of a form: a double click, a resent form and the back button post the
/// same id again, and the service recognises it. Every form that creates something has one.
#[component]
pub fn FormId() -> impl IntoView {
    let id = use_form()
        .value(FORM_ID)
        .map_or_else(new_id, ToOwned::to_owned);
    view! { <input type="hidden" name=FORM_ID value=id/> }
}

fn new_id() -> String {
    use_context::<FormIds>()
        .map(|ids| (ids.0)())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_win_over_proposals() {
        let fresh = FormState::default();
        assert_eq!(fresh.value_or("n", "1"), "1");
        assert!(fresh.chosen("zone", "public", true));
        let posted = FormState {
            values: vec![("n".into(), "x".into())],
            ..FormState::default()
        };
        assert_eq!(posted.value_or("n", "1"), "x");
        assert_eq!(posted.value_or("cleared", "1"), "");
        assert!(!posted.chosen("zone", "public", true));
    }

    #[test]
    fn secrets_are_known_by_name() {
        assert!(is_secret("password_new") && is_secret("api_token") && !is_secret("name"));
    }
}
