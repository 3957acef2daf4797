//! Sheets as text: the headings in both languages, what Excel writes in China.

use crate::{
    csv,
    i18n::{self, Lang},
};
use lingbao_model::{
    msg::{FieldError, Msg},
    text,
    view::import::{self as sheet, COLUMNS, ImportRow, MOST_BYTES, Sheet},
};

/// Parameters that clouds often do not tell; the template has columns for them.
pub const MORE: [&str; 5] = [
    "image",
    "system_disk_gb",
    "arch",
    "disk_class",
    "bandwidth_mbps",
];

/// What a column is called.
pub fn heading(lang: Lang, code: &str) -> String {
    i18n::msg_in(lang, &Msg::new(format!("import.column.{code}")))
}

/// A sheet; headings may be codes or words of either language.
///
/// # Errors
/// A message about the whole.
pub fn read(typed: &str) -> Result<Sheet, FieldError> {
    let plain = |text: &str| text::half_width(text.trim()).to_lowercase();
    sheet::read(typed, |cell| {
        let cell = plain(cell);
        let called = |code: &&&str| {
            *code == &cell
                || Lang::ALL
                    .into_iter()
                    .any(|lang| plain(&heading(lang, code)) == cell)
        };
        COLUMNS.iter().chain(&MORE).find(called).copied()
    })
}

/// The text of a file: UTF-8, UTF-16 with its mark, or what Excel writes in China.
///
/// # Errors
/// A message at the file: too long, or no text.
pub fn decode(bytes: &[u8]) -> Result<String, FieldError> {
    let wrong = |msg| FieldError::new("file", msg);
    if bytes.len() > MOST_BYTES {
        let max = i64::try_from(MOST_BYTES / 1_000).unwrap_or(i64::MAX);
        return Err(wrong(Msg::new("import.too_long").with("max", max)));
    }
    if let Ok(text) = str::from_utf8(bytes) {
        return Ok(text.trim_start_matches('\u{feff}').to_owned());
    }
    let (encoding, _) = encoding_rs::Encoding::for_bom(bytes).unwrap_or((encoding_rs::GB18030, 0));
    let (text, _, broken) = encoding.decode(bytes);
    if broken || text.contains('\0') {
        return Err(wrong(Msg::new("import.no_text")));
    }
    Ok(text.into_owned())
}

/// The line of headings, with those of some parameters.
pub fn head<'a>(lang: Lang, more: impl Iterator<Item = &'a str>) -> String {
    let own = COLUMNS.iter().map(|code| heading(lang, code));
    // A parameter without words is called as the item calls it.
    let more = more.map(|key| {
        if MORE.contains(&key) {
            heading(lang, key)
        } else {
            key.to_owned()
        }
    });
    csv::line(own.chain(more))
}

/// The text of a sheet to which rows are added below those that were typed, each id once. A thing that
/// was typed by its name is there twice then, and the preview says so.
pub fn joined(lang: Lang, typed: Vec<ImportRow>, rows: Vec<ImportRow>) -> String {
    let mut all = typed;
    for row in rows {
        let same = |old: &ImportRow| old.cloud == row.cloud && old.external_id == row.external_id;
        if !all.iter().any(same) {
            all.push(row);
        }
    }
    let mut keys: Vec<&str> = MORE.to_vec();
    for key in all.iter().flat_map(|row| row.more.keys()) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let mut text = head(lang, keys.iter().copied());
    for row in &all {
        let own = row.cells().take(COLUMNS.len()).map(|(_, cell)| cell);
        let more = keys
            .iter()
            .map(|key| row.more.get(*key).map_or("", String::as_str));
        text.push_str(&csv::line(own.chain(more)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_read_in_both_languages_and_by_their_codes() {
        for lang in Lang::ALL {
            let typed = format!(
                "{}gov,s-1,u,s,,,,,web,,kylin-v10,,\n",
                head(lang, MORE.into_iter())
            );
            let rows = read(&typed).unwrap().rows;
            assert_eq!(
                (rows[0].cloud.as_str(), rows[0].name.as_str()),
                ("gov", "web")
            );
            assert_eq!(rows[0].more["image"], "kylin-v10");
        }
        assert_eq!(
            read("CLOUD,external_id\ngov,s-1\n").unwrap().rows[0].external_id,
            "s-1"
        );
    }

    #[test]
    fn what_excel_writes_in_china_is_read() {
        let text = "云,名称\n统计局";
        let (gb, _, _) = encoding_rs::GB18030.encode(text);
        assert_eq!(decode(&gb).unwrap(), text);
        assert_eq!(decode(format!("\u{feff}{text}").as_bytes()).unwrap(), text);
        let wide: Vec<u8> = std::iter::once(0xfeff_u16)
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(decode(&wide).unwrap(), text);
        assert!(decode(&[0xff, 0x00, 0x80]).is_err());
        assert!(decode(&vec![b'a'; MOST_BYTES + 1]).is_err());
    }

    #[test]
    fn rows_are_added_below_what_was_typed_each_id_once() {
        let row = |id: &str| ImportRow {
            cloud: "gov".into(),
            external_id: id.into(),
            ..ImportRow::default()
        };
        let mut typed = row("s-1");
        typed.unit = "typed".into();
        typed.more.insert("access".into(), "password".into());
        let text = joined(Lang::ALL[0], vec![typed], vec![row("s-1"), row("s-2")]);
        let both = read(&text).unwrap().rows;
        assert_eq!(both.len(), 2);
        assert_eq!(
            (both[0].unit.as_str(), both[1].external_id.as_str()),
            ("typed", "s-2")
        );
        assert_eq!(both[0].more["access"], "password");
    }
}
