//! What is said about a field away from it.

use crate::{i18n, t};

/// A message with the label of its field before it, where it stands away from the field.
pub fn named(error: &lingbao_model::msg::FieldError, labels: &[(String, String)]) -> String {
    let msg = i18n::msg(&error.msg);
    if let Some((_, label)) = labels.iter().find(|(name, _)| *name == *error.field) {
        return format!("{label}{}{msg}", t!("ui.colon"));
    }
    let key = format!("field.{}", error.field);
    let label = i18n::t_key(&key);
    if label == key {
        msg
    } else {
        format!("{label}{}{msg}", t!("ui.colon"))
    }
}
