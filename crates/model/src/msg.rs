//! What is said to people: a key and arguments, never a sentence.
//!
//! Messages are stored and sent in this form, and become a sentence only where somebody reads
//! them, in the language of that reader.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::time::{Date, Timestamp};

/// One argument of a message. The reader's side formats it, so that a number, an amount or a
/// date looks the same wherever it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", content = "v", rename_all = "snake_case")]
pub enum Arg {
    /// Text to print as it is: a name, a request number.
    Text(String),
    /// A whole number, printed with thousands separators.
    Count(i64),
    /// An amount, printed in 元 with two decimals.
    Money(Money),
    /// A civil date.
    Date(Date),
    /// A moment, printed in the portal's time zone.
    Moment(Timestamp),
    /// Text that exists in both languages (a catalogue label).
    Label(Label),
    /// Another message, printed in place.
    Msg(Box<Msg>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Arg {
    fn from(n: i64) -> Self {
        Self::Count(n)
    }
}
impl From<Money> for Arg {
    fn from(amount: Money) -> Self {
        Self::Money(amount)
    }
}
impl From<Date> for Arg {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}
impl From<Timestamp> for Arg {
    fn from(at: Timestamp) -> Self {
        Self::Moment(at)
    }
}
impl From<Label> for Arg {
    fn from(label: Label) -> Self {
        Self::Label(label)
    }
}
impl From<Msg> for Arg {
    fn from(msg: Msg) -> Self {
        Self::Msg(Box::new(msg))
    }
}

/// A message: the key of its text in the dictionaries, and what stands in its gaps.
///
/// ```
/// use lingbao_model::msg::Msg;
/// let m = Msg::new("error.too_large").with("max", 64_i64);
/// assert_eq!(m.key, "error.too_large");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Msg {
    /// Key in the dictionaries, `area.name`.
    pub key: Cow<'static, str>,
    /// Named arguments; the text names them in braces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<(Cow<'static, str>, Arg)>,
}

impl Msg {
    /// A message without arguments.
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self {
            key: key.into(),
            args: Vec::new(),
        }
    }

    /// The same message with one more argument.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Arg>) -> Self {
        self.args.push((Cow::Borrowed(name), value.into()));
        self
    }
}

/// A message about one field of a form; `field` is the field's `name` in the form and in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Name of the field, as in the form (`cpu`, `items[2].size`).
    pub field: String,
    /// What is wrong and how to mend it.
    pub msg: Msg,
}

impl FieldError {
    /// A message about `field`.
    pub fn new(field: impl Into<String>, msg: Msg) -> Self {
        Self {
            field: field.into(),
            msg,
        }
    }
}

/// A short text that administrators write in both languages: names of items, options, stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Label {
    /// Chinese, always there.
    pub zh: String,
    /// English; empty means that the Chinese text serves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub en: String,
}

impl Label {
    /// A label in both languages.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            zh: zh.into(),
            en: en.into(),
        }
    }

    /// The text for a reader of Chinese (`true`) or English.
    pub fn text(&self, chinese: bool) -> &str {
        if chinese || self.en.is_empty() {
            &self.zh
        } else {
            &self.en
        }
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Arg {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::Object::new().into()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Arg {}
