//! Sheets as people hand them in: lines of cells, as spreadsheets write or paste them.

/// One line that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the text, from 1; of one that goes over several, the first.
    pub number: i64,
    /// The cells, trimmed.
    pub cells: Vec<String>,
}

/// A quotation that never ends; the number of the line where it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclosed(pub i64);

/// Reads a sheet: cells between commas, or between tabs if the first line has one (what is pasted out
/// of a spreadsheet), quoted where they hold those, `""` for a quotation mark. A byte order mark is
/// left out; empty lines count and are left out.
///
/// # Errors
/// [`Unclosed`].
pub fn read(text: &str) -> Result<Vec<Line>, Unclosed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().find(|line| !line.trim().is_empty());
    let between = if first.is_some_and(|line| line.contains('\t')) {
        '\t'
    } else {
        ','
    };
    let mut lines = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut number, mut began, mut opened) = (1, 1, None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            number += 1;
        }
        match (c, opened) {
            ('"', Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', Some(_)) => opened = None,
            (_, Some(_)) => cell.push(c),
            ('"', None) if cell.trim().is_empty() => {
                cell.clear();
                opened = Some(number);
            }
            ('\n', None) => {
                cells.push(std::mem::take(&mut cell));
                end_line(&mut lines, &mut cells, began);
                began = number;
            }
            ('\r', None) => {}
            (c, None) if c == between => cells.push(std::mem::take(&mut cell)),
            (_, None) => cell.push(c),
        }
    }
    if let Some(at) = opened {
        return Err(Unclosed(at));
    }
    cells.push(cell);
    end_line(&mut lines, &mut cells, began);
    Ok(lines)
}

fn end_line(lines: &mut Vec<Line>, cells: &mut Vec<String>, number: i64) {
    let cells: Vec<String> = std::mem::take(cells)
        .into_iter()
        .map(|cell| cell.trim().to_owned())
        .collect();
    if cells.iter().any(|cell| !cell.is_empty()) {
        lines.push(Line { number, cells });
    }
}

/// How spreadsheets call a column, counted from 0: `A`, `Z`, `AA`.
#[must_use]
pub fn letters(column: usize) -> String {
    let mut letters = Vec::new();
    let mut left = column + 1;
    while left > 0 {
        letters.push(char::from(b'A' + ((left - 1) % 26) as u8));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<(i64, Vec<String>)> {
        let lines = read(text).unwrap();
        lines.into_iter().map(|l| (l.number, l.cells)).collect()
    }

    fn line(number: i64, cells: &[&str]) -> (i64, Vec<String>) {
        (number, cells.iter().map(|&c| c.to_owned()).collect())
    }

    #[test]
    fn commas_quotes_and_line_breaks_stand_in_quoted_cells() {
        let text = "\u{feff}a,b\r\n\"1,5\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\", x \nlast,";
        assert_eq!(
            cells(text),
            [
                line(1, &["a", "b"]),
                line(2, &["1,5", "say \"hi\""]),
                line(4, &["two\nlines", "x"]),
                line(6, &["last", ""]),
            ]
        );
        assert_eq!(cells("\n , \n"), []);
    }

    #[test]
    fn what_is_pasted_out_of_a_spreadsheet_has_tabs() {
        assert_eq!(
            cells("a\tb\n1,5\t2"),
            [line(1, &["a", "b"]), line(2, &["1,5", "2"])]
        );
    }

    #[test]
    fn a_quotation_without_an_end_is_told_with_its_line() {
        assert_eq!(read("a\nb,\"c\nd"), Err(Unclosed(2)));
    }

    #[test]
    fn columns_are_called_as_spreadsheets_call_them() {
        let called = [0, 2, 25, 26, 701, 702].map(letters);
        assert_eq!(called, ["A", "C", "Z", "AA", "ZZ", "AAA"]);
    }
}
