//! Lists as files for spreadsheets: UTF-8 with a byte order mark (Excel reads it so), made in
//! slices, so that memory does not grow with the list.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use std::future::Future;

/// One cell. What a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let text = text.replace('\0', "");
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_negative(&text);
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

/// The answer: `head` and then slice after slice. `slice` takes where to begin and answers lines
/// with where the next slice begins, `None` after the last. An error ends the transfer early, which
/// the browser reports as a broken download.
pub fn answer<E, F, Fut>(name: &str, head: String, slice: F) -> Response
where
    E: std::error::Error + Send + Sync + 'static,
    F: Fn(Option<String>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(String, Option<String>), E>> + Send,
{
    enum At {
        Head(String),
        Slice(Option<String>),
        End,
    }
    let parts = stream::unfold((At::Head(head), slice), |(at, slice)| async move {
        match at {
            At::Head(head) => Some((Ok(format!("\u{feff}{head}")), (At::Slice(None), slice))),
            At::Slice(from) => match slice(from).await {
                Ok((lines, Some(next))) => Some((Ok(lines), (At::Slice(Some(next)), slice))),
                Ok((lines, None)) => Some((Ok(lines), (At::End, slice))),
                Err(error) => Some((Err(error), (At::End, slice))),
            },
            At::End => None,
        }
    });
    let mut response = (StatusCode::OK, Body::from_stream(parts)).into_response();
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
pub fn refused(lang: crate::i18n::Lang, error: &crate::error::ApiError) -> Response {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, crate::i18n::msg_in(lang, &error.msg)).into_response()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn no_cell_is_a_formula_and_no_cell_breaks_its_line() {
        assert_eq!(line(["=1+1", "-a", "@x", "+8"]), "'=1+1,'-a,'@x,'+8\r\n");
        // What is a number stays one.
        assert_eq!(line(["-5", "-1200.00", "-1-1"]), "-5,-1200.00,'-1-1\r\n");
        assert_eq!(
            line(["a,b", "say \"hi\"", "two\nlines", "拎包"]),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",拎包\r\n"
        );
    }
}
