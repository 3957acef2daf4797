//! Workbooks as a spreadsheet writes them, and such as nobody writes without meaning harm.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{MOST_UNPACKED, read};
use lingbao_model::{csv, time::Date, view::import::MOST_BYTES};

/// The cells of a file, each line with its number.
fn lines(file: &[u8]) -> Vec<(i64, Vec<String>)> {
    let text = read(file).unwrap().unwrap();
    let lines = csv::read(&text).unwrap();
    lines.into_iter().map(|l| (l.number, l.cells)).collect()
}

fn refused(file: &[u8]) -> String {
    read(file).unwrap_err().key.to_string()
}

/// A workbook with one sheet.
fn made(write: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    write(book.add_worksheet());
    book.save_to_buffer().unwrap()
}

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn relation(id: &str, kind: &str, target: &str) -> String {
    format!(r#"<Relationship Id="{id}" Type="{RELATIONS}/{kind}" Target="{target}"/>"#)
}

/// The parts of a small workbook by hand, with the given ones in place of its own.
fn packed(own: &[(&str, &str)]) -> Vec<u8> {
    let package = relation("r1", "officeDocument", "xl/workbook.xml");
    let related = [
        relation("r1", "worksheet", "worksheets/sheet1.xml"),
        relation("r2", "sharedStrings", "/xl/sharedStrings.xml"),
        relation("r3", "styles", "styles.xml"),
    ];
    let parts = [
        (
            "_rels/.rels",
            format!("<Relationships>{package}</Relationships>"),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "\u{feff}<Relationships>{}</Relationships>",
                related.concat()
            ),
        ),
        (
            "xl/workbook.xml",
            r#"<workbook><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>"#
                .to_owned(),
        ),
        ("xl/worksheets/sheet1.xml", sheet("")),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let owned = own.iter().map(|(name, text)| (*name, (*text).to_owned()));
    let others = parts
        .into_iter()
        .filter(|(name, _)| own.iter().all(|(other, _)| other != name));
    for (name, text) in others.chain(owned) {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn sheet(rows: &str) -> String {
    format!("<worksheet><sheetData>{rows}</sheetData><c r=\"A1\"><v>9</v></c></worksheet>")
}

fn with_sheet(rows: &str) -> Vec<u8> {
    packed(&[("xl/worksheets/sheet1.xml", &sheet(rows))])
}

#[test]
fn cells_stand_in_the_rows_and_columns_that_a_spreadsheet_shows() {
    let file = made(|sheet| {
        sheet.write_string(1, 0, "云").unwrap();
        sheet.write_string(1, 2, "名称").unwrap();
        sheet.write_string(11, 2, "web, \"the first\"").unwrap();
        sheet.write_string(12, 0, "two\nlines\tand a tab").unwrap();
        sheet.write_string(13, 1, "  ").unwrap();
    });
    let text = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect();
    let expected: Vec<(i64, Vec<String>)> = vec![
        (2, text(&["云", "", "名称"])),
        (12, text(&["", "", "web, \"the first\""])),
        (13, text(&["two lines and a tab"])),
    ];
    assert_eq!(lines(&file), expected);
}

#[test]
fn every_kind_of_cell_is_read_as_it_is_shown() {
    let day = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
    let short = Format::new().set_num_format_index(14);
    let chinese = Format::new().set_num_format_index(31);
    let price = Format::new().set_num_format("[$¥-804]#,##0.00;[Red]-#,##0.00");
    let bold = Format::new().set_bold();
    let plain = Format::new();
    let date = ExcelDateTime::from_ymd(2027, 3, 1).unwrap();
    let late = date.clone().and_hms(8, 30, 0).unwrap();
    let file = made(|sheet| {
        sheet.write_number(0, 0, 22).unwrap();
        sheet.write_number(0, 1, 0.1 + 0.2).unwrap();
        sheet.write_number(0, 2, -5).unwrap();
        sheet.write_number(0, 3, 123_456_789_012_345_f64).unwrap();
        sheet
            .write_number(0, 4, 12_345_678_901_234_567_890_f64)
            .unwrap();
        sheet.write_number_with_format(0, 5, 1200, &price).unwrap();
        sheet.write_datetime_with_format(1, 0, &date, &day).unwrap();
        sheet
            .write_datetime_with_format(1, 1, &date, &short)
            .unwrap();
        sheet
            .write_datetime_with_format(1, 2, &date, &chinese)
            .unwrap();
        sheet.write_datetime_with_format(1, 3, &late, &day).unwrap();
        sheet.write_boolean(2, 0, true).unwrap();
        sheet.write_boolean(2, 1, false).unwrap();
        sheet
            .write_formula(2, 2, Formula::new("=1+1").set_result("2"))
            .unwrap();
        sheet
            .write_formula(2, 3, Formula::new("=A9").set_result("#REF!"))
            .unwrap();
        sheet
            .write_formula(2, 4, Formula::new("=\"we\"&\"b\"").set_result("web"))
            .unwrap();
        sheet
            .write_rich_string(2, 5, &[(&bold, "统计"), (&plain, "局")])
            .unwrap();
    });
    let lines = lines(&file);
    let row = |at: usize| lines[at].1.join(" | ");
    assert_eq!(
        row(0),
        "22 | 0.3 | -5 | 123456789012345 | 1.23456789012346E+19 | 1200"
    );
    assert_eq!(
        row(1),
        "2027-03-01 | 2027-03-01 | 2027-03-01 | 2027-03-01 08:30:00"
    );
    assert_eq!(row(2), "true | false | 2 | #REF! | web | 统计局");
}

#[test]
fn what_other_programs_write_is_read_too() {
    let rows = r#"<row><c t="inlineStr"><is><t>a &amp; b</t></is></c><c t="str"><v>_x0041_&#x42;</v></c>
        <c><f>A1&amp;B1</f></c><c t="d"><v>2027-03-01T00:00:00</v></c><c/></row>
        <row r="5"><c r="B5" t="inlineStr"><is><r><t>c</t></r><rPh><t>no</t></rPh><r><t>d</t></r></is></c>
        <c t="e"><v>#N/A</v></c><c t="str"><f>""</f><v></v></c><c><f>"x"</f><v/></c></row>"#;
    let found = lines(&with_sheet(rows));
    assert_eq!(found[0].1, ["a & b", "AB", "=A1&B1", "2027-03-01"]);
    assert_eq!(
        (found[1].0, found[1].1.join("|")),
        (5, r#"|cd|#N/A||="x""#.to_owned())
    );
    let from_1904 = packed(&[
        (
            "xl/workbook.xml",
            r#"<workbook><workbookPr date1904="1"/><sheets><sheet r:id="r1"/></sheets></workbook>"#,
        ),
        (
            "xl/styles.xml",
            r#"<styleSheet><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#,
        ),
        (
            "xl/worksheets/sheet1.xml",
            &sheet(r#"<row><c s="1"><v>1</v></c><c s="0"><v>1</v></c></row>"#),
        ),
    ]);
    assert_eq!(lines(&from_1904)[0].1, ["1904-01-02", "1"]);
}

#[test]
fn the_first_sheet_that_is_shown_is_read() {
    let mut book = Workbook::new();
    for (name, hidden) in [("old", true), ("new", false), ("notes", false)] {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap().set_hidden(hidden);
        sheet.write_string(0, 0, name).unwrap();
        if !hidden {
            sheet.set_active(name == "new");
        }
    }
    let file = book.save_to_buffer().unwrap();
    assert_eq!(lines(&file)[0].1, ["new"]);
}

#[test]
fn a_file_is_known_by_what_is_in_it_and_what_is_no_workbook_says_what_to_do() {
    assert_eq!(read(b"cloud,external_id\n"), Ok(None));
    assert_eq!(read(b""), Ok(None));
    let good = made(|sheet| {
        sheet.write_string(0, 0, "x").unwrap();
    });
    for cut in [4, 30, good.len() / 2, good.len() - 1] {
        assert_eq!(refused(&good[..cut]), "import.no_workbook", "{cut}");
    }
    // A text document is an archive of the same make.
    let letter = relation("r1", "officeDocument", "word/document.xml");
    let letter = packed(&[
        (
            "_rels/.rels",
            &format!("<Relationships>{letter}</Relationships>"),
        ),
        ("word/document.xml", "<document/>"),
    ]);
    assert_eq!(refused(&letter), "import.no_workbook");
    assert_eq!(
        refused(&packed(&[("_rels/.rels", "<a")])),
        "import.no_workbook"
    );
    for broken in [
        r#"<row><c t="s"><v>7</v></c></row>"#,
        r#"<row><c r="12"><v>7</v></c></row>"#,
        r#"<row r="0"><c><v>7</v></c></row>"#,
        "<row><c><v>&unknown;</v></c></row>",
        "<row></c></row>",
    ] {
        assert_eq!(
            refused(&with_sheet(broken)),
            "import.no_workbook",
            "{broken}"
        );
    }
    let mut old = super::COMPOUND.to_vec();
    old.extend([0; 600]);
    assert_eq!(refused(&old), "import.old_workbook");
    old.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(refused(&old), "import.locked_workbook");
}

#[test]
fn a_small_file_out_of_which_much_comes_is_refused_whatever_it_says_of_its_size() {
    let mut rows = "<row>".to_owned();
    rows.push_str(&" ".repeat(MOST_UNPACKED));
    rows.push_str("</row>");
    let mut bomb = with_sheet(&rows);
    assert!(bomb.len() < 20_000, "{}", bomb.len());
    assert_eq!(refused(&bomb), "import.huge_workbook");
    // The size stands in the part's own head and in the directory; both lie now.
    let size = u32::try_from(sheet(&rows).len()).unwrap().to_le_bytes();
    let mut lies = 0;
    while let Some(at) = bomb.windows(4).position(|bytes| bytes == size) {
        bomb[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
        lies += 1;
    }
    assert!(lies >= 1);
    assert!(read(&bomb).is_err());
    // Many parts count together, and what is not needed is not unpacked.
    let half = format!("<sst>{}</sst>", " ".repeat(MOST_UNPACKED / 2));
    let both = format!("<styleSheet>{}</styleSheet>", " ".repeat(MOST_UNPACKED / 2));
    let parts = [
        ("xl/sharedStrings.xml", half.as_str()),
        ("xl/styles.xml", &both),
    ];
    assert_eq!(refused(&packed(&parts)), "import.huge_workbook");
    let picture = " ".repeat(2 * MOST_UNPACKED);
    let file = packed(&[("xl/media/image1.png", &picture)]);
    assert_eq!(read(&file), Ok(Some("\n".to_owned())));
}

#[test]
fn what_a_file_announces_takes_no_memory() {
    let table =
        r#"<sst count="4000000000" uniqueCount="18446744073709551615"><si><t>a</t></si></sst>"#;
    let file = packed(&[
        ("xl/sharedStrings.xml", table),
        (
            "xl/worksheets/sheet1.xml",
            &format!(
                r#"<worksheet><dimension ref="A1:XFD1048576"/>{}</worksheet>"#,
                sheet(r#"<row><c t="s"><v>0</v></c></row>"#)
            ),
        ),
    ]);
    assert_eq!(lines(&file)[0].1, ["a"]);
}

#[test]
fn cells_that_share_a_long_blank_text_do_not_copy_it() {
    let blank = " ".repeat(1_000_000);
    let read_with = |text: &str| {
        let table = format!("<sst><si><t>{text}</t></si></sst>");
        let cells = r#"<c t="s"><v>0</v></c>"#.repeat(200_001);
        read(&packed(&[
            ("xl/sharedStrings.xml", &table),
            (
                "xl/worksheets/sheet1.xml",
                &sheet(&format!("<row>{cells}</row>")),
            ),
        ]))
    };
    // Copied for each cell, these are 200 GB.
    assert_eq!(read_with(&blank), Ok(Some("\n".to_owned())));
    let long = read_with(&format!("{blank}a{blank}")).unwrap_err();
    assert_eq!(long.key, "import.too_long");
}

#[test]
fn a_sheet_may_be_as_long_as_one_that_is_typed() {
    let long = "x".repeat(1_000);
    let rows = |count: usize| {
        made(|sheet| {
            for row in 0..u32::try_from(count).unwrap() {
                sheet.write_string(row, 0, &long).unwrap();
            }
        })
    };
    let most = MOST_BYTES / (long.len() + 1);
    assert_eq!(lines(&rows(most)).len(), most);
    assert_eq!(refused(&rows(most + 1)), "import.too_long");
    let short = made(|sheet| {
        for row in 0..10_500 {
            sheet.write_number(row, 0, row).unwrap();
        }
    });
    assert_eq!(refused(&short), "import.too_many");
    for (at, name) in [
        ("A10001", "A10001"),
        ("GS3", "GS3"),
        ("XFD1048576", "XFD1048576"),
    ] {
        let far = format!(r#"<row><c r="{at}"><v>1</v></c></row>"#);
        let msg = read(&with_sheet(&far)).unwrap_err();
        assert_eq!(msg.key, "import.far_cell");
        assert!(format!("{msg:?}").contains(name), "{msg:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_texts_come_back_from_the_cells_they_were_written_to(
        table in prop::collection::vec(prop::collection::vec("[ -~äé云统计局，\n\t]{0,12}", 1..6), 1..8)
    ) {
        let file = made(|sheet| {
            for (row, cells) in (0..).zip(&table) {
                for (column, cell) in (0..).zip(cells) {
                    sheet.write_string(row, column, cell).unwrap();
                }
            }
        });
        let plain = |cell: &String| cell.replace(['\n', '\t'], " ").trim().to_owned();
        let mut expected = Vec::new();
        for (number, cells) in (1..).zip(&table) {
            let mut cells: Vec<String> = cells.iter().map(plain).collect();
            while cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            if !cells.is_empty() {
                expected.push((number, cells));
            }
        }
        prop_assert_eq!(lines(&file), expected);
    }

    #[test]
    fn any_day_is_the_same_day(days in -25_508_i64..2_932_896) {
        let day = Date::from_days(days);
        let format = Format::new().set_num_format("yyyy-mm-dd");
        let (year, month) = (u16::try_from(day.year()).unwrap(), day.month());
        let written = ExcelDateTime::from_ymd(year, month, day.day()).unwrap();
        let file = made(|sheet| {
            sheet.write_datetime_with_format(0, 0, &written, &format).unwrap();
        });
        prop_assert_eq!(&lines(&file)[0].1[0], &day.to_string());
    }

    #[test]
    fn any_whole_number_of_fifteen_digits_is_itself(n in -999_999_999_999_999_i64..=999_999_999_999_999) {
        prop_assert_eq!(super::parts::number(&n.to_string()), n.to_string());
    }

    #[test]
    fn no_damage_ends_the_program(at in 0_usize..6_000, byte in any::<u8>()) {
        let mut file = made(|sheet| {
            sheet.write_string(0, 0, "cloud").unwrap();
            sheet.write_number(1, 0, 1.5).unwrap();
        });
        let at = at % file.len();
        file[at] = byte;
        let _ = read(&file);
    }

    #[test]
    fn no_xml_ends_the_program(rows in "(<row>|</row>|<c r=\"[A-Z]{0,9}[0-9]{0,25}\">|<c t=\"[sbdenx]\">|</c>|<v>|</v>|[0-9]{0,3}|<f/>|&#[0-9]{1,9};|<is>|<t>|<!--|-->){0,20}") {
        let _ = read(&with_sheet(&rows));
    }
}
