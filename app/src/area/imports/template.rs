//! An empty sheet to fill in: as a workbook with a page of explanations, and as CSV.

use super::file::{self, MORE, heading};
use crate::{
    csv,
    error::ApiError,
    form::ssr::{Pages, in_context, lang_of},
    i18n::{self, Lang},
    ssr::cx,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use lingbao_core::{error::ServiceError, service::import};
use lingbao_model::{msg::Msg, view::import::COLUMNS};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, XlsxError};

/// The headings as CSV.
pub async fn as_csv(State(pages): State<Pages>, request: Request) -> Response {
    match allowed(&pages, request).await {
        Ok(lang) => {
            let head = file::head(lang, MORE.into_iter());
            csv::answer("import.csv", head, |_| async {
                Ok::<_, ServiceError>((String::new(), None))
            })
        }
        Err(refused) => refused,
    }
}

/// The headings as a workbook.
pub async fn as_workbook(State(pages): State<Pages>, request: Request) -> Response {
    let lang = match allowed(&pages, request).await {
        Ok(lang) => lang,
        Err(refused) => return refused,
    };
    match workbook(lang) {
        Ok(file) => {
            let headers = [
                (
                    header::CONTENT_TYPE,
                    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                ),
                (header::CACHE_CONTROL, "no-store"),
                (
                    header::CONTENT_DISPOSITION,
                    "attachment; filename=\"import.xlsx\"",
                ),
            ];
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            (headers, Body::from(file)).into_response()
        }
        Err(error) => {
            let context = "the template could not be written".to_owned();
            let source = Some(error.into());
            let error = ServiceError::Internal { context, source };
            csv::refused(lang, &ApiError::from(error))
        }
    }
}

/// For operators alone, as the page.
async fn allowed(pages: &Pages, request: Request) -> Result<Lang, Response> {
    let (parts, _) = request.into_parts();
    let lang = lang_of(&parts);
    let allowed = in_context(pages, &parts, || async {
        import::batches(&cx()?, None, Some(1)).await?;
        Ok::<_, ApiError>(())
    })
    .await;
    allowed.map_or_else(|error| Err(csv::refused(lang, &error)), |()| Ok(lang))
}

/// Its first page is the sheet, in which every cell is text: a spreadsheet would make a date of `3-1`
/// and round a long id. The second one says what each column means, with an example.
fn workbook(lang: Lang) -> Result<Vec<u8>, XlsxError> {
    let words = |key: String| i18n::msg_in(lang, &Msg::new(key));
    let head = Format::new().set_bold().set_num_format("@");
    let text = Format::new().set_num_format("@");
    let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    let mut book = Workbook::new();
    // Otherwise the clock of the machine stands in it.
    let made = ExcelDateTime::from_ymd(2026, 1, 1)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let sheet = book.add_worksheet();
    sheet.set_name(words("import.template.sheet".to_owned()))?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, code) in (0..).zip(COLUMNS.iter().chain(&MORE)) {
        sheet.set_column_format(column, &text)?;
        sheet.set_column_width(column, 18)?;
        sheet.write_string_with_format(0, column, heading(lang, code), &head)?;
    }
    let notes = book.add_worksheet();
    notes.set_name(words("import.template.notes".to_owned()))?;
    for (column, (key, width)) in (0..).zip([("column", 18), ("meaning", 70), ("example", 30)]) {
        notes.set_column_width(column, width)?;
        let title = words(format!("import.template.{key}"));
        notes.write_string_with_format(0, column, title, &head)?;
    }
    for (row, code) in (1..).zip(COLUMNS.iter().chain(&MORE)) {
        notes.write_string_with_format(row, 0, heading(lang, code), &wrapped)?;
        let meaning = words(format!("import.meaning.{code}"));
        notes.write_string_with_format(row, 1, meaning, &wrapped)?;
        let example = words(format!("import.example.{code}"));
        notes.write_string_with_format(row, 2, example, &wrapped)?;
    }
    book.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workbook_is_an_empty_sheet_that_can_be_filled_in() {
        for lang in Lang::ALL {
            let empty = lingbao_core::xlsx::read(&workbook(lang).unwrap());
            let empty = empty.unwrap().unwrap();
            assert_eq!(
                empty.trim_end(),
                file::head(lang, MORE.into_iter()).trim_end()
            );
            let filled = format!("{empty}gov,s-1,u,s,,,,,web,,kylin-v10,,\n");
            assert_eq!(file::read(&filled).unwrap().rows[0].name, "web");
            for code in COLUMNS.iter().chain(&MORE) {
                for kind in ["meaning", "example"] {
                    let key = format!("import.{kind}.{code}");
                    assert_ne!(i18n::msg_in(lang, &Msg::new(key.clone())), key);
                }
            }
        }
    }
}
