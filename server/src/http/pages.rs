//! The pages: the application's router, the built files, the dictionaries.
//!
//! Only serving stands here. What a page may do is decided by the services behind the server
//! functions; what is put into each request's context comes in through [`Pages::context`].

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
};
use leptos::config::{Env, LeptosOptions};
use lingbao_app::form::ssr::{Pages, not_found, router};
use std::{path::Path, sync::Arc, time::Duration};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::services::{ServeDir, ServeFile};

/// All pages with their posts and server functions, the built files under `/pkg`, and the few
/// files of `public/`.
///
/// The caller puts sessions, sign-in, cross-site checks and limits around it as layers; the page
/// router finds the `Session` in the request's extensions.
///
/// `at_once` pages are made at a time, others wait: two cores make no more of them any faster, and
/// each page holds its whole tree in memory while it is made.
pub fn pages(state: Pages, at_once: usize) -> Router {
    let root = state.options.site_root.to_string();
    let pkg = format!("/{}", state.options.site_pkg_dir);
    // File names under /pkg carry a hash, so they never change: cached for ever.
    let built = Router::new()
        .fallback_service(
            ServeDir::new(format!("{root}{pkg}"))
                .precompressed_br()
                .precompressed_gzip(),
        )
        .layer(middleware::map_response(for_ever));
    let public = |file: &str| ServeFile::new(format!("{root}/{file}"));
    Router::new()
        .merge(
            router()
                .layer(middleware::map_response(whole))
                .layer(GlobalConcurrencyLimitLayer::new(at_once))
                .layer(middleware::map_request(at_hand)),
        )
        .nest_service(&pkg, built)
        .route_service("/favicon.svg", public("favicon.svg"))
        .route_service("/robots.txt", public("robots.txt"))
        .fallback(not_found)
        .with_state(state)
}

/// How long a form may take to arrive.
const BODY_MS: u64 = 10_000;

/// What was sent is read before the request takes one of the few places: whoever sends slowly waits
/// for himself alone. The limit of bodies stands around this already.
async fn at_hand(request: Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX);
    match tokio::time::timeout(Duration::from_millis(BODY_MS), whole).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into_response()),
    }
}

/// A page is made as one piece anyway. Taken out of its stream here, it lets go of the tree that it
/// was made from; in the stream that would stand until a slow reader has read to the end.
async fn whole(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn for_ever(mut response: Response) -> Response {
    if response.status().is_success() {
        response.headers_mut().insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
    }
    response
}

/// How the application finds its built files: `site_root` is the folder that holds `pkg/`, `exe_dir`
/// the program's own, where cargo-leptos puts the list of hashes. Without that list (tests, a
/// server built alone) file names carry no hash, and the pages work as plain HTML.
pub fn leptos_options(site_root: &str, exe_dir: &Path) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("lingbao")
        .site_root(site_root)
        .site_pkg_dir("pkg")
        .env(Env::PROD)
        .hash_files(exe_dir.join("hash.txt").exists())
        .build()
}

/// The id of this build: the hash of the browser's code, or the program's version where nothing
/// was built for the browser (tests). It stands in every page, in the dictionaries' names and in
/// the event stream, so that an open tab can notice a new build.
pub fn build_id(exe_dir: &Path) -> Arc<str> {
    std::fs::read_to_string(exe_dir.join("hash.txt"))
        .ok()
        .and_then(|hashes| {
            let mut of = hashes.lines().filter_map(|line| line.split_once(':'));
            of.find(|(file, _)| file.trim() == "wasm")
                .map(|(_, hash)| hash.trim().to_owned())
        })
        .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
        .into()
}

/// Path of the style sheet, as the pages link it, for pages that the application does not make.
pub fn style_path(options: &LeptosOptions, exe_dir: Option<&Path>) -> String {
    let hash = exe_dir
        .filter(|_| options.hash_files)
        .and_then(|dir| std::fs::read_to_string(dir.join("hash.txt")).ok())
        .and_then(|hashes| {
            let mut of = hashes.lines().filter_map(|line| line.split_once(':'));
            of.find(|(file, _)| file.trim() == "css")
                .map(|(_, hash)| format!(".{}", hash.trim()))
        })
        .unwrap_or_default();
    format!(
        "/{}/{}{hash}.css",
        options.site_pkg_dir, options.output_name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_named_by_its_wasm() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(&*build_id(dir.path()), env!("CARGO_PKG_VERSION"));
        std::fs::write(
            dir.path().join("hash.txt"),
            "js: abc\nwasm: 0Xy_9\ncss: def\n",
        )
        .unwrap();
        assert_eq!(&*build_id(dir.path()), "0Xy_9");
    }
}
