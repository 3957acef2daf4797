//! Workbooks as people upload them (XLSX): the first sheet as the text that `csv::read` understands,
//! each row in the line of its number, so that messages name rows and columns as the spreadsheet shows
//! them. Nothing that a file says of its own sizes is believed (decision 22).

mod parts;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Read as _},
};

use lingbao_model::{
    csv,
    msg::Msg,
    view::import::{MOST_BYTES, MOST_ROWS},
};
use zip::ZipArchive;

use parts::Relation;

/// So much may come out of a file, in bytes, however small it is. A sheet of 2 000 rows has about 3 MB.
pub const MOST_UNPACKED: usize = 10_000_000;
/// Rows and columns beyond are no part of a sheet; mostly somebody left a cell there.
const FURTHEST: (usize, usize) = (10_000, 200);

/// How files begin that are archives; workbooks are.
const ARCHIVE: &[u8] = b"PK\x03\x04";
/// How files begin in which old spreadsheets, and new ones with a password, are kept.
const COMPOUND: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Why a file can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrong {
    /// Damaged, or a file of another kind.
    Broken,
    /// A workbook of the format before XLSX.
    Old,
    /// A workbook with a password.
    Locked,
    /// More comes out of it than is taken.
    Huge,
    /// Its cells hold more than a sheet may.
    Long,
    /// It has more rows than are read.
    Many,
    /// A cell stands far away from all others; its name.
    Far(String),
}

impl Wrong {
    fn msg(self) -> Msg {
        let kilo = |bytes: usize| i64::try_from(bytes / 1_000).unwrap_or(i64::MAX);
        match self {
            Self::Broken => Msg::new("import.no_workbook"),
            Self::Old => Msg::new("import.old_workbook"),
            Self::Locked => Msg::new("import.locked_workbook"),
            Self::Huge => Msg::new("import.huge_workbook").with("max", kilo(MOST_UNPACKED)),
            Self::Long => Msg::new("import.too_long").with("max", kilo(MOST_BYTES)),
            Self::Many => {
                let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
                Msg::new("import.too_many").with("max", most)
            }
            Self::Far(cell) => Msg::new("import.far_cell").with("cell", cell),
        }
    }
}

/// The first visible sheet of a workbook as text; `None` for a file that is no workbook by its first
/// bytes, whatever its name.
///
/// # Errors
/// A message that says what to do instead: damaged, of an old format, locked, too large.
pub fn read(file: &[u8]) -> Result<Option<String>, Msg> {
    if file.starts_with(ARCHIVE) {
        return text(file).map(Some).map_err(Wrong::msg);
    }
    if !file.starts_with(COMPOUND) {
        return Ok(None);
    }
    // The name of a stream in the directory of the file.
    let locked: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let is_locked = file.windows(locked.len()).any(|part| part == locked);
    let wrong = if is_locked { Wrong::Locked } else { Wrong::Old };
    Err(wrong.msg())
}

fn text(file: &[u8]) -> Result<String, Wrong> {
    let mut book = Book::open(file)?;
    let package = book.part("_rels/.rels")?.ok_or(Wrong::Broken)?;
    let package = parts::relations(&package)?;
    let main = of_kind(&package, "/officeDocument").ok_or(Wrong::Broken)?;
    let main = resolve("", &main.target);
    let (folder, name) = main.rsplit_once('/').unwrap_or(("", main.as_str()));
    let workbook = book.part(&main)?.ok_or(Wrong::Broken)?;
    let workbook = parts::workbook(&workbook)?;
    let related = book.part(&resolve(folder, &format!("_rels/{name}.rels")))?;
    let related = parts::relations(&related.ok_or(Wrong::Broken)?)?;
    let sheets = related
        .iter()
        .filter(|one| one.kind.ends_with("/worksheet"));
    let sheets: HashMap<&str, &Relation> = sheets.map(|one| (one.id.as_str(), one)).collect();
    let mut shown = workbook.sheets.iter();
    let sheet = shown.find_map(|id| sheets.get(id.as_str()));
    let sheet = resolve(folder, &sheet.ok_or(Wrong::Broken)?.target);
    let strings = match of_kind(&related, "/sharedStrings") {
        Some(one) => book.part(&resolve(folder, &one.target))?,
        None => None,
    };
    let strings = strings.map_or_else(|| Ok(Vec::new()), |part| parts::strings(&part))?;
    let styles = match of_kind(&related, "/styles") {
        Some(one) => book.part(&resolve(folder, &one.target))?,
        None => None,
    };
    let dates = styles.map_or_else(|| Ok(Vec::new()), |part| parts::dates(&part))?;
    let sheet = book.part(&sheet)?.ok_or(Wrong::Broken)?;
    written(parts::cells(&sheet, &strings, &dates, workbook.from_1904)?)
}

fn of_kind<'a>(all: &'a [Relation], kind: &str) -> Option<&'a Relation> {
    all.iter().find(|one| one.kind.ends_with(kind))
}

/// Where a part stands that another one in `folder` names.
fn resolve(folder: &str, target: &str) -> String {
    let (folder, target) = match target.strip_prefix('/') {
        Some(target) => ("", target),
        None => (folder, target),
    };
    let mut path: Vec<&str> = Vec::new();
    for step in folder.split('/').chain(target.split('/')) {
        match step {
            "" | "." => {}
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.join("/")
}

/// The parts of a workbook.
struct Book<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Names as they are compared, to names as they stand there.
    names: HashMap<String, String>,
    /// So much may still come out.
    left: usize,
}

impl<'a> Book<'a> {
    fn open(file: &'a [u8]) -> Result<Self, Wrong> {
        let zip = ZipArchive::new(Cursor::new(file)).map_err(|_| Wrong::Broken)?;
        let mut names = HashMap::new();
        for name in zip.file_names() {
            let name = name.map_err(|_| Wrong::Broken)?.to_string();
            // Some programs write the folders of Windows.
            names.insert(name.replace('\\', "/").to_ascii_lowercase(), name);
        }
        Ok(Self {
            zip,
            names,
            left: MOST_UNPACKED,
        })
    }

    /// A part by its path. What comes out is counted, whatever the archive says of its size.
    fn part(&mut self, path: &str) -> Result<Option<Vec<u8>>, Wrong> {
        let Some(name) = self.names.get(&path.to_ascii_lowercase()) else {
            return Ok(None);
        };
        let packed = self.zip.by_name(name).map_err(|_| Wrong::Broken)?;
        let most = u64::try_from(self.left).unwrap_or(u64::MAX);
        let mut part = Vec::new();
        packed
            .take(most.saturating_add(1))
            .read_to_end(&mut part)
            .map_err(|_| Wrong::Broken)?;
        self.left = self.left.checked_sub(part.len()).ok_or(Wrong::Huge)?;
        Ok(Some(part))
    }
}

/// Cells by row and column, from 0.
type Cells = BTreeMap<(usize, usize), String>;

/// Cells as text: a line a row, those that are empty too.
fn written(cells: Cells) -> Result<String, Wrong> {
    let mut text = String::new();
    let (mut row, mut column) = (0, 0);
    for (at, cell) in cells {
        // The row before has a cell too: nobody left this one there.
        if at.0 >= FURTHEST.0 && row + 1 == at.0 {
            return Err(Wrong::Many);
        }
        if at.0 >= FURTHEST.0 || at.1 >= FURTHEST.1 {
            return Err(Wrong::Far(format!("{}{}", csv::letters(at.1), at.0 + 1)));
        }
        while row < at.0 {
            text.push('\n');
            (row, column) = (row + 1, 0);
        }
        while column < at.1 {
            text.push(',');
            column += 1;
        }
        if cell.contains([',', '"']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&cell);
        }
        if text.len() > MOST_BYTES {
            return Err(Wrong::Long);
        }
    }
    text.push('\n');
    Ok(text)
}
