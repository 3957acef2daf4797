//! The stylesheet is read by browsers as old as Chromium 78; what they cannot read, they drop, and
//! the page falls apart where nobody here would see it. So the files are searched for it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't read its files should stop at once"
)]

use std::path::Path;

/// What Chromium 78 does not know, and what stands instead.
const TOO_NEW: &[(&str, &str)] = &[
    (" gap:", "grid-gap in grids, margins in flex"),
    (" row-gap:", "grid-row-gap"),
    (" column-gap:", "grid-column-gap"),
    ("inset:", "top, right, bottom, left"),
    ("aspect-ratio:", "a height"),
    ("clamp(", "a media query"),
    (" min(", "a media query"),
    (" max(", "a media query"),
    (":is(", "the selectors one by one"),
    (":where(", "the selectors one by one"),
    (":has(", "a class"),
    ("@layer", "the order of the imports"),
    ("@container", "a media query"),
    ("color-mix(", "a colour in tokens.css"),
    ("&", "no nesting"),
    (" dvh", "vh"),
];

fn files() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../style");
    std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (
                entry.file_name().to_string_lossy().into_owned(),
                without_comments(&text),
            )
        })
        .collect()
}

fn without_comments(css: &str) -> String {
    let mut out = String::new();
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out + rest
}

#[test]
fn chromium_78_can_read_it() {
    let files = files();
    assert!(files.len() > 10);
    for (name, css) in files {
        for (word, instead) in TOO_NEW {
            assert!(!css.contains(word), "{name}: `{word}`: use {instead}");
        }
    }
}

#[test]
fn every_file_is_imported() {
    let files = files();
    let main = &files.iter().find(|file| file.0 == "main.css").unwrap().1;
    for (name, _) in files.iter().filter(|file| file.0 != "main.css") {
        assert!(
            main.contains(&format!("\"{name}\"")),
            "{name} is not imported"
        );
    }
}

/// Colours stand in `tokens.css`; printed paper and the sign-in drawing have their own ink.
#[test]
fn colours_are_tokens() {
    for (name, css) in files() {
        if ["tokens.css", "print.css", "pages.css", "door.css"].contains(&name.as_str()) {
            continue;
        }
        let found: Vec<_> = css
            .split('#')
            .skip(1)
            .map(|rest| {
                rest.chars()
                    .take_while(char::is_ascii_hexdigit)
                    .collect::<String>()
            })
            .filter(|hex| [3, 6].contains(&hex.len()) && hex != "fff")
            .collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// A style attribute would be refused by the content security policy.
#[test]
fn no_style_attributes() {
    fn search(dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                search(&path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for (i, line) in text.lines().enumerate() {
                    let code = line.trim_start();
                    assert!(
                        code.starts_with("//")
                            || !code.contains(" style=") && !code.contains(" style:"),
                        "{}:{}",
                        path.display(),
                        i + 1
                    );
                }
            }
        }
    }
    search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
}
