//! The page of a refusal that no page of the application could give: the database is away, a
//! handler panicked, another site's form was refused. It asks nobody anything: the words are in the
//! program, the style sheet is a file.
use axum::response::Html;
use lingbao_app::{
    i18n::{self, Lang},
    routes,
};

use lingbao_model::msg::Msg;

use super::{Portal, problem::Refusal};

/// The page.
pub fn page(portal: &Portal, lang: Lang, refusal: &Refusal) -> Html<String> {
    let word = |key: &'static str| escape(&i18n::msg_in(lang, &Msg::new(key)));
    let message = escape(&i18n::msg_in(lang, &refusal.error.msg));
    let id = refusal.error.request_id.as_deref().unwrap_or("-");
    let number = word("error.number").replace("{id}", &escape(id));
    Html(format!(
        "<!DOCTYPE html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{status} · {brand}</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"{style}\"></head><body>\
         <header class=\"top\"><a class=\"brand\" href=\"{home}\">\
         <span class=\"brand-name\">{brand}</span><span class=\"brand-site\">{site}</span></a></header>\
         <main id=\"main\" class=\"page\"><div class=\"empty\"><h1>{message}</h1>\
         <p class=\"second\">{status} · {number}</p>\
         <p><a class=\"button\" href=\"{home}\">{back}</a></p></div></main></body></html>",
        tag = lang.tag(),
        status = refusal.status,
        brand = word("brand.name"),
        site = escape(&portal.config.site.name),
        style = portal.style,
        home = routes::HOME,
        back = word("not_found.back"),
    ))
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
