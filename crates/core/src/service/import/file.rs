//! Sheets that are uploaded as workbooks.

use lingbao_model::{msg::Msg, view::import::MOST_BYTES};
use tokio::sync::Semaphore;

use super::operator;
use crate::{app::Cx, error::ServiceError, xlsx};

/// One file is unpacked at a time: together they would take memory that one of them may not.
static TURN: Semaphore = Semaphore::const_new(1);

/// The first sheet of a workbook as the text that a sheet is typed in, row by row in the lines of their
/// numbers; `None` for a file that is no workbook, by what is in it and not by its name.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators, before the file is looked at;
/// [`ServiceError::Invalid`] at `file` if it is too long, damaged, locked or of an old format.
pub async fn workbook(cx: &Cx, file: &[u8]) -> Result<Option<String>, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    drop(rx);
    let wrong = |msg| ServiceError::invalid("file", msg);
    if file.len() > MOST_BYTES {
        let max = i64::try_from(MOST_BYTES / 1_000).unwrap_or(i64::MAX);
        return Err(wrong(Msg::new("import.too_long").with("max", max)));
    }
    let fault = |error: Box<dyn std::error::Error + Send + Sync>| ServiceError::Internal {
        context: "a workbook could not be read".to_owned(),
        source: Some(error),
    };
    let turn = TURN.acquire().await.map_err(|e| fault(e.into()))?;
    let file = file.to_vec();
    let work = move || {
        // Held by the thread: a caller who hangs up frees no memory.
        let _turn = turn;
        xlsx::read(&file)
    };
    let read = tokio::task::spawn_blocking(work).await;
    read.map_err(|e| fault(e.into()))?.map_err(wrong)
}
