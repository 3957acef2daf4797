//! What stands in a cloud already becomes the portal's (纳管): the sheet, what will come of it, and
//! what came of earlier ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{difference::ThingKind, page::Page};
use crate::{
    csv,
    id::{DifferenceId, ImportId, RequestId, ResourceId, SystemId},
    money::Money,
    msg::{FieldError, Label, Msg},
    param::{Fact, Typed},
    placement::{Level, Place},
    quota::Change,
    resource::ServiceState,
    time::{Date, Timestamp},
};

/// Most rows of a sheet.
pub const MOST_ROWS: usize = 2_000;
/// Longest sheet, in bytes: a request of 1 MiB holds what was typed and a file beside it.
pub const MOST_BYTES: usize = 400_000;
/// Most things that are taken in at once: they become the portal's in one transaction.
pub const MOST_TAKEN: usize = 500;
/// So many days a batch can be undone.
pub const UNDO_DAYS: i64 = 7;

/// The columns of a sheet, in the order of the template. Any other column is a parameter of the
/// catalogue item.
pub const COLUMNS: &[&str] = &[
    "cloud",
    "external_id",
    "unit",
    "system",
    "zone",
    "level",
    "pool",
    "item",
    "name",
    "expires",
];

/// One row of a sheet, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ImportRow {
    /// Line in the sheet; messages name it.
    pub line: i64,
    /// Name of the backend.
    pub cloud: String,
    /// The thing: the backend's id of it, or its name there if nothing else of the cloud is called so.
    pub external_id: String,
    /// Unit: its name, short name or identifier; empty: that of the host on which it hangs.
    pub unit: String,
    /// System of that unit: its name, short name or identifier; empty: that of its host.
    pub system: String,
    /// Network zone; empty: that of the pool.
    pub zone: String,
    /// Protection level; empty: that of the system.
    pub level: String,
    /// Pool; empty: the one in which the cloud says that it stands, or that of its host.
    pub pool: String,
    /// Code of the catalogue item; empty: the first item for things of its kind.
    pub item: String,
    /// Name in the portal; empty: its name in the cloud.
    pub name: String,
    /// Last day of the term; empty: twelve months from today.
    pub expires: String,
    /// Parameters of the item that the cloud does not tell, by key.
    pub more: Typed,
    /// The month price that was shown: if today's is another, the row is refused.
    pub month: Option<Money>,
}

impl ImportRow {
    /// The text of a column; `None` for what is no column.
    #[must_use]
    pub fn column(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "cloud" => &mut self.cloud,
            "external_id" => &mut self.external_id,
            "unit" => &mut self.unit,
            "system" => &mut self.system,
            "zone" => &mut self.zone,
            "level" => &mut self.level,
            "pool" => &mut self.pool,
            "item" => &mut self.item,
            "name" => &mut self.name,
            "expires" => &mut self.expires,
            _ => return None,
        })
    }

    /// The cells, each under the code of its column.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = [
            &self.cloud,
            &self.external_id,
            &self.unit,
            &self.system,
            &self.zone,
            &self.level,
            &self.pool,
            &self.item,
            &self.name,
            &self.expires,
        ];
        let own = COLUMNS.iter().copied().zip(own.map(String::as_str));
        let more = self.more.iter();
        own.chain(more.map(|(key, cell)| (key.as_str(), cell.as_str())))
    }

    /// The value of the row's tick in a preview: its line, the price and the thing that are shown, and
    /// what its cells say.
    #[must_use]
    pub fn tick(&self, month: Money, thing: &str) -> String {
        format!("{}:{}:{:016x}:{thing}", self.line, month.fen(), self.mark())
    }

    /// The row as the preview showed it, with the price that stood beside it and the thing by its id:
    /// another one may be called so by now. `None` if the tick is of other cells.
    #[must_use]
    pub fn ticked(mut self, tick: &str) -> Option<Self> {
        let mut parts = tick.splitn(4, ':').skip(1);
        let month = Money::from_fen(parts.next()?.parse().ok()?);
        let thing = parts.nth(1).filter(|thing| !thing.is_empty())?;
        if self.tick(month, thing) != tick {
            return None;
        }
        self.month = Some(month);
        thing.clone_into(&mut self.external_id);
        Some(self)
    }

    /// A digest (FNV-1a) of the cells. Line breaks in a cell do not count: browsers write them in their
    /// own way.
    fn mark(&self) -> u64 {
        let mut mark: u64 = 0xcbf2_9ce4_8422_2325;
        for cell in self.cells().flat_map(|(column, cell)| [column, cell]) {
            let bytes = cell.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n'));
            // No text has this byte: cells are kept apart by it.
            for byte in bytes.chain([0xff]) {
                mark = (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        mark
    }
}

/// A sheet as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The codes of its columns, from the left; empty where a column has no heading.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<ImportRow>,
}

impl Sheet {
    /// How a spreadsheet calls each column.
    #[must_use]
    pub fn letters(&self) -> BTreeMap<String, String> {
        let named = self
            .head
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty());
        named
            .map(|(at, name)| (name.clone(), csv::letters(at)))
            .collect()
    }
}

/// Reads a sheet. Its first line names the columns; `column` gives the code of a heading.
///
/// # Errors
/// A message about the whole: too long, no headings, one that stands twice, a cell without one, a
/// quotation without an end.
pub fn read(
    text: &str,
    column: impl Fn(&str) -> Option<&'static str>,
) -> Result<Sheet, FieldError> {
    let wrong = |msg| FieldError::new("rows", msg);
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    if text.len() > MOST_BYTES {
        let msg = Msg::new("import.too_long").with("max", count(MOST_BYTES / 1_000));
        return Err(wrong(msg));
    }
    let lines =
        csv::read(text).map_err(|at| wrong(Msg::new("import.unclosed").with("line", at.0)))?;
    let mut lines = lines.into_iter();
    let first = lines
        .next()
        .ok_or_else(|| wrong(Msg::new("import.empty")))?;
    let head: Vec<String> = first
        .cells
        .iter()
        .map(|cell| column(cell).map_or_else(|| cell.to_ascii_lowercase(), str::to_owned))
        .collect();
    for needed in ["cloud", "external_id"] {
        if !head.iter().any(|name| name == needed) {
            let name = Msg::new(format!("import.column.{needed}"));
            return Err(wrong(Msg::new("import.no_head").with("column", name)));
        }
    }
    for (at, (name, cell)) in head.iter().zip(&first.cells).enumerate() {
        // Spreadsheets write empty headings behind the last one.
        if !name.is_empty() && head.iter().take(at).any(|before| before == name) {
            let msg = Msg::new("import.head_twice").with("line", first.number);
            return Err(wrong(msg.with("column", cell.clone())));
        }
    }
    let mut rows = Vec::new();
    for line in lines {
        if rows.len() == MOST_ROWS {
            let msg = Msg::new("import.too_many").with("max", count(MOST_ROWS));
            return Err(wrong(msg));
        }
        let mut row = ImportRow {
            line: line.number,
            ..ImportRow::default()
        };
        for (at, cell) in line.cells.into_iter().enumerate() {
            if cell.is_empty() {
                continue;
            }
            let Some(name) = head.get(at).filter(|name| !name.is_empty()) else {
                let msg = Msg::new("import.no_heading").with("line", line.number);
                return Err(wrong(msg.with("cell", cell)));
            };
            match row.column(name) {
                Some(place) => *place = cell,
                None => {
                    row.more.insert(name.clone(), cell);
                }
            }
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(wrong(Msg::new("import.empty")));
    }
    Ok(Sheet { head, rows })
}

/// A host, a disk or an address in a cloud that is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForeignThing {
    /// The difference that says so.
    pub id: DifferenceId,
    /// Kind of thing.
    pub thing: ThingKind,
    /// Name of the backend.
    pub backend: String,
    /// The backend's name for it.
    pub external_id: String,
    /// Its name there.
    pub name: String,
    /// What a host does: `running`, `stopped`, `building`, `changing`, `error`; what a disk does:
    /// `ready`, `changing`, `error`; empty for an address.
    pub state: String,
    /// Cores of a host.
    pub vcpus: i64,
    /// Memory of a host, GiB.
    pub memory_gb: i64,
    /// System disk of a host, size of a disk, GiB; 0 if the cloud does not say.
    pub disk_gb: i64,
    /// Class of a disk, if the cloud says one of the portal's.
    pub class: Option<String>,
    /// Bandwidth of an address, Mbit/s; 0 if the cloud does not say.
    pub mbps: i64,
    /// Its address.
    pub address: Option<String>,
    /// What a disk or an address hangs on: the name of our host, or the backend's id for what is none.
    pub hangs_on: Option<String>,
    /// The backend's name for its project.
    pub project: String,
    /// The unit whose project that is.
    pub owner: Option<String>,
    /// The backend's name of its pool; empty if it does not say.
    pub pool: String,
    /// When a round first found it.
    pub first_seen: Timestamp,
    /// Why an operator lets it stand; empty if nobody does.
    pub note: String,
}

/// A system with its unit, to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSystem {
    /// Identifier.
    pub id: SystemId,
    /// Name.
    pub name: String,
    /// Name of its unit.
    pub unit_name: String,
}

/// What an operator begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportStart {
    /// What is nobody's.
    pub things: Page<ForeignThing>,
    /// Names of the backends that have been compared.
    pub clouds: Vec<String>,
    /// All systems, by unit.
    pub systems: Vec<ImportSystem>,
    /// Every legal cell.
    pub places: Vec<Place>,
    /// Catalogue items for hosts, disks and addresses: code and name.
    pub items: Vec<(String, Label)>,
}

/// What a row will become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportPlan {
    /// Name of the unit.
    pub unit_name: String,
    /// Name of the system.
    pub system_name: String,
    /// Zone.
    pub zone_name: Label,
    /// Level.
    pub level: Level,
    /// Pool.
    pub pool_name: Label,
    /// Code of the item.
    pub code: String,
    /// Name of the item.
    pub item_name: Label,
    /// The backend's id of the thing that the row names.
    pub external_id: String,
    /// Name in the portal.
    pub name: String,
    /// Name in the cloud.
    pub cloud_name: String,
    /// Its address.
    pub address: Option<String>,
    /// What it does.
    pub state: ServiceState,
    /// Specification.
    pub facts: Vec<Fact>,
    /// Month price by today's price list.
    pub month: Money,
    /// Last day of the term.
    pub expires: Date,
    /// Its project, if it becomes the unit's by this row.
    pub project: Option<String>,
    /// Name of the host on which it hangs.
    pub host: Option<String>,
}

/// A row with what will come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportLine {
    /// As it was typed.
    pub row: ImportRow,
    /// What it will become, as far as that can be read.
    pub plan: Option<ImportPlan>,
    /// What stands in the way, by column.
    pub errors: Vec<FieldError>,
}

/// The quota of a unit before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportQuota {
    /// Name of the unit.
    pub unit_name: String,
    /// Name of the pool.
    pub pool_name: Label,
    /// Before, and what is asked for.
    pub change: Change,
}

/// What will come of a sheet; nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportPreview {
    /// The rows.
    pub lines: Vec<ImportLine>,
    /// How many can be taken in.
    pub good: i64,
    /// What those cost a month.
    pub month: Money,
    /// The units' quotas, with everything that was asked for.
    pub quotas: Vec<ImportQuota>,
}

/// Something that was taken in at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportBatch {
    /// Identifier.
    pub id: ImportId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by_name: String,
    /// How many things.
    pub count: i64,
    /// What they cost a month.
    pub month: Money,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
    /// Who undid it.
    pub undone_by: Option<String>,
}

/// A thing that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportedThing {
    /// The resource.
    pub resource: ResourceId,
    /// Its name.
    pub name: String,
    /// Name of the backend.
    pub backend: String,
    /// Short name of its unit.
    pub unit_name: String,
    /// Name of its system.
    pub system_name: String,
    /// Month price.
    pub month: Money,
    /// What it does.
    pub state: ServiceState,
    /// The request that stands for its order.
    pub request: RequestId,
    /// Its number.
    pub number: String,
}

/// A batch with its things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportDetail {
    /// The batch.
    pub batch: ImportBatch,
    /// Its things.
    pub things: Vec<ImportedThing>,
    /// Until when it can be undone.
    pub undo_until: Timestamp,
    /// Why it can't be undone; empty if it can.
    pub blocks: Vec<Msg>,
}

/// What came of taking in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Imported {
    /// The batch.
    pub batch: ImportId,
    /// How many things.
    pub count: i64,
    /// Whether the same form had been sent before.
    pub again: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(text: &str) -> Option<&'static str> {
        COLUMNS.iter().copied().find(|code| *code == text)
    }

    #[test]
    fn columns_stand_in_any_order_and_unknown_ones_are_parameters() {
        let text = "name,cloud,Image,external_id\nweb,gov,kylin-v10,s-1\n\n,gov,,s-2\n";
        let sheet = read(text, heading).unwrap();
        let letters = sheet.letters();
        let of = |name: &str| letters.get(name).map(String::as_str);
        assert_eq!(
            (of("name"), of("image"), of("unit")),
            (Some("A"), Some("C"), None)
        );
        let rows = sheet.rows;
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].line, rows[0].name.as_str()), (2, "web"));
        assert_eq!(rows[0].more["image"], "kylin-v10");
        assert_eq!((rows[1].line, rows[1].external_id.as_str()), (4, "s-2"));
        assert!(rows[1].more.is_empty());
    }

    #[test]
    fn a_cell_without_a_heading_and_a_heading_that_stands_twice_are_told_with_their_lines() {
        let told = |text: &str| {
            let msg = read(text, heading).unwrap_err().msg;
            let line = msg.args.iter().find(|(name, _)| name == "line");
            (msg.key.to_string(), line.map(|(_, line)| line.clone()))
        };
        let at = |key: &str, line: i64| (key.to_owned(), Some(crate::msg::Arg::from(line)));
        let head = "cloud,external_id,name";
        let beyond = format!("{head}\ngov,s-1,web\ngov,s-2,web,x\n");
        assert_eq!(told(&beyond), at("import.no_heading", 3));
        let nameless = format!("{head},,\ngov,s-1,web,,x\n");
        assert_eq!(told(&nameless), at("import.no_heading", 2));
        let twice = format!("\n{head},name\ngov,s-1,web,web\n");
        assert_eq!(told(&twice), at("import.head_twice", 2));
        // What spreadsheets add is empty.
        let padded = format!("{head},,\ngov,s-1,web,,,,\n");
        assert_eq!(read(&padded, heading).unwrap().rows.len(), 1);
    }

    #[test]
    fn a_tick_is_good_for_the_cells_that_were_shown_and_for_no_others() {
        let row = ImportRow {
            line: 2,
            cloud: "gov".to_owned(),
            external_id: "s-1".to_owned(),
            name: "web".to_owned(),
            more: [("note".to_owned(), "two\nlines".to_owned())].into(),
            ..ImportRow::default()
        };
        let month = Money::from_fen(34_800);
        let tick = row.tick(month, "id:1");
        let ticked = row.clone().ticked(&tick).unwrap();
        assert_eq!(ticked.month, Some(month));
        // What is called so is taken by its id.
        assert_eq!(ticked.external_id, "id:1");
        let mut posted = row.clone();
        posted.more.insert("note".into(), "two\r\nlines".into());
        assert!(posted.ticked(&tick).is_some());
        let changes: [fn(&mut ImportRow); 5] = [
            |row| row.line = 3,
            |row| row.external_id = "s-2".to_owned(),
            |row| row.unit = "u".to_owned(),
            |row| row.zone = std::mem::take(&mut row.name),
            |row| drop(row.more.insert("arch".into(), "arm".into())),
        ];
        for change in changes {
            let mut other = row.clone();
            change(&mut other);
            assert_eq!(other.ticked(&tick), None);
        }
        for wrong in [
            "",
            "2",
            "2:34800",
            "2:34800:",
            "2:x:0",
            tick.trim_end_matches("id:1"),
        ] {
            assert_eq!(row.clone().ticked(wrong), None);
        }
    }

    #[test]
    fn a_sheet_without_headings_without_rows_or_too_long_is_refused() {
        let key = |text: &str| read(text, heading).unwrap_err().msg.key;
        assert_eq!(key(""), "import.empty");
        assert_eq!(key("gov,s-1\n"), "import.no_head");
        assert_eq!(key("cloud,external_id\n"), "import.empty");
        assert_eq!(key("cloud,external_id\n\"gov,s-1"), "import.unclosed");
        let head = "cloud,external_id\n";
        let full = format!("{head}{}", "gov,s\n".repeat(MOST_ROWS));
        assert_eq!(read(&full, heading).unwrap().rows.len(), MOST_ROWS);
        assert_eq!(key(&format!("{full}gov,s\n")), "import.too_many");
        assert_eq!(key(&"x".repeat(MOST_BYTES + 1)), "import.too_long");
    }
}
