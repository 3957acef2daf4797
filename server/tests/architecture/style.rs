//! Style: what a Chromium 78 reads.
use std::collections::BTreeSet;

use crate::read::{File, files, holds, law};

/// CSS without comments and without what stands in `@supports` (decoration); lines are kept.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("/*") {
        let end = rest[at..].find("*/").map_or(rest.len(), |end| at + end + 2);
        out.push_str(&rest[..at]);
        out.extend(rest[at..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    out.push_str(rest);
    while let Some(at) = out.find("@supports") {
        let mut depth = 0_usize;
        let mut end = out.len();
        for (i, c) in out[at..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => {
                    end = at + i + 1;
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        let lines: String = out[at..end].chars().filter(|c| *c == '\n').collect();
        out.replace_range(at..end, &lines);
    }
    out
}

/// The style sheets as an old browser must understand them.
fn sheets() -> Vec<File> {
    let mut all = files("style", &[".css"]);
    for file in &mut all {
        file.text = plain(&file.text);
    }
    all
}

#[test]
fn style_is_what_a_chromium_78_reads() {
    let banned = [
        "@layer",
        "@container",
        "@property",
        ":has(",
        ":is(",
        ":where(",
        "inset-inline",
        "inset-block",
        "aspect-ratio:",
        "clamp(",
        "color-mix(",
        "oklch(",
        ":min(",
        ":max(",
        "margin-inline:",
        "margin-block:",
        "padding-inline:",
        "padding-block:",
        "dvh",
        "svh",
        "overflow:clip",
        "subgrid",
    ];
    let why = "old browsers drop the rule: write the older form, or wrap it into @supports";
    law(why, &sheets(), |_, line| {
        let compact = line.replace([' ', '\t'], "");
        let starts = |what: &str| compact.split(['{', ';']).any(|part| part.starts_with(what));
        holds(&compact, &banned)
            .or_else(|| starts("inset:").then(|| "inset".to_owned()))
            .or_else(|| starts("&").then(|| "nesting".to_owned()))
    });
}

#[test]
fn flex_boxes_are_spaced_by_margins_not_by_gap() {
    // Chromium 78 knows gap in grids alone. A selector that is made a flex box may not get one.
    let (mut flex, mut grid) = (BTreeSet::new(), BTreeSet::new());
    let mut spaced: Vec<(String, String)> = Vec::new();
    for file in sheets() {
        for block in file.text.split('}') {
            let Some((head, body)) = block.rsplit_once('{') else {
                continue;
            };
            let head = head.rsplit_once('{').map_or(head, |(_, inner)| inner);
            let body = body.replace([' ', '\n', '\t'], "");
            let says = |what: &str| body.split(';').any(|one| one.starts_with(what));
            for selector in head.split(',').map(|one| one.trim().to_owned()) {
                if says("display:flex") || says("display:inline-flex") {
                    flex.insert(selector.clone());
                }
                if says("display:grid") || says("display:inline-grid") {
                    grid.insert(selector.clone());
                }
                if says("gap:") || says("column-gap:") || says("row-gap:") {
                    spaced.push((file.path.clone(), selector));
                }
            }
        }
    }
    spaced.retain(|(_, selector)| flex.contains(selector) && !grid.contains(selector));
    assert!(spaced.is_empty(), "space these by margins: {spaced:?}");
}

#[test]
fn the_reader_leaves_comments_and_decoration_out() {
    let css = "a{/* :has( */}\n@supports (gap:1px){b{gap:1px}}\nc{}";
    assert_eq!(plain(css), "a{}\n\nc{}");
}
