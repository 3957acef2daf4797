//! How the page looks for this reader: theme, contrast, text size, language.
//!
//! Kept in one cookie, because it must be known before the first byte and for people who are not
//! signed in. The switches are forms to [`PATH`](crate::routes::LOOK), so they work without scripts.

use crate::i18n::Lang;
use leptos::prelude::*;

/// Name of the cookie. It holds four parts: `dark.high.large.en`, `-` for "as the system has it".
pub const COOKIE: &str = "lingbao_look";

/// Light or dark; without a choice the system decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The reader's settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Chosen theme.
    pub theme: Option<Theme>,
    /// High contrast.
    pub high_contrast: bool,
    /// Large text (适老化).
    pub large_text: bool,
    /// Chosen language, as a tag; without a choice the browser's first known language.
    pub english: Option<bool>,
}

impl Look {
    /// Value of `data-theme`.
    pub fn theme_attr(self) -> Option<&'static str> {
        self.theme.map(|theme| match theme {
            Theme::Light => "light",
            Theme::Dark => "dark",
        })
    }

    /// Value of `data-contrast`.
    pub fn contrast_attr(self) -> Option<&'static str> {
        self.high_contrast.then_some("high")
    }

    /// Value of `data-text`.
    pub fn text_attr(self) -> Option<&'static str> {
        self.large_text.then_some("large")
    }

    /// The language, given what the browser accepts.
    pub fn lang(self, accept_language: &str) -> Lang {
        match self.english {
            Some(true) => Lang::En,
            Some(false) => Lang::Zh,
            None => Lang::accepted(accept_language),
        }
    }

    /// The value for the cookie.
    pub fn to_cookie(self) -> String {
        format!(
            "{}.{}.{}.{}",
            self.theme_attr().unwrap_or("-"),
            self.contrast_attr().unwrap_or("-"),
            self.text_attr().unwrap_or("-"),
            self.english
                .map_or("-", |english| if english { "en" } else { "zh" }),
        )
    }

    /// Reads the cookie's value; what is unknown is as if not chosen.
    pub fn from_cookie(value: &str) -> Self {
        let mut look = Self::default();
        for part in value.split('.') {
            look.choose(part);
        }
        look
    }

    /// Takes one choice, by the value of the button that was pressed.
    pub fn choose(&mut self, value: &str) {
        match value {
            "light" => self.theme = Some(Theme::Light),
            "dark" => self.theme = Some(Theme::Dark),
            "system" => self.theme = None,
            "high" => self.high_contrast = true,
            "normal" => self.high_contrast = false,
            "large" => self.large_text = true,
            "standard" => self.large_text = false,
            "en" => self.english = Some(true),
            "zh" => self.english = Some(false),
            _ => {}
        }
    }
}

/// The settings of this page.
pub fn use_look() -> Look {
    use_context::<Look>().unwrap_or_default()
}

/// Reading and setting the cookie.
pub mod ssr {
    use super::{COOKIE, Look};
    use axum::{
        Form,
        http::{HeaderMap, header},
        response::{IntoResponse, Redirect, Response},
    };
    use serde::Deserialize;

    /// The settings of a request.
    pub fn of(headers: &HeaderMap) -> Look {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
            .map(Look::from_cookie)
            .unwrap_or_default()
    }

    /// What the switches post: the choice, and the page to come back to.
    #[derive(Deserialize)]
    pub struct Choice {
        set: String,
        #[serde(default)]
        back: String,
    }

    /// Takes a choice and leads back. Only paths of this site are led to.
    pub async fn choose(headers: HeaderMap, Form(choice): Form<Choice>) -> Response {
        let mut look = of(&headers);
        look.choose(&choice.set);
        let cookie = format!(
            "{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
            look.to_cookie()
        );
        (
            [(header::SET_COOKIE, cookie)],
            Redirect::to(crate::routes::local_path(&choice.back)),
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_comes_back_as_it_went() {
        let mut look = Look::default();
        assert_eq!(Look::from_cookie(&look.to_cookie()), look);
        for choice in ["dark", "high", "large", "en"] {
            look.choose(choice);
            assert_eq!(Look::from_cookie(&look.to_cookie()), look);
        }
        assert_eq!(look.to_cookie(), "dark.high.large.en");
        look.choose("system");
        look.choose("<script>");
        assert_eq!(look.to_cookie(), "-.high.large.en");
    }
}
