//! What stands before the second person: where the new content of an item is another one.

use crate::{i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::{Content, Publication},
    view::item::{ItemView, VersionRow},
};

/// What the newest version says otherwise than the one in force. Nothing when the newest is in force,
/// or none is.
pub fn waiting(item: &ItemView) -> Option<AnyView> {
    let newest = item.contents.first()?;
    if newest.state == Publication::Published || newest.state == Publication::Retired {
        return None;
    }
    let mut rows = item.contents.iter();
    let stands = rows.find(|row| row.state == Publication::Published)?;
    let read = |row: &VersionRow| serde_json::from_str::<Content>(&row.text).ok();
    let found = read(stands)?.differences(&read(newest)?);
    let title = t!("content.waiting", n = newest.number, of = stands.number);
    let said = if found.is_empty() {
        view! { <p class="hint">{t!("policy.diff.none")}</p> }.into_any()
    } else {
        let lines = found.iter().map(|msg| view! { <li>{i18n::msg(msg)}</li> });
        view! { <ul>{lines.collect_view()}</ul> }.into_any()
    };
    Some(view! { <Panel title pad=true>{said}</Panel> }.into_any())
}
