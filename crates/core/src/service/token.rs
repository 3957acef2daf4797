//! Tokens of the programming interface: made, listed and revoked by their owner, shown once.

use lingbao_model::{
    id::{TokenId, UserId},
    msg::{FieldError, Msg},
    text,
    time::DAY_MS,
    view::{
        page::Page,
        people::{NewToken, TOKEN_MAX_DAYS, TOKENS_PER_USER, TokenRow, TokenScope},
    },
};
use serde_json::json;

use super::{form, notice, refusal::traced};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Access,
    crypto::Token,
    error::{ServiceError, StorageError},
    storage::{Tx, door, token as tokens},
};

/// Begins every token, so that scanners of leaked secrets know what they found.
pub const PREFIX: &str = "lbk_";

/// Makes a token for the person who asks. The answer alone holds the secret.
///
/// # Errors
/// [`ServiceError::Invalid`] on `name`, `scope` or `days`; [`ServiceError::Forbidden`] for whoever
/// must change the password first.
pub async fn create(
    cx: &Cx,
    name: &str,
    scope: &str,
    days: &str,
) -> Result<NewToken, ServiceError> {
    create_by(cx, name, scope, days, "").await
}

/// So many posts of one form are followed.
const MOST_POSTS: usize = 10;

/// The same from the form of a page. Of a form that is posted twice only the last answer is read: the
/// token of the post before goes, as long as nothing has come in by it, for its secret is shown
/// nowhere.
///
/// # Errors
/// As [`create`]; [`ServiceError::Conflict`] if the token of the post before is in use.
pub async fn create_by(
    cx: &Cx,
    name: &str,
    scope: &str,
    days: &str,
    form_id: &str,
) -> Result<NewToken, ServiceError> {
    let mut before: Option<TokenId> = None;
    for _ in 0..MOST_POSTS {
        // Each post follows the one before, so that each has a key of its own.
        let cx = form::of(cx, form_id, "token.create", &(name, scope, days, &before))?;
        if let Some(made) = form::before(&cx).await? {
            before = Some(made);
            continue;
        }
        match create_once(&cx, name, scope, days, before.as_ref()).await {
            // Perhaps the same post was faster.
            Err(error) => match form::before(&cx).await? {
                Some(made) => before = Some(made),
                None => return Err(error),
            },
            made => return made,
        }
    }
    Err(ServiceError::Conflict(Msg::new("error.stale")))
}

async fn create_once(
    cx: &Cx,
    name: &str,
    scope: &str,
    days: &str,
    before: Option<&TokenId>,
) -> Result<NewToken, ServiceError> {
    let (name, scope, days) = parse(name, scope, days).map_err(ServiceError::Invalid)?;
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    if let Some(id) = before {
        unused(&mut tx, cx, &access, id).await?;
    }
    // Whoever gave the first password could sign in and make a token that outlives it.
    let account = door::by_user(&mut tx, &access.user).await?;
    if account.is_some_and(|account| account.must_change) {
        return Err(ServiceError::Forbidden);
    }
    if tokens::living(&mut tx, &access.user, cx.now()).await? >= TOKENS_PER_USER {
        let msg = Msg::new("account.too_many_tokens").with("max", TOKENS_PER_USER);
        return Err(ServiceError::invalid("name", msg));
    }
    let secret = format!("{PREFIX}{}", Token::generate(&cx.app.random).secret);
    let row = TokenRow {
        id: cx.id(),
        name,
        scope,
        created_at: cx.now(),
        expires_at: cx.now().plus_millis(days.saturating_mul(DAY_MS)),
        used_at: None,
        revoked_at: None,
    };
    tokens::insert(&mut tx, &access.user, &row, &Token::digest_of(&secret)).await?;
    let event = Event::new("token.create", "token", &row.id)
        .of_unit(&access.unit)
        .detail(json!({ "name": row.name, "scope": row.scope, "expires_at": row.expires_at }));
    audit::record(&mut tx, cx, event).await?;
    form::keep(&mut tx, cx, &row.id).await?;
    tx.commit().await?;
    Ok(NewToken { row, secret })
}

/// Revokes the token that an earlier post of the form made.
async fn unused(tx: &mut Tx, cx: &Cx, access: &Access, id: &TokenId) -> Result<(), ServiceError> {
    if tokens::used(tx, &access.user, id).await? {
        return Err(ServiceError::Conflict(Msg::new("error.stale")));
    }
    if tokens::revoke(tx, &access.user, id, cx.now()).await? > 0 {
        let event = Event::new("token.revoke", "token", id).of_unit(&access.unit);
        audit::record(tx, cx, event).await?;
    }
    Ok(())
}

fn parse(
    name: &str,
    scope: &str,
    days: &str,
) -> Result<(String, TokenScope, i64), Vec<FieldError>> {
    let name = text::line("name", name, 1, 40);
    let scope = scope
        .parse::<TokenScope>()
        .map_err(|_| FieldError::new("scope", Msg::new("error.not_in_list")));
    let days = text::parse_integer(days)
        .filter(|days| (1..=TOKEN_MAX_DAYS).contains(days))
        .ok_or_else(|| {
            let msg = Msg::new("account.token_days").with("max", TOKEN_MAX_DAYS);
            FieldError::new("days", msg)
        });
    match (name, scope, days) {
        (Ok(name), Ok(scope), Ok(days)) => Ok((name, scope, days)),
        (name, scope, days) => Err([name.err(), scope.err(), days.err()]
            .into_iter()
            .flatten()
            .collect()),
    }
}

/// One page of the tokens of the person who asks, the latest first.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn list(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<TokenRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    Ok(tokens::of_user(&mut rx, &access.user, after, limit).await?)
}

/// Revokes a token of the person who asks; from now on it opens nothing.
///
/// # Errors
/// [`ServiceError::NotFound`] for one that is somebody else's, was revoked, or never was.
pub async fn revoke(cx: &Cx, id: &TokenId) -> Result<(), ServiceError> {
    let result = revoke_own(cx, id).await;
    traced(cx, result, || Event::new("token.revoke", "token", id)).await
}

async fn revoke_own(cx: &Cx, id: &TokenId) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    if tokens::revoke(&mut tx, &access.user, id, cx.now()).await? == 0 {
        return Err(ServiceError::NotFound);
    }
    let event = Event::new("token.revoke", "token", id).of_unit(&access.unit);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// Whose a presented token is and what it may do; `None` if it opens nothing. Its use is noted at
/// most once a minute, if that can be noted. `cx` is anonymous here; what it opens is done as the user.
///
/// # Errors
/// What the database says.
pub async fn authenticate(
    cx: &Cx,
    presented: &str,
) -> Result<Option<(UserId, TokenScope)>, ServiceError> {
    if !presented.starts_with(PREFIX) || presented.len() > 100 {
        return Ok(None);
    }
    let mut rx = cx.db().read().await?;
    let digest = Token::digest_of(presented);
    let Some(token) = tokens::by_digest(&mut rx, &digest, cx.now()).await? else {
        return Ok(None);
    };
    drop(rx);
    if !token.fresh {
        notice::courtesy("a token as used", note_used(cx, &token.id)).await;
    }
    Ok(Some((token.user, token.scope)))
}

async fn note_used(cx: &Cx, id: &TokenId) -> Result<(), StorageError> {
    let mut tx = cx.db().begin().await?;
    tokens::touch(&mut tx, id, cx.now()).await?;
    tx.commit().await
}
