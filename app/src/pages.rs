//! All pages: an area lists its own in `routes()` and its posts in `posts()`, and they come together here.
//!
//! Pages are made on the server and nowhere else (decision 33). Each is rendered whole
//! (`SsrMode::Async`), because it must work as plain HTML; what of it lives in the browser is an
//! [`island`](crate::island), and [`browser`](crate::browser) follows links without loading the
//! document anew.

use crate::{area, frame::Framed, ui::not_found::NotFoundPage};
use leptos::{prelude::*, tachys::view::iterators::StaticVec};
use leptos_meta::provide_meta_context;
use leptos_router::{
    NestedRoute, PossibleRouteMatch, SsrMode,
    any_nested_route::{AnyNestedRoute, IntoAnyNestedRoute},
    components::{Router, Routes, RoutesProps},
};
use std::sync::Arc;

/// One page of an area. `path` is of `leptos_router::path!`.
pub fn page<Segments, View>(path: Segments, view: fn() -> View) -> AnyNestedRoute
where
    Segments: PossibleRouteMatch + Send + Sync + 'static,
    View: IntoView + 'static,
{
    type Shown = Arc<dyn Fn() -> AnyView + Send + Sync>;
    // One type of route for all pages: the compiler would make the router anew for each.
    fn route(path: Arc<dyn PossibleRouteMatch + Send + Sync>, view: Shown) -> AnyNestedRoute {
        NestedRoute::new(path, move || view())
            .ssr_mode(SsrMode::Async)
            .into_any_nested_route()
    }
    route(Arc::new(path), Arc::new(move || view().into_any()))
}

/// All pages inside the frame.
fn framed() -> Vec<AnyNestedRoute> {
    let mut pages = Vec::new();
    pages.extend(area::help::routes());
    pages.extend(area::kit::routes());
    pages.extend(area::account::routes());
    pages.extend(area::approvals::routes());
    pages.extend(area::order::routes());
    pages.extend(area::requests::routes());
    pages.extend(area::catalogue::routes());
    pages.extend(area::items::routes());
    pages.extend(area::notices::routes());
    pages.extend(area::people::routes());
    pages.extend(area::quota::routes());
    pages.extend(area::search::routes());
    pages.extend(area::resources::routes());
    pages.extend(area::operations::routes());
    pages.extend(area::imports::routes());
    pages.extend(area::audit::routes());
    pages.extend(area::home::routes());
    pages.extend(area::overview::routes());
    pages.extend(area::usage::routes());
    pages
}

/// Pages that stand alone, without navigation.
fn bare() -> Vec<AnyNestedRoute> {
    area::sign_in::routes()
}

/// All posts of pages.
pub fn posts() -> axum::Router<crate::form::ssr::Pages> {
    axum::Router::new()
        .merge(area::help::posts())
        .merge(area::approvals::posts())
        .merge(area::order::posts())
        .merge(area::requests::posts())
        .merge(area::sign_in::posts())
        .merge(area::account::posts())
        .merge(area::notices::posts())
        .merge(area::people::posts())
        .merge(area::resources::posts())
        .merge(area::operations::posts())
        .merge(area::imports::posts())
        .merge(area::audit::posts())
        .merge(area::quota::posts())
        .merge(area::items::posts())
        .merge(area::usage::posts())
}

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Table/>
        </Router>
    }
}

/// The table of routes, with the views' types erased: they would be as large as the portal.
#[component]
fn Table() -> impl IntoView {
    let mut routes = vec![
        NestedRoute::new((), Framed)
            .ssr_mode(SsrMode::Async)
            .child(StaticVec::from(framed()))
            .into_any_nested_route(),
    ];
    routes.extend(bare());
    Routes(
        RoutesProps::builder()
            .fallback(|| view! { <NotFoundPage/> })
            .children(ToChildren::to_children(move || StaticVec::from(routes)))
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::PATHS;

    #[tokio::test]
    async fn the_list_of_paths_is_the_list_of_routes() {
        let mut listed: Vec<_> = leptos_axum::generate_route_list(App)
            .iter()
            .map(|route| route.path().to_owned())
            .collect();
        let mut known: Vec<_> = PATHS.iter().map(|path| (*path).to_owned()).collect();
        listed.sort();
        known.sort();
        assert_eq!(listed, known);
    }
}
