//! Clicks and searches: links and forms that ask for a page bring it without loading the document anew;
//! the buttons beside a number count by themselves.

use super::{around, listen, page};
use leptos::prelude::{document, window};
use lingbao_model::text::parse_integer;
use wasm_bindgen::JsCast;
use web_sys::{
    Element, Event, EventInit, FormData, HtmlAnchorElement, HtmlFormElement, HtmlInputElement,
    MouseEvent, SubmitEvent, Url, UrlSearchParams,
};

/// Watches links, searches and steppers.
pub fn start() {
    listen("click", |event: MouseEvent| {
        if event.default_prevented() {
            return;
        }
        if let Some(button) = around(&event, "button[data-by]") {
            if press(&button).is_some() {
                event.prevent_default();
            }
        } else if let Some(url) = followed(&event) {
            event.prevent_default();
            page::go(url);
        }
    });
    listen("submit", |event: SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        if let Some(url) = asked(&event) {
            event.prevent_default();
            page::go(url);
        }
    });
}

/// Where a click leads, if it is for us: a plain click on a link to a page of the portal.
fn followed(event: &MouseEvent) -> Option<String> {
    let plain = event.button() == 0
        && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
    if !plain {
        return None;
    }
    let link: HtmlAnchorElement = around(event, "a[href]")?.dyn_into().ok()?;
    let ours = matches!(link.target().as_str(), "" | "_self")
        && !link.has_attribute("download")
        && !link.rel().split_whitespace().any(|word| word == "external");
    let here = window().location();
    let same_host = here.origin().is_ok_and(|origin| origin == link.origin());
    if !ours || !same_host {
        return None;
    }
    // A place on this very page is the browser's.
    let same_page = here.pathname().is_ok_and(|path| path == link.pathname())
        && here.search().is_ok_and(|query| query == link.search());
    (!same_page || link.hash().is_empty()).then(|| link.href())
}

/// What a search asks for, if it is one: a form that is sent by GET.
fn asked(event: &SubmitEvent) -> Option<String> {
    let form: HtmlFormElement = event.target()?.dyn_into().ok()?;
    if !form.method().eq_ignore_ascii_case("get") {
        return None;
    }
    let fields = FormData::new_with_form(&form).ok()?;
    let query = UrlSearchParams::new_with_str_sequence_sequence(&fields).ok()?;
    if let Some(button) = event.submitter() {
        let other_way = ["formaction", "formmethod"]
            .iter()
            .any(|name| button.has_attribute(name));
        if other_way {
            return None;
        }
        if let (Some(name), value) = (button.get_attribute("name"), button.get_attribute("value")) {
            query.append(&name, &value.unwrap_or_default());
        }
    }
    let url = Url::new_with_base(
        &form.get_attribute("action")?,
        &document().base_uri().ok()??,
    )
    .ok()?;
    url.set_search(&String::from(query.to_string()));
    Some(url.href())
}

/// One press on a button beside a number, which says by how much (`data-by`) and within what.
fn press(button: &Element) -> Option<()> {
    let limit = |name: &str| button.get_attribute(name)?.parse::<i64>().ok();
    let id = button.get_attribute("aria-controls")?;
    let input: HtmlInputElement = document().get_element_by_id(&id)?.dyn_into().ok()?;
    let (by, min, max) = (limit("data-by")?, limit("data-min")?, limit("data-max")?);
    let value = parse_integer(&input.value()).unwrap_or(min);
    input.set_value(&crate::ui::step(value, by, min, max).to_string());
    // Pages listen to what is typed; a press counts as typing.
    let bubbling = EventInit::new();
    bubbling.set_bubbles(true);
    let event = Event::new_with_event_init_dict("input", &bubbling).ok()?;
    let _ = input.dispatch_event(&event);
    Some(())
}
