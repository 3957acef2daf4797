//! Whoever asks: the person, notices, tokens.
use axum::{
    Extension, Json,
    extract::{Path, Query},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lingbao_core::{
    ServiceError,
    service::{notice, session, token},
};
use lingbao_model::view::people::{NewToken, NoticeRow, Profile, TokenRow, TokenScope, Viewer};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::context::ByToken, Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument,
    id, idempotency::Once,
};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(profile))
        .routes(routes!(notices))
        .routes(routes!(read_notices))
        .routes(routes!(read_notice))
        .routes(routes!(tokens, make_token))
        .routes(routes!(revoke_token))
}

/// The person behind the token, with roles and abilities.
#[utoipa::path(get, path = "/me", tag = "me",
    responses((status = 200, body = Viewer), (status = 401, body = ProblemDocument)))]
async fn me(Caller(cx): Caller) -> Answer<Viewer> {
    Ok(Json(
        session::viewer(&cx)
            .await?
            .ok_or(ServiceError::Unauthenticated)?,
    ))
}

/// The person's own page.
#[utoipa::path(get, path = "/me/profile", tag = "me", responses((status = 200, body = Profile)))]
async fn profile(Caller(cx): Caller) -> Answer<Profile> {
    Ok(Json(session::profile(&cx).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct NoticeQuery {
    /// Unread ones alone.
    unread: bool,
}

/// Notices, the latest first.
#[utoipa::path(get, path = "/notices", tag = "me", params(NoticeQuery, Paging),
    responses((status = 200, body = Listed<NoticeRow>)))]
async fn notices(
    Caller(cx): Caller,
    Query(query): Query<NoticeQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<NoticeRow>> {
    let page = notice::list(&cx, query.unread, paging.after.as_deref(), paging.rows()).await?;
    Ok(Json(page.into()))
}

/// How many were meant.
#[derive(Debug, Serialize, ToSchema)]
struct Count {
    /// So many.
    count: u64,
}

/// Marks all notices as read.
#[utoipa::path(post, path = "/notices/read", tag = "me", responses((status = 200, body = Count)))]
async fn read_notices(Caller(cx): Caller) -> Answer<Count> {
    Ok(Json(Count {
        count: notice::read_all(&cx).await?,
    }))
}

/// Where a notice leads.
#[derive(Debug, Serialize, ToSchema)]
struct Link {
    /// Path of a page.
    link: String,
}

/// Marks one notice as read.
#[utoipa::path(post, path = "/notices/{id}/read", tag = "me", params(("id" = String, Path)),
    responses((status = 200, body = Link), (status = 404, body = ProblemDocument)))]
async fn read_notice(Caller(cx): Caller, Path(notice_id): Path<String>) -> Answer<Link> {
    Ok(Json(Link {
        link: notice::open(&cx, &id(&notice_id)?).await?,
    }))
}

/// Tokens of the person, the latest first.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(Paging),
    responses((status = 200, body = Listed<TokenRow>)))]
async fn tokens(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<TokenRow>> {
    let page = token::list(&cx, paging.after.as_deref(), paging.rows()).await?;
    Ok(Json(page.into()))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct TokenOrder {
    /// What its owner calls it.
    name: String,
    /// What it may do.
    scope: TokenScope,
    /// How many days it lives, 1 to 365.
    days: i64,
}

/// Makes a token; with a session alone, never by a token. The secret is in this answer alone.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenOrder,
    responses((status = 201, body = NewToken), (status = 422, body = ProblemDocument)))]
async fn make_token(
    Caller(cx): Caller,
    token: Option<Extension<ByToken>>,
    Body(order): Body<TokenOrder>,
) -> Result<Response, Failed> {
    // A token that makes tokens could not be revoked for good.
    if token.is_some() {
        return Err(ServiceError::Forbidden.into());
    }
    let days = order.days.to_string();
    let made = token::create(&cx, &order.name, order.scope.as_str(), &days).await?;
    let mut response = (StatusCode::CREATED, Json(made)).into_response();
    response.extensions_mut().insert(Once);
    Ok(response)
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument)))]
async fn revoke_token(
    Caller(cx): Caller,
    Path(token_id): Path<String>,
) -> Result<StatusCode, Failed> {
    token::revoke(&cx, &id(&token_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
