//! Makes what stands on the page into what the server says stands there now, and touches nothing else:
//! the focus, what is typed, what is ticked and what is unfolded stay.
//!
//! What was typed stays by itself: browsers keep the value of a field that somebody changed apart from
//! its attribute. Rows are told apart by what they are about, so that a tick stays with its row when
//! another comes in above.

use crate::names::FORM_ID;
use std::collections::HashMap;
use wasm_bindgen::JsCast;
use web_sys::{Element, Node};

/// Why a page is shown anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody went there: menus close.
    Gone,
    /// It changed under a reader: what they unfolded stays.
    News,
}

/// Makes `old` into `new`, which both are the same kind of element.
pub fn morph(old: &Element, new: &Element, why: Why) {
    if kept(old, new, why) {
        return;
    }
    attributes(old, new, why);
    children(old, new, why);
}

/// What a page keeps as it is: messages of what was just done, and an island that shows the same thing.
fn kept(old: &Element, new: &Element, why: Why) -> bool {
    let same = |name: &str| old.get_attribute(name) == new.get_attribute(name);
    match old.tag_name().as_str() {
        "LEPTOS-ISLAND" => same("data-component") && same("data-props"),
        // A form that is sent twice is known by its first number.
        "INPUT" => new.get_attribute("name").as_deref() == Some(FORM_ID) && same("name"),
        _ => why == Why::News && old.has_attribute("data-keep"),
    }
}

fn attributes(old: &Element, new: &Element, why: Why) {
    let unfolded = |name: &str| why == Why::News && name == "open";
    for name in new
        .get_attribute_names()
        .iter()
        .filter_map(|n| n.as_string())
    {
        let value = new.get_attribute(&name).unwrap_or_default();
        if !unfolded(&name) && old.get_attribute(&name).as_deref() != Some(&value) {
            // The name stands in a page, so it is one.
            let _ = old.set_attribute(&name, &value);
        }
    }
    for name in old
        .get_attribute_names()
        .iter()
        .filter_map(|n| n.as_string())
    {
        if !unfolded(&name) && !new.has_attribute(&name) {
            let _ = old.remove_attribute(&name);
        }
    }
}

fn children(old: &Element, new: &Element, why: Why) {
    let mut by_key: HashMap<String, Element> = HashMap::new();
    for child in nodes(old) {
        if let Some(element) = child.dyn_ref::<Element>()
            && let Some(key) = key(element)
        {
            by_key.entry(key).or_insert_with(|| element.clone());
        }
    }
    let mut at = old.first_child();
    for wanted in nodes(new) {
        let own = wanted
            .dyn_ref::<Element>()
            .and_then(|element| by_key.remove(&key(element)?));
        let found: Option<Node> = match own {
            Some(own) => {
                let own: Node = own.into();
                if at.as_ref() == Some(&own) {
                    at = own.next_sibling();
                } else {
                    let _ = old.insert_before(&own, at.as_ref());
                }
                Some(own)
            }
            None => at
                .clone()
                .filter(|here| alike(here, &wanted))
                .inspect(|here| {
                    at = here.next_sibling();
                }),
        };
        match found {
            Some(here) => one(&here, &wanted, why),
            // Taken out of the other document, it belongs to this one.
            None => {
                let _ = old.insert_before(&wanted, at.as_ref());
            }
        }
    }
    while let Some(over) = at {
        at = over.next_sibling();
        let _ = old.remove_child(&over);
    }
}

fn one(here: &Node, wanted: &Node, why: Why) {
    match (here.dyn_ref::<Element>(), wanted.dyn_ref::<Element>()) {
        (Some(here), Some(wanted)) => {
            let island = here.tag_name() == "LEPTOS-ISLAND";
            if island && !kept(here, wanted, why) {
                // What it listens to belongs to what it showed: another begins anew.
                let _ = here.replace_with_with_node_1(wanted);
            } else {
                morph(here, wanted, why);
            }
        }
        _ if here.node_value() != wanted.node_value() => {
            here.set_node_value(wanted.node_value().as_deref());
        }
        _ => {}
    }
}

/// Whether one may become the other: the same kind of thing, and neither is somebody of its own.
fn alike(here: &Node, wanted: &Node) -> bool {
    here.node_type() == wanted.node_type()
        && here.node_name() == wanted.node_name()
        && here.dyn_ref::<Element>().and_then(key).is_none()
        && wanted.dyn_ref::<Element>().and_then(key).is_none()
}

/// Who an element is among its siblings: its id; of a row what it chooses or leads to.
fn key(element: &Element) -> Option<String> {
    let id = element.id();
    if !id.is_empty() {
        return Some(id);
    }
    if !matches!(element.tag_name().as_str(), "TR" | "LI") {
        return None;
    }
    if let Ok(Some(box_of_row)) = element.query_selector("input[type=checkbox]") {
        return box_of_row.get_attribute("value");
    }
    element
        .query_selector("a[href]")
        .ok()??
        .get_attribute("href")
}

/// The children as they stand now: moving them does not change this list.
fn nodes(of: &Element) -> Vec<Node> {
    let list = of.child_nodes();
    (0..list.length()).filter_map(|at| list.get(at)).collect()
}
