//! Lists as files for spreadsheets: UTF-8 with a byte order mark (Excel reads it so), made in
//! slices, so that memory does not grow with the list.

use crate::{
    error::ApiError,
    form::ssr::{Pages, in_context, lang_of},
    i18n::{self, Lang},
    ssr::cx,
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream::{self, StreamExt as _};
use lingbao_core::{Cx, error::ServiceError};
use lingbao_model::msg::Msg;
use std::future::{Future, ready};

/// With what a formula begins, or what a spreadsheet leaves out before one. An input method's wide
/// signs count: Excel in Chinese reads them as the narrow ones.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// One cell. What a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let text = text.replace('\0', "");
    let formula = text.starts_with(FORMULA) && !is_negative(&text);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A plain negative number is for computing: a sum must not leave it out.
fn is_negative(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

/// One line of a file.
pub fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let mut line = cells
        .into_iter()
        .map(|text| cell(text.as_ref()))
        .collect::<Vec<_>>()
        .join(",");
    line.push_str("\r\n");
    line
}

/// An amount in yuan without separators: it is for computing.
pub fn amount(amount: lingbao_model::money::Money) -> String {
    let (fen, sign) = (amount.fen().unsigned_abs(), amount.fen() < 0);
    let sign = if sign { "-" } else { "" };
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// The words over the columns, by their keys.
pub fn heads<const N: usize>(lang: Lang, keys: [&'static str; N]) -> String {
    line(keys.map(|key| i18n::msg_in(lang, &Msg::new(key))))
}

/// A list as a file.
pub struct File<R> {
    /// What the file is called.
    pub name: &'static str,
    /// The words over the columns.
    pub head: fn(Lang) -> String,
    /// The line of a row.
    pub line: fn(Lang, &R) -> String,
}

impl<R> File<R> {
    /// The answer: what `filter` makes of the question, slice after slice. `slice` takes the filter
    /// and where to begin, and answers rows with where the next slice begins, `None` after the last.
    /// The first is read before the answer begins, so that a refusal has its status.
    pub async fn answer<F, S, Fut>(
        &self,
        pages: &Pages,
        request: Request,
        filter: impl FnOnce() -> Result<F, ApiError>,
        slice: S,
    ) -> Response
    where
        F: Clone + Send + 'static,
        S: Fn(Cx, F, Option<String>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(Vec<R>, Option<String>), ServiceError>> + Send,
        R: 'static,
    {
        let (parts, _) = request.into_parts();
        let lang = lang_of(&parts);
        let asked = in_context(pages, &parts, || async {
            Ok::<_, ApiError>((cx()?, filter()?))
        })
        .await;
        let (cx, filter) = match asked {
            Ok(asked) => asked,
            Err(error) => return refused(lang, &error),
        };
        let line = self.line;
        let lines = move |rows: Vec<R>| rows.iter().map(|row| line(lang, row)).collect::<String>();
        let (first, next) = match slice(cx.clone(), filter.clone(), None).await {
            Ok(first) => first,
            Err(error) => return refused(lang, &error.into()),
        };
        let text = (self.head)(lang) + &lines(first);
        sent(self.name, text, next.map(Some), move |from| {
            let found = slice(cx.clone(), filter.clone(), from);
            async move { found.await.map(|(rows, next)| (lines(rows), next)) }
        })
    }
}

/// The answer: `head` and then slice after slice. `slice` takes where to begin and answers lines
/// with where the next slice begins, `None` after the last.
pub fn answer<E, F, Fut>(name: &str, head: String, slice: F) -> Response
where
    E: std::error::Error + Send + Sync + 'static,
    F: Fn(Option<String>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(String, Option<String>), E>> + Send,
{
    sent(name, head, Some(None), slice)
}

/// A text and the slices after it; `from` is where the first of them begins, if there is one. An
/// error ends the transfer early, which the browser reports as a broken download.
fn sent<E, F, Fut>(name: &str, text: String, from: Option<Option<String>>, slice: F) -> Response
where
    E: std::error::Error + Send + Sync + 'static,
    F: Fn(Option<String>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(String, Option<String>), E>> + Send,
{
    let slices = stream::try_unfold((from, slice), |(from, slice)| async move {
        let Some(from) = from else {
            return Ok::<_, E>(None);
        };
        let (lines, next) = slice(from).await?;
        Ok(Some((lines, (next.map(Some), slice))))
    });
    let text = stream::once(ready(Ok::<_, E>(format!("\u{feff}{text}"))));
    let mut response = (StatusCode::OK, Body::from_stream(text.chain(slices))).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The answer when there is no file: the status and one sentence in the reader's language.
pub fn refused(lang: Lang, error: &ApiError) -> Response {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, i18n::msg_in(lang, &error.msg)).into_response()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn no_cell_is_a_formula_and_no_cell_breaks_its_line() {
        assert_eq!(line(["=1+1", "-a", "@x", "+8"]), "'=1+1,'-a,'@x,'+8\r\n");
        // So do the signs of a Chinese input method, and what hides behind white space.
        assert_eq!(
            line(["＝1+1", "－a", "＠x", "＋8", "\n=1", "\t=1"]),
            "'＝1+1,'－a,'＠x,'＋8,\"'\n=1\",'\t=1\r\n"
        );
        // What is a number stays one.
        assert_eq!(line(["-5", "-1200.00", "-1-1"]), "-5,-1200.00,'-1-1\r\n");
        assert_eq!(
            line(["a,b", "say \"hi\"", "two\nlines", "拎包"]),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",拎包\r\n"
        );
    }
}
