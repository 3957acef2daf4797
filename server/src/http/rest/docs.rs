//! The page to read the programming interface: our own HTML from the document, without a script.
use std::{collections::BTreeSet, fmt::Write};

use axum::{http::HeaderMap, response::Html};
use lingbao_app::{
    error::ErrorCode,
    i18n::{self, Lang},
};
use lingbao_model::msg::Msg;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::http::{Portal, error_page::framed, problem::language};

/// The page in both languages, made once.
#[derive(Debug, Clone)]
pub(super) struct Page {
    zh: String,
    en: String,
}

/// Makes the page out of the document.
pub(super) fn page(portal: &Portal, document: &OpenApi) -> Page {
    let document = serde_json::to_value(document).unwrap_or(Value::Null);
    Page {
        zh: render(portal, &document, Lang::Zh),
        en: render(portal, &document, Lang::En),
    }
}

impl Page {
    pub(super) fn in_language_of(&self, headers: &HeaderMap) -> Html<String> {
        Html(match language(headers) {
            Lang::Zh => self.zh.clone(),
            Lang::En => self.en.clone(),
        })
    }
}

/// What stands there as HTML; names of code stand between backticks.
fn text(value: &Value, key: &str) -> String {
    let text = escape(value[key].as_str().unwrap_or_default());
    let parts = text.split('`').enumerate();
    parts
        .map(|(n, part)| match n % 2 {
            1 => format!("<code>{part}</code>"),
            _ => part.to_owned(),
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn render(portal: &Portal, document: &Value, lang: Lang) -> String {
    let word = |key: &'static str| escape(&i18n::msg_in(lang, &Msg::new(key)));
    let mut out = format!(
        "<main id=\"main\" class=\"main\"><div class=\"gap-6\"><h1>{}</h1><p>{}</p>\
         <p><a href=\"/me/tokens\">{}</a> · <a href=\"/api/v1/openapi.json\">openapi.json</a></p>",
        word("api.title"),
        text(&document["info"], "description"),
        word("account.tokens"),
    );
    let empty = serde_json::Map::new();
    let paths = document["paths"].as_object().unwrap_or(&empty);
    let mut tag = "";
    let mut operations: Vec<(&str, &str, &str, &Value)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| {
                let tag = operation["tags"][0].as_str().unwrap_or_default();
                (tag, path.as_str(), method.as_str(), operation)
            })
        })
        .collect();
    operations.sort_by_key(|(tag, path, method, _)| (*tag, *path, *method));
    let tags: BTreeSet<&str> = operations.iter().map(|(tag, ..)| *tag).collect();
    let mut parts: Vec<String> = tags
        .into_iter()
        .map(|tag| format!("<a href=\"#{tag}\">{tag}</a>"))
        .collect();
    for (id, key) in [("schemas", "api.schemas"), ("problems", "api.problems")] {
        parts.push(format!("<a href=\"#{id}\">{}</a>", word(key)));
    }
    let _ = write!(
        out,
        "<nav class=\"panel panel-pad\" aria-label=\"{}\">{}</nav>",
        word("api.contents"),
        parts.join(" · "),
    );
    for (of, path, method, operation) in operations {
        if of != tag {
            tag = of;
            let _ = write!(out, "<h2 id=\"{tag}\">{tag}</h2>");
        }
        let _ = write!(
            out,
            "<section class=\"panel\"><div class=\"panel-head\"><h3><code>{} {}</code></h3></div>\
             <div class=\"panel-pad\"><p>{}</p>",
            method.to_uppercase(),
            escape(path),
            text(operation, "summary"),
        );
        let parameters = operation["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !parameters.is_empty() {
            let _ = write!(
                out,
                "<h4 class=\"sec-5\">{}</h4><dl class=\"kv\">",
                word("api.parameters")
            );
            for parameter in parameters {
                let _ = write!(
                    out,
                    "<dt><code>{}</code> ({})</dt><dd>{}</dd>",
                    text(parameter, "name"),
                    text(parameter, "in"),
                    text(parameter, "description"),
                );
            }
            out.push_str("</dl>");
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            let _ = write!(
                out,
                "<h4 class=\"sec-5\">{}</h4><p>{}</p>",
                word("api.body"),
                kind(body)
            );
        }
        let _ = write!(
            out,
            "<h4 class=\"sec-5\">{}</h4><dl class=\"kv\">",
            word("api.answers")
        );
        for (status, answer) in operation["responses"].as_object().unwrap_or(&empty) {
            let schema = &answer["content"]["application/json"]["schema"];
            let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape(status), kind(schema));
        }
        out.push_str("</dl></div></section>");
    }
    let _ = write!(out, "<h2 id=\"schemas\">{}</h2>", word("api.schemas"));
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .unwrap_or(&empty)
    {
        let name = escape(name);
        let _ = write!(
            out,
            "<section id=\"schema-{name}\" class=\"panel\"><div class=\"panel-head\"><h3>{name}</h3></div>\
             <div class=\"panel-pad\"><p>{}</p>",
            text(schema, "description"),
        );
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<_> = words
                .iter()
                .map(|word| format!("<code>{}</code>", escape(&word.to_string())))
                .collect();
            let _ = write!(out, "<p>{}</p>", words.join(", "));
        }
        if let Some(fields) = schema["properties"].as_object() {
            out.push_str("<dl class=\"kv\">");
            for (field, of) in fields {
                let _ = write!(
                    out,
                    "<dt><code>{}</code></dt><dd>{} <span class=\"sub\">{}</span></dd>",
                    escape(field),
                    kind(of),
                    text(of, "description"),
                );
            }
            out.push_str("</dl>");
        }
        out.push_str("</div></section>");
    }
    let _ = write!(
        out,
        "<h2 id=\"problems\">{}</h2><dl class=\"kv panel panel-pad\">",
        word("api.problems")
    );
    for (code, key) in [
        (ErrorCode::Invalid, "error.invalid"),
        (ErrorCode::Unauthenticated, "error.unauthenticated"),
        (ErrorCode::Forbidden, "error.forbidden"),
        (ErrorCode::NotFound, "error.not_found"),
        (ErrorCode::Conflict, "error.conflict"),
        (ErrorCode::QuotaExceeded, "error.quota_exceeded"),
        (ErrorCode::TooMany, "error.too_many"),
        (ErrorCode::Unavailable, "error.unavailable"),
        (ErrorCode::Internal, "error.internal"),
    ] {
        let msg = Msg::new(key).with("minutes", "n");
        let name = serde_json::to_value(code).unwrap_or(Value::Null);
        let name = name.as_str().unwrap_or_default();
        let _ = write!(
            out,
            "<dt id=\"problem-{name}\"><code>{name}</code></dt><dd>{}: {}</dd>",
            code.status(),
            escape(&i18n::msg_in(lang, &msg)),
        );
    }
    out.push_str("</dl></div></main>");
    framed(portal, lang, &word("api.title"), &out)
}

/// What a schema is, in one line, with links to those that have a name.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(several) = schema["oneOf"].as_array() {
        let several: Vec<_> = several.iter().map(kind).collect();
        return several.join(" | ");
    }
    let one = |kind: &str| match kind {
        "array" => format!("[{}]", self::kind(&schema["items"])),
        other => escape(other),
    };
    match &schema["type"] {
        Value::String(text) => one(text),
        Value::Array(several) => {
            let several: Vec<_> = several.iter().filter_map(Value::as_str).map(one).collect();
            several.join(" | ")
        }
        _ => String::new(),
    }
}
