//! Pages that the application does not make. First that of a refusal which no page could give: the
//! database is away, a handler panicked, another site's form was refused. They ask nobody anything:
//! the words are in the program, the style sheet is a file.
use axum::response::Html;
use lingbao_app::{
    i18n::{self, Lang},
    routes,
};

use lingbao_model::msg::Msg;

use super::{Portal, problem::Refusal};

/// The page.
pub fn page(portal: &Portal, lang: Lang, refusal: &Refusal) -> Html<String> {
    let message = escape(&i18n::msg_in(lang, &refusal.error.msg));
    let id = refusal.error.request_id.as_deref().unwrap_or("-");
    let status = refusal.status;
    let number = word(lang, "error.number").replace("{id}", &escape(id));
    let body = format!(
        "<main id=\"main\" class=\"page\"><div class=\"empty\"><h1>{message}</h1>\
         <p class=\"second\">{status} · {number}</p>\
         <p><a class=\"button\" href=\"{home}\">{back}</a></p></div></main>",
        home = routes::HOME,
        back = word(lang, "not_found.back"),
    );
    Html(framed(portal, lang, &status.to_string(), &body))
}

/// A page with the portal's bar, style sheet and way home around `body`, which is HTML.
pub fn framed(portal: &Portal, lang: Lang, title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} · {brand}</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"{style}\"></head><body>\
         <header class=\"top\"><a class=\"brand\" href=\"{home}\">\
         <span class=\"brand-name\">{brand}</span><span class=\"brand-site\">{site}</span></a></header>\
         {body}</body></html>",
        tag = lang.tag(),
        brand = word(lang, "brand.name"),
        site = escape(&portal.config.site.name),
        style = portal.style,
        home = routes::HOME,
    )
}

fn word(lang: Lang, key: &'static str) -> String {
    escape(&i18n::msg_in(lang, &Msg::new(key)))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}
