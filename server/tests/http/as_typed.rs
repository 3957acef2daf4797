//! A form as a browser would post it: what stands in the page, and what was typed over it.

use crate::portal::{Answer, Browser};

/// What a browser would post of a form as it stands: names and values of its fields.
pub fn fields(page: &str) -> Vec<(String, String)> {
    // The frame has forms of its own.
    let (_, main) = page.split_once("<main").unwrap();
    let (_, form) = main.split_once("<form method=\"post\"").unwrap();
    let (form, _) = form.split_once("</form>").unwrap();
    let attribute = |tag: &str, name: &str| -> Option<String> {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        let (value, _) = rest.split_once('"')?;
        Some(value.replace("&amp;", "&"))
    };
    let mut found = Vec::new();
    // The first option stands until another one is chosen; its value may be empty.
    let mut first = false;
    for part in form.split('<').skip(1) {
        let (tag, inner) = part.split_once('>').unwrap();
        let name = attribute(tag, "name");
        if tag.starts_with("input") {
            let ticks = tag.contains("type=\"radio\"") || tag.contains("type=\"checkbox\"");
            if !ticks || tag.contains(" checked") {
                let value = attribute(tag, "value").unwrap_or_default();
                found.push((name.unwrap(), value));
            }
        } else if tag.starts_with("textarea") {
            // The first line break belongs to the page.
            let text = inner.strip_prefix('\n').unwrap_or(inner);
            let text = text.replace("&lt;", "<").replace("&gt;", ">");
            found.push((name.unwrap(), text.replace("&amp;", "&")));
        } else if tag.starts_with("select") {
            found.push((name.unwrap(), String::new()));
            first = true;
        } else if tag.starts_with("option") {
            let (_, chosen) = found.last_mut().unwrap();
            if std::mem::take(&mut first) || tag.contains(" selected") {
                *chosen = attribute(tag, "value").unwrap();
            }
        }
    }
    found
}

/// Presses the button `act` of the form on `page`, which was got from `path`, with some fields typed
/// anew.
pub async fn press(
    browser: &Browser<'_>,
    path: &str,
    page: &Answer,
    act: &str,
    other: &[(&str, &str)],
) -> Answer {
    let mut typed = fields(&page.text);
    for (name, value) in other {
        typed.retain(|pair| pair.0 != *name);
        typed.push(((*name).to_owned(), (*value).to_owned()));
    }
    typed.push(("do".to_owned(), act.to_owned()));
    let typed: Vec<_> = typed
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    browser.post(path, &typed).await
}

/// Name of the field whose value is this.
pub fn named(page: &str, value: &str) -> String {
    let all = fields(page);
    all.into_iter().find(|pair| pair.1 == value).unwrap().0
}
