//! What is done at once to what runs: restart, console, snapshots, attaching.
use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lingbao_core::{
    Cx,
    fulfil::{acts, restore},
    service::{console, resource},
};
use lingbao_model::{
    id::{BackupId, ResourceId, SnapshotId},
    money::Money,
    view::resource::{ConsoleLink, ResourceDetail, RestoreView, Restoring},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Portal, ProblemDocument, id, idempotency::Once};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(restart))
        .routes(routes!(open_console))
        .routes(routes!(take_snapshot))
        .routes(routes!(delete_snapshot))
        .routes(routes!(preview, restore_snapshot))
        .routes(routes!(preview_backup, restore_backup))
        .routes(routes!(attach))
        .routes(routes!(detach))
}

async fn as_it_is(cx: &Cx, of: &ResourceId) -> Answer<ResourceDetail> {
    Ok(Json(resource::detail(cx, of).await?))
}

/// Restarts a running server.
#[utoipa::path(post, path = "/resources/{id}/restart", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument)))]
async fn restart(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    acts::restart(&cx, &of, "").await?;
    as_it_is(&cx, &of).await
}

/// A link to the console of a running server: a key to it, for as long as the cloud lets it live.
#[utoipa::path(post, path = "/resources/{id}/console", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ConsoleLink), (status = 409, body = ProblemDocument)))]
async fn open_console(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
) -> Result<Response, Failed> {
    let link = console::open(&cx, &id(&resource_id)?).await?;
    let mut response = Json(link).into_response();
    response.extensions_mut().insert(Once);
    Ok(response)
}

/// A snapshot to be taken.
#[derive(Debug, Deserialize, ToSchema)]
struct SnapshotOrder {
    /// Its name.
    name: String,
    /// What it is for.
    #[serde(default)]
    note: String,
}

/// Takes a snapshot of a disk.
#[utoipa::path(post, path = "/resources/{id}/snapshots", tag = "resources", params(("id" = String, Path)),
    request_body = SnapshotOrder,
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn take_snapshot(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(order): Body<SnapshotOrder>,
) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    acts::take_snapshot(&cx, &of, &order.name, &order.note, "").await?;
    as_it_is(&cx, &of).await
}

/// Deletes a snapshot of a disk.
#[utoipa::path(delete, path = "/resources/{id}/snapshots/{snapshot}", tag = "resources",
    params(("id" = String, Path), ("snapshot" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn delete_snapshot(
    Caller(cx): Caller,
    Path((resource_id, snapshot)): Path<(String, String)>,
) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    acts::delete_snapshot(&cx, &of, &id::<SnapshotId>(&snapshot)?, "").await?;
    as_it_is(&cx, &of).await
}

/// What a new disk out of a snapshot would cost and take.
#[utoipa::path(get, path = "/resources/{id}/snapshots/{snapshot}/restore", tag = "resources",
    params(("id" = String, Path), ("snapshot" = String, Path)),
    responses((status = 200, body = RestoreView), (status = 404, body = ProblemDocument)))]
async fn preview(
    Caller(cx): Caller,
    Path((resource_id, snapshot)): Path<(String, String)>,
) -> Answer<RestoreView> {
    let (of, snapshot) = (id(&resource_id)?, id::<SnapshotId>(&snapshot)?);
    let view = restore::preview(&cx, &of, &snapshot).await?;
    Ok(Json(view))
}

/// A new disk out of a snapshot or a backup.
#[derive(Debug, Deserialize, ToSchema)]
struct RestoreOrder {
    /// Name of the new disk.
    name: String,
    /// The month price that was shown, in 分. If it is another one by now, nothing is made.
    month: Money,
}

/// Makes a new disk out of a snapshot. The answer names it; it is there when the cloud has made it.
/// Where somebody must agree the answer is 409 `resource.restore_needs_consent`: it is asked for by
/// `POST /resources/{id}/changes` with `restore`.
#[utoipa::path(post, path = "/resources/{id}/snapshots/{snapshot}/restore", tag = "resources",
    params(("id" = String, Path), ("snapshot" = String, Path)), request_body = RestoreOrder,
    responses((status = 202, body = Restoring), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn restore_snapshot(
    Caller(cx): Caller,
    Path((resource_id, snapshot)): Path<(String, String)>,
    Body(order): Body<RestoreOrder>,
) -> Result<(StatusCode, Json<Option<Restoring>>), Failed> {
    let (of, snapshot) = (id(&resource_id)?, id::<SnapshotId>(&snapshot)?);
    let made = restore::restore(&cx, &of, &snapshot, &order.name, order.month, "").await?;
    Ok((StatusCode::ACCEPTED, Json(made)))
}

/// What a new disk out of a backup would cost and take.
#[utoipa::path(get, path = "/resources/{id}/backups/{backup}/restore", tag = "resources",
    params(("id" = String, Path), ("backup" = String, Path)),
    responses((status = 200, body = RestoreView), (status = 404, body = ProblemDocument)))]
async fn preview_backup(
    Caller(cx): Caller,
    Path((resource_id, backup)): Path<(String, String)>,
) -> Answer<RestoreView> {
    let (of, backup) = (id(&resource_id)?, id::<BackupId>(&backup)?);
    let view = restore::preview(&cx, &of, &backup).await?;
    Ok(Json(view))
}

/// Makes a new disk out of a backup. The answer names it; it is there when the cloud has made it.
/// Where somebody must agree the answer is 409 `resource.restore_needs_consent`: it is asked for by
/// `POST /resources/{id}/changes` with `restore_backup`.
#[utoipa::path(post, path = "/resources/{id}/backups/{backup}/restore", tag = "resources",
    params(("id" = String, Path), ("backup" = String, Path)), request_body = RestoreOrder,
    responses((status = 202, body = Restoring), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn restore_backup(
    Caller(cx): Caller,
    Path((resource_id, backup)): Path<(String, String)>,
    Body(order): Body<RestoreOrder>,
) -> Result<(StatusCode, Json<Option<Restoring>>), Failed> {
    let (of, backup) = (id(&resource_id)?, id::<BackupId>(&backup)?);
    let made = restore::restore(&cx, &of, &backup, &order.name, order.month, "").await?;
    Ok((StatusCode::ACCEPTED, Json(made)))
}

/// Where something is to be attached.
#[derive(Debug, Deserialize, ToSchema)]
struct AttachOrder {
    /// The host.
    host: ResourceId,
}

/// Attaches a free disk or address to a host of the same data centre and cell.
#[utoipa::path(post, path = "/resources/{id}/attach", tag = "resources", params(("id" = String, Path)),
    request_body = AttachOrder,
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn attach(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(order): Body<AttachOrder>,
) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    acts::attach(&cx, &of, &order.host, "").await?;
    as_it_is(&cx, &of).await
}

/// Takes a disk or an address off its host.
#[utoipa::path(post, path = "/resources/{id}/detach", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument)))]
async fn detach(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    acts::detach(&cx, &of, "").await?;
    as_it_is(&cx, &of).await
}
