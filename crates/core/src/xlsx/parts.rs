//! The parts of a workbook, as far as a sheet of words and numbers needs them. Each is read once, from
//! its beginning; what is made of it grows with what stands in it, never with what it says of itself.

use std::collections::HashMap;

use lingbao_model::{time::Date, view::import::MOST_BYTES};
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_xml_entity,
    events::{BytesStart, Event},
};

use super::{Cells, Wrong};

/// What stands in a part, one after another.
enum Node<'a> {
    /// A tag begins: its name without prefix, and all of it.
    Open(&'a str, &'a BytesStart<'a>),
    /// It ends.
    Close(&'a str),
    /// Text; one text may come in several pieces.
    Text(&'a str),
}

fn each(part: &[u8], mut on: impl FnMut(Node<'_>) -> Result<(), Wrong>) -> Result<(), Wrong> {
    let part = part.strip_prefix(b"\xef\xbb\xbf").unwrap_or(part);
    // Binary workbooks are archives too.
    str::from_utf8(part).map_err(|_| Wrong::Broken)?;
    let mut xml = Reader::from_reader(part);
    xml.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => on(Node::Open(tag.local_name().as_ref(), &tag))?,
            Ok(Event::End(tag)) => on(Node::Close(tag.local_name().as_ref()))?,
            Ok(Event::Text(text)) => on(Node::Text(&text.xml10_content()))?,
            Ok(Event::CData(text)) => on(Node::Text(&text.xml10_content()))?,
            Ok(Event::GeneralRef(entity)) => {
                let named = resolve_xml_entity(entity.as_ref());
                let numbered = entity.resolve_char_ref().map_err(|_| Wrong::Broken)?;
                match (named, numbered) {
                    (Some(text), _) => on(Node::Text(text))?,
                    (None, Some(c)) => on(Node::Text(c.encode_utf8(&mut [0; 4])))?,
                    // No workbook defines entities of its own.
                    (None, None) => return Err(Wrong::Broken),
                }
            }
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err(Wrong::Broken),
        }
    }
}

/// The value of an attribute, by its name without prefix.
fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let mut all = tag.attributes();
    // Looking for one that stands twice takes the square of their number.
    let mut all = all.with_checks(false).flatten();
    let found = all.find(|one| one.key.local_name().as_ref() == wanted)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// What a part says about another one.
pub(super) struct Relation {
    /// Its name in the part.
    pub id: String,
    /// What the other one is to it: the last piece of an address.
    pub kind: String,
    /// Where the other one stands.
    pub target: String,
}

pub(super) fn relations(part: &[u8]) -> Result<Vec<Relation>, Wrong> {
    let mut all = Vec::new();
    each(part, |node| {
        if let Node::Open("Relationship", tag) = node {
            let of = |name| attribute(tag, name).unwrap_or_default();
            all.push(Relation {
                id: of("Id"),
                kind: of("Type"),
                target: of("Target"),
            });
        }
        Ok(())
    })?;
    Ok(all)
}

/// What the workbook says of its sheets.
#[derive(Default)]
pub(super) struct Workbook {
    /// Names of the relations to those that are shown, in their order.
    pub sheets: Vec<String>,
    /// Whether its days are counted from 1904.
    pub from_1904: bool,
}

pub(super) fn workbook(part: &[u8]) -> Result<Workbook, Wrong> {
    let mut book = Workbook::default();
    each(part, |node| {
        match node {
            Node::Open("workbookPr", tag) => {
                let said = attribute(tag, "date1904").unwrap_or_default();
                book.from_1904 = matches!(said.as_str(), "1" | "true");
            }
            Node::Open("sheet", tag) => {
                let hidden = attribute(tag, "state").is_some_and(|state| state != "visible");
                book.sheets.extend(attribute(tag, "id").filter(|_| !hidden));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(book)
}

/// The texts that cells share, as they are shown: many cells may share a long one, and each copies it
/// before it is counted.
pub(super) fn strings(part: &[u8]) -> Result<Vec<String>, Wrong> {
    let mut all = Vec::new();
    let mut text = String::new();
    let (mut inside, mut spoken) = (false, false);
    each(part, |node| {
        match node {
            // How it is spoken stands beside the text.
            Node::Open("rPh", _) => spoken = true,
            Node::Close("rPh") => spoken = false,
            Node::Open("t", _) => inside = !spoken,
            Node::Close("t") => inside = false,
            Node::Text(more) if inside => text.push_str(more),
            Node::Close("si") => all.push(plain(&escaped(&std::mem::take(&mut text)))),
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

/// `_x000D_` is a sign that XML can't hold; `_x005F_` keeps a text from being read so.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("_x") {
        out.push_str(before);
        let code = after.get(..4).filter(|_| after[4..].starts_with('_'));
        let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        if let Some(c) = code.and_then(char::from_u32) {
            out.push(c);
            rest = &after[5..];
        } else {
            out.push_str("_x");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Of each style of cells, whether it shows numbers as dates.
pub(super) fn dates(part: &[u8]) -> Result<Vec<bool>, Wrong> {
    let mut own: HashMap<String, bool> = HashMap::new();
    let mut all = Vec::new();
    let mut inside = false;
    each(part, |node| {
        match node {
            Node::Open("numFmt", tag) => {
                let code = attribute(tag, "formatCode").unwrap_or_default();
                own.insert(
                    attribute(tag, "numFmtId").unwrap_or_default(),
                    shows_dates(&code),
                );
            }
            Node::Open("cellXfs", _) => inside = true,
            Node::Close("cellXfs") => inside = false,
            Node::Open("xf", tag) if inside => {
                let id = attribute(tag, "numFmtId").unwrap_or_default();
                // Those without a code of their own mean the same everywhere; from 27 on by language.
                let known = || {
                    let id = id.parse::<u32>().unwrap_or(0);
                    matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58)
                };
                all.push(own.get(&id).copied().unwrap_or_else(known));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

/// Whether a number format is one of dates or times: a letter of those outside of quotes and brackets.
fn shows_dates(code: &str) -> bool {
    let mut chars = code.chars();
    let (mut quoted, mut bracket) = (false, false);
    while let Some(c) = chars.next() {
        match c {
            '"' if !bracket => quoted = !quoted,
            _ if quoted => {}
            '\\' | '_' | '*' => drop(chars.next()),
            '[' => bracket = true,
            ']' => bracket = false,
            _ if bracket => {}
            // Behind it are negative numbers, zero and text.
            ';' => return false,
            c if "ymdhs".contains(c.to_ascii_lowercase()) => return true,
            _ => {}
        }
    }
    false
}

/// A cell that is being read.
#[derive(Default)]
struct Cell {
    at: (usize, usize),
    kind: String,
    style: usize,
    value: Option<String>,
    text: String,
    formula: Option<String>,
}

/// Which text of a cell is being read.
#[derive(Clone, Copy)]
enum Inside {
    Nothing,
    Value,
    Formula,
    Text,
}

/// The cells of a sheet that are not empty, as the spreadsheet shows them in the plainest format.
pub(super) fn cells(
    part: &[u8],
    strings: &[String],
    dates: &[bool],
    from_1904: bool,
) -> Result<Cells, Wrong> {
    let mut all = Cells::new();
    let (mut row, mut column, mut size) = (0_usize, 0_usize, 0_usize);
    let (mut data, mut spoken, mut inside) = (false, false, Inside::Nothing);
    let mut cell: Option<Cell> = None;
    each(part, |node| {
        match (node, cell.as_mut()) {
            (Node::Open("sheetData", _), _) => data = true,
            (Node::Close("sheetData"), _) => data = false,
            // Rules, comments and drawings behind the cells have tags of the same names.
            _ if !data => {}
            (Node::Open("row", tag), _) => {
                if let Some(said) = attribute(tag, "r") {
                    row = before(said.parse().ok()).ok_or(Wrong::Broken)?;
                }
                column = 0;
            }
            (Node::Close("row"), _) => row += 1,
            (Node::Open("c", tag), _) => {
                let at = attribute(tag, "r").map(|name| place(&name).ok_or(Wrong::Broken));
                let at = at.transpose()?.unwrap_or((row, column));
                column = at.1;
                cell = Some(Cell {
                    at,
                    kind: attribute(tag, "t").unwrap_or_default(),
                    style: attribute(tag, "s").map_or(0, |s| s.parse().unwrap_or(0)),
                    ..Cell::default()
                });
            }
            (Node::Close("c"), _) => {
                column += 1;
                let Some(done) = cell.take() else {
                    return Ok(());
                };
                let at = done.at;
                let shown = plain(&done.shown(strings, dates, from_1904)?);
                if !shown.is_empty() {
                    size += shown.len() + 1;
                    if size > MOST_BYTES {
                        return Err(Wrong::Long);
                    }
                    all.insert(at, shown);
                }
            }
            (Node::Open("rPh", _), _) => spoken = true,
            (Node::Close("rPh"), _) => spoken = false,
            (Node::Open("v", _), Some(cell)) => {
                cell.value = Some(String::new());
                inside = Inside::Value;
            }
            (Node::Open("f", _), Some(cell)) => {
                cell.formula = Some(String::new());
                inside = Inside::Formula;
            }
            (Node::Open("t", _), _) if !spoken => inside = Inside::Text,
            (Node::Close("v" | "f" | "t"), _) => inside = Inside::Nothing,
            (Node::Text(more), Some(cell)) => match inside {
                Inside::Nothing => {}
                Inside::Value => cell.value.get_or_insert_default().push_str(more),
                Inside::Formula => cell.formula.get_or_insert_default().push_str(more),
                Inside::Text => cell.text.push_str(more),
            },
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

impl Cell {
    /// What it holds. A formula that nobody has computed is shown itself: its row is refused.
    fn shown(&self, strings: &[String], dates: &[bool], from_1904: bool) -> Result<String, Wrong> {
        let value = self.value.as_deref().map(str::trim);
        Ok(match (self.kind.as_str(), value) {
            ("inlineStr", _) => escaped(&self.text),
            // A formula whose text is empty.
            ("str", Some("")) => String::new(),
            // Some programs leave the value out, others leave it empty.
            (_, None | Some("")) => match &self.formula {
                Some(formula) => format!("={formula}"),
                None => String::new(),
            },
            ("s", Some(value)) => {
                let at: usize = value.parse().map_err(|_| Wrong::Broken)?;
                strings.get(at).ok_or(Wrong::Broken)?.clone()
            }
            ("str", Some(_)) => escaped(self.value.as_deref().unwrap_or_default()),
            ("b", Some(value)) => matches!(value, "1" | "true").to_string(),
            ("e", Some(value)) => value.to_owned(),
            ("d", Some(value)) => {
                let midnight = value.split_once("T00:00:00").map(|(day, _)| day);
                midnight.unwrap_or(value).to_owned()
            }
            ("n" | "", Some(value)) => {
                let date = dates.get(self.style).copied().unwrap_or(false);
                let moment = value.parse().ok().filter(|_| date);
                let moment = moment.and_then(|serial| moment_of(serial, from_1904));
                moment.unwrap_or_else(|| number(value))
            }
            _ => return Err(Wrong::Broken),
        })
    }
}

/// One line without signs that divide cells.
fn plain(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.trim().to_owned()
}

/// Row and column of `C12`, from 0.
fn place(name: &str) -> Option<(usize, usize)> {
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = name.split_at_checked(at)?;
    let mut column: u32 = 0;
    for letter in letters.chars() {
        let n = letter.to_digit(36).and_then(|n| n.checked_sub(9))?;
        column = column.checked_mul(26)?.checked_add(n)?;
    }
    Some((before(digits.parse().ok())?, before(Some(column))?))
}

/// What spreadsheets count from 1, from 0.
fn before(n: Option<u32>) -> Option<usize> {
    usize::try_from(n?.checked_sub(1)?).ok()
}

/// A number as a spreadsheet shows it: 22 and not 22.0, fifteen digits. Of a longer one it keeps no
/// more than those, so that an id would be another one; it is written as spreadsheets write it
/// (`1.23456789012346E+19`), and its row is refused.
pub(super) fn number(typed: &str) -> String {
    let Some(n) = typed.parse::<f64>().ok().filter(|n| n.is_finite()) else {
        return typed.to_owned();
    };
    if n.abs() >= 1e15 {
        let text = format!("{n:.14E}");
        let (digits, power) = text.split_once('E').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        return format!("{digits}E+{power}");
    }
    let rounded = format!("{n:.14e}").parse().unwrap_or(n);
    if rounded == 0.0 {
        return "0".to_owned();
    }
    rounded.to_string()
}

/// The day and the time of a number of days: `2027-03-01`, with a time only if there is one.
fn moment_of(serial: f64, from_1904: bool) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&serial) {
        return None;
    }
    let seconds = (serial * 86_400.0).round() as i64;
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let time = format!(
        "{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    if days == 0 && second > 0 {
        return Some(time);
    }
    // Days are counted from the last one of 1899, and spreadsheets know a 29th of February in 1900.
    let epoch = match (from_1904, days < 60) {
        (true, _) => Date::new(1904, 1, 1),
        (false, true) => Date::new(1899, 12, 31),
        (false, false) => Date::new(1899, 12, 30),
    };
    let day = epoch.ok()?.plus_days(days);
    Some(match second {
        0 => day.to_string(),
        _ => format!("{day} {time}"),
    })
}
