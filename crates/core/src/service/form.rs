//! A form that is sent twice does its work once: by a double click, the back button, a page that is
//! sent anew.
//!
//! The form carries a one-time id. A use case takes it, acts in the surroundings [`of`] the form,
//! [`keep`]s what it made in its own transaction, and gives the second post what the first one made
//! ([`before`], [`settle`]). Programs have their own keys (`Idempotency-Key`) and no form: for them all
//! of this does nothing.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    app::Cx,
    error::ServiceError,
    idempotency::{self, IdempotencyKey, Seen},
    storage::Tx,
};

/// The surroundings of a form's post; those of the caller where there is no form. `what` is the use
/// case, `typed` everything by which two posts are told apart.
pub(super) fn of(
    cx: &Cx,
    form_id: &str,
    what: &str,
    typed: &impl Serialize,
) -> Result<Cx, ServiceError> {
    let mut cx = cx.clone();
    if !form_id.is_empty() {
        let typed =
            serde_json::to_vec(typed).map_err(|error| ServiceError::internal("form", error))?;
        let key = IdempotencyKey::of_form(&*cx.app.crypto, form_id, what, &typed);
        cx.idempotency = Some(key);
    }
    Ok(cx)
}

fn is_form(cx: &Cx) -> bool {
    cx.idempotency
        .as_ref()
        .is_some_and(IdempotencyKey::is_of_form)
}

/// What an earlier post of the form made.
pub(super) async fn before<T: DeserializeOwned>(cx: &Cx) -> Result<Option<T>, ServiceError> {
    if !is_form(cx) {
        return Ok(None);
    }
    let Seen::Replay { response, .. } = idempotency::recall(cx).await? else {
        return Ok(None);
    };
    let made = serde_json::from_str(&response)
        .map_err(|error| ServiceError::internal("answer of a form", error))?;
    Ok(Some(made))
}

/// Keeps what a form made, in the transaction that made it.
pub(super) async fn keep<T: Serialize>(tx: &mut Tx, cx: &Cx, made: &T) -> Result<(), ServiceError> {
    if !is_form(cx) {
        return Ok(());
    }
    let answer = serde_json::to_string(made)
        .map_err(|error| ServiceError::internal("answer of a form", error))?;
    Ok(idempotency::keep(tx, cx, 201, &answer).await?)
}

/// The result of a use case; where it was refused because the same post was faster, what that made.
pub(super) async fn settle<T: DeserializeOwned>(
    cx: &Cx,
    result: Result<T, ServiceError>,
) -> Result<T, ServiceError> {
    match result {
        Ok(made) => Ok(made),
        Err(error) => before(cx).await?.ok_or(error),
    }
}
