//! Small lists that are typed as text, one thing a line, its parts between bars.

use lingbao_model::{msg::Label, param::Choice, text::half_width};

/// What stands between the parts of a line; whoever types Chinese may type it at full width.
const BARS: [char; 2] = ['|', '｜'];

/// Lists as they are typed; parts at the end of a line that are empty are left out. `None` if a part
/// has a bar or a line break in it.
pub fn written<'a>(list: impl Iterator<Item = Vec<&'a String>>) -> Option<String> {
    let line = |mut parts: Vec<&String>| {
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        let plain = parts
            .iter()
            .all(|part| !part.contains(BARS) && is_line(part));
        let parts: Vec<&str> = parts.into_iter().map(String::as_str).collect();
        plain.then(|| parts.join(" | "))
    };
    let lines: Vec<String> = list.map(line).collect::<Option<_>>()?;
    Some(lines.join("\n"))
}

/// Whether a text fits a field of one line.
pub fn is_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
}

/// The parts of the lines that are not empty.
fn read(typed: &str) -> impl Iterator<Item = Vec<String>> {
    let lines = typed.lines();
    lines.filter(|line| !line.trim().is_empty()).map(|line| {
        let parts = line.split(BARS).map(|part| part.trim().to_owned());
        parts.collect()
    })
}

fn part(parts: &[String], n: usize) -> &str {
    parts.get(n).map_or("", String::as_str)
}

/// `中文 | English`.
pub fn labels(typed: &str) -> Vec<Label> {
    read(typed)
        .map(|parts| Label::new(part(&parts, 0), part(&parts, 1)))
        .collect()
}

/// `value | 中文 | English | 提示 | hint`; a value without a name is its own name.
pub fn choices(typed: &str) -> Vec<Choice> {
    read(typed)
        .map(|parts| {
            let value = part(&parts, 0);
            let name = if part(&parts, 1).is_empty() {
                value
            } else {
                part(&parts, 1)
            };
            let hint = Label::new(part(&parts, 3), part(&parts, 4));
            Choice {
                value: value.to_owned(),
                label: Label::new(name, part(&parts, 2)),
                hint: (!hint.zh.is_empty()).then_some(hint),
            }
        })
        .collect()
}

/// Codes of items: letters, digits and hyphens; whatever else is typed stands between two of them.
pub fn codes(typed: &str) -> Vec<String> {
    let plain = half_width(typed).to_ascii_uppercase();
    let parts = plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    parts
        .filter(|part| !part.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}
