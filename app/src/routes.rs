//! All pages of the portal, and the links to them.
//!
//! A page is an [`AnyNestedRoute`] made by [`page`] of a path and a [`Piece`]; an area lists its pages
//! in `routes()` and its posts in `posts()`. Every page is rendered whole on the server
//! (`SsrMode::Async`), because it must work as plain HTML. Links are functions here, so that a path is
//! spelled once.

use crate::{area, frame::Framed, ui::not_found::NotFoundPage};
use leptos::{prelude::*, tachys::view::iterators::StaticVec};
use leptos_meta::provide_meta_context;
use leptos_router::{
    ChooseView, NestedRoute, PossibleRouteMatch, SsrMode,
    any_nested_route::{AnyNestedRoute, IntoAnyNestedRoute},
    components::{Router, Routes, RoutesProps},
};
use std::{pin::Pin, sync::Arc};

/// Where server functions are; each names its endpoint below this.
pub const FN_PREFIX: &str = "/fn/";
/// Where the switches for theme, contrast, text size and language post to.
pub const LOOK: &str = "/look";
/// The workbench.
pub const HOME: &str = "/";
/// Sign-in; outside of the frame.
pub const SIGN_IN: &str = "/sign-in";
/// Sign-out; only a post.
pub const SIGN_OUT: &str = "/sign-out";
/// Service catalogue.
pub const CATALOGUE: &str = "/catalogue";
/// Cart.
pub const CART: &str = "/cart";
/// The person's and the unit's requests.
pub const REQUESTS: &str = "/requests";
/// Carts that were begun and not yet submitted.
pub const DRAFTS: &str = "/drafts";
/// Steps waiting for this person.
pub const TODO: &str = "/todo";
/// Steps this person has acted on.
pub const DONE: &str = "/done";
/// Resources of the unit.
pub const RESOURCES: &str = "/resources";
/// Delivery sheets, papers of what was ordered.
pub const DELIVERIES: &str = "/deliveries";
/// Quota of the unit.
pub const QUOTA: &str = "/quota";
/// The leader's overview.
pub const OVERVIEW: &str = "/overview";
/// What hosts use of what they were given.
pub const USAGE: &str = "/usage";
/// The same by unit.
pub const USAGE_UNITS: &str = "/usage/units";
/// Jobs, sagas, backends.
pub const OPERATIONS: &str = "/operations";
/// Background jobs, for operators.
pub const JOBS: &str = "/operations/jobs";
/// The backends, for operators.
pub const CLOUDS: &str = "/operations/clouds";
/// Where the portal and the clouds differ, for operators.
pub const DIFFERENCES: &str = "/operations/differences";
/// Taking in what stands in a cloud already, for operators.
pub const IMPORT: &str = "/operations/import";
/// What was taken in, for operators.
pub const IMPORT_BATCHES: &str = "/operations/import/batches";
/// Work orders for people.
pub const WORK_ORDERS: &str = "/work-orders";
/// Items and prices, for administrators.
pub const ADMIN_ITEMS: &str = "/admin/items";
/// Approval policies, for administrators.
pub const ADMIN_POLICIES: &str = "/admin/policies";
/// Units, for administrators.
pub const ADMIN_UNITS: &str = "/admin/units";
/// Users and roles, for administrators.
pub const ADMIN_USERS: &str = "/admin/users";
/// A new account.
pub const USER_NEW: &str = "/admin/users/new";
/// The audit log.
pub const ADMIN_AUDIT: &str = "/admin/audit";
/// The person's own page: password, sessions, tokens.
pub const ME: &str = "/me";
/// In-site notices.
pub const NOTICES: &str = "/notices";
/// Global search (`?q=`).
pub const SEARCH: &str = "/search";
/// Help.
pub const HELP: &str = "/help";
/// The components, for those who build pages.
pub const KIT: &str = "/kit";

/// The catalogue for a cart: what is chosen there goes into it. Without one, into the current draft.
pub fn catalogue(cart: &str) -> String {
    with_query(CATALOGUE, &[("cart", cart)])
}

/// One item of the catalogue, to be configured.
pub fn configure(item: &str) -> String {
    format!("{CATALOGUE}/{}", segment(item))
}

/// An item of the catalogue with its versions, for those who write it.
pub fn item(code: &str) -> String {
    format!("{ADMIN_ITEMS}/{}", segment(code))
}

/// The approval policy for a kind of request, for those who write it.
pub fn policy(kind: &str) -> String {
    format!("{ADMIN_POLICIES}/{}", segment(kind))
}

/// Stands where a cart's id does: the form of a new application system.
pub const NEW_SYSTEM: &str = "system";

/// A new application system; the cart that was left for it, or none, gets it.
pub fn new_system(cart: &str) -> String {
    edit_system(cart, "")
}

/// The same form with what a system is called now, to correct it.
pub fn edit_system(cart: &str, system: &str) -> String {
    let asked = [("cart", cart), ("system", system)];
    with_query(&format!("{CART}/{NEW_SYSTEM}"), &asked)
}

/// One request, by its number.
pub fn request(number: &str) -> String {
    format!("{REQUESTS}/{}", segment(number))
}

/// The application form of a request on paper.
pub fn request_print(number: &str) -> String {
    format!("{}/print", request(number))
}

/// The approval card of a step.
pub fn card(step: &str) -> String {
    format!("{TODO}/{}", segment(step))
}

/// One resource.
pub fn resource(id: &str) -> String {
    format!("{RESOURCES}/{}", segment(id))
}

/// What a host uses, day by day.
pub fn usage(id: &str) -> String {
    format!("{USAGE}/{}", segment(id))
}

/// A new disk out of a snapshot of a disk.
pub fn restore(disk: &str, snapshot: &str) -> String {
    format!("{}/snapshots/{}", resource(disk), segment(snapshot))
}

/// What may come in to a host.
pub fn rules(host: &str) -> String {
    format!("{}/rules", resource(host))
}

/// A host's system anew.
pub fn reinstall(host: &str) -> String {
    format!("{}/reinstall", resource(host))
}

/// The form that gives resources back, for a returned request that is supplemented.
pub fn release_again(request: &str) -> String {
    with_query("/requests/release", &[("request", request)])
}

/// The form that changes a resource; `request` is the returned one that is supplemented, or empty.
pub fn change(id: &str, what: &str, request: &str) -> String {
    let form = format!("{}/change", resource(id));
    with_query(&form, &[("what", what), ("request", request)])
}

/// A thing in the recycle bin.
pub fn bin(id: &str) -> String {
    format!("{}/bin", resource(id))
}

/// The list of what lies in the recycle bin, what is erased first on top.
pub fn in_bin() -> String {
    with_query(RESOURCES, &[("state", "recycled"), ("sort", "erase")])
}

/// The certificate of erasure of a resource.
pub fn certificate(id: &str) -> String {
    format!("{}/certificate", resource(id))
}

/// The certificates of erasure of everything that a request gave back.
pub fn certificates(number: &str) -> String {
    format!("{}/certificates", request(number))
}

/// The delivery sheet of a request, by the request's id.
pub fn delivery(request: &str) -> String {
    format!("{DELIVERIES}/{}", segment(request))
}

/// One fulfilment, for operators.
pub fn saga(id: &str) -> String {
    format!("{OPERATIONS}/sagas/{}", segment(id))
}

/// One difference, for operators.
pub fn difference(id: &str) -> String {
    format!("{DIFFERENCES}/{}", segment(id))
}

/// One thing of a cloud to be taken in, by its difference.
pub fn import_thing(difference: &str) -> String {
    with_query(IMPORT, &[("thing", difference)])
}

/// What was taken in at once, for operators.
pub fn import_batch(id: &str) -> String {
    format!("{IMPORT_BATCHES}/{}", segment(id))
}

/// One work order.
pub fn work_order(id: &str) -> String {
    format!("{WORK_ORDERS}/{}", segment(id))
}

/// One unit, for administrators.
pub fn unit(id: &str) -> String {
    format!("{ADMIN_UNITS}/{}", segment(id))
}

/// One user, for administrators.
pub fn user(id: &str) -> String {
    format!("{ADMIN_USERS}/{}", segment(id))
}

/// A text as one part of a path: what is not plain becomes `%XX`.
pub fn segment(text: &str) -> String {
    escape(text, false)
}

/// A path with a query; empty values are left out, so that a cleared filter leaves the URL.
pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query: Vec<_> = query
        .iter()
        .filter(|pair| !pair.1.is_empty())
        .map(|(name, value)| format!("{}={}", escape(name, true), escape(value, true)))
        .collect();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

fn escape(text: &str, plus: bool) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into())
            }
            b' ' if plus => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A path of this site as somebody sent it (`?next=`, `back`), or the workbench: never another host.
pub fn local_path(path: &str) -> &str {
    // Browsers take a tab or a line break out of an address before they read it.
    let plain = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(|c: char| c == '\\' || c.is_control());
    if plain { path } else { HOME }
}

/// Something that comes when its code has been loaded.
type Loading<T> = Pin<Box<dyn Future<Output = T>>>;

/// The view of a page whose code is loaded when somebody goes there.
///
/// One type for all pages: of every type of view the router makes all of its code anew, and the browser
/// loads that before anything else.
#[derive(Clone)]
pub struct Piece {
    view: Arc<dyn Fn() -> Loading<AnyView> + Send + Sync>,
    preload: fn() -> Loading<()>,
}

impl Piece {
    /// Of what shows the page, and of what loads its code beforehand; [`piece!`](crate::piece) writes
    /// both.
    pub fn new(
        view: impl Fn() -> Loading<AnyView> + Send + Sync + 'static,
        preload: fn() -> Loading<()>,
    ) -> Self {
        Self {
            view: Arc::new(view),
            preload,
        }
    }
}

impl ChooseView for Piece {
    async fn choose(self) -> AnyView {
        (self.view)().await
    }

    // On the server this has to be ready at once: there nothing is loaded.
    async fn preload(&self) {
        (self.preload)().await;
    }
}

/// One page: rendered whole on the server, its code loaded when somebody goes there. `path` is of
/// `leptos_router::path!`.
pub fn page<Segments>(path: Segments, piece: Piece) -> AnyNestedRoute
where
    Segments: PossibleRouteMatch + Send + Sync + 'static,
{
    // Nor is a route made anew for every shape of a path.
    fn route(path: Arc<dyn PossibleRouteMatch + Send + Sync>, piece: Piece) -> AnyNestedRoute {
        NestedRoute::new(path, piece)
            .ssr_mode(SsrMode::Async)
            .into_any_nested_route()
    }
    route(Arc::new(path), piece)
}

/// Makes `piece(Page)` for the pages of an area whose code is one lazily loaded piece:
///
/// ```ignore
/// lazy_pages!(help, __preload_help);
/// ```
/// needs a `#[lazy] fn help(page: Page) -> AnyView` beside it. One `#[lazy]` an area, not one a page:
/// people who open a list open its details too.
#[macro_export]
macro_rules! lazy_pages {
    ($area:ident, $preload:ident) => {
        /// The view of a page, by the area's piece of code.
        fn piece(page: Page) -> $crate::routes::Piece {
            $crate::piece!($area(page), $preload)
        }
    };
}

/// The [`Piece`] of a call to a `#[lazy]` function, with what `#[lazy]` made to preload it.
#[macro_export]
macro_rules! piece {
    ($call:expr, $preload:ident) => {
        $crate::routes::Piece::new(
            move || ::std::boxed::Box::pin($call),
            || {
                ::std::boxed::Box::pin(async {
                    #[cfg(all(feature = "hydrate", target_arch = "wasm32"))]
                    $preload().await;
                })
            },
        )
    };
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
#[cfg(feature = "ssr")]
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

/// Paths of the pages that exist; the navigation shows no other. A test compares it with the routes.
pub const PATHS: &[&str] = &[
    HELP,
    "/help/deadline",
    KIT,
    SIGN_IN,
    CATALOGUE,
    TODO,
    DONE,
    "/todo/{step}",
    "/catalogue/{code}",
    CART,
    "/cart/{id}",
    DRAFTS,
    REQUESTS,
    "/requests/release",
    "/requests/{id}",
    "/requests/{id}/print",
    ME,
    "/me/password",
    "/me/tokens",
    NOTICES,
    QUOTA,
    SEARCH,
    RESOURCES,
    "/resources/{id}",
    "/resources/{id}/snapshots/{snapshot}",
    "/resources/{id}/change",
    "/resources/{id}/bin",
    "/resources/{id}/certificate",
    "/requests/{id}/certificates",
    "/resources/{id}/rules",
    "/resources/{id}/reinstall",
    "/deliveries/{id}",
    OPERATIONS,
    "/operations/sagas/{id}",
    JOBS,
    CLOUDS,
    DIFFERENCES,
    "/operations/differences/{id}",
    IMPORT,
    IMPORT_BATCHES,
    "/operations/import/batches/{id}",
    ADMIN_AUDIT,
    ADMIN_ITEMS,
    "/admin/items/{code}",
    ADMIN_POLICIES,
    "/admin/policies/{kind}",
    HOME,
    OVERVIEW,
    USAGE,
    USAGE_UNITS,
    "/usage/{id}",
    WORK_ORDERS,
    "/work-orders/{id}",
    ADMIN_UNITS,
    "/admin/units/{id}",
    "/admin/units/{id}/new",
    "/admin/units/{id}/edit",
    ADMIN_USERS,
    USER_NEW,
    "/admin/users/{id}",
    "/admin/users/{id}/edit",
    "/admin/users/{id}/grant",
    "/admin/users/{id}/password",
];

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    crate::look::provide_look();
    crate::live::provide_live();
    crate::presence::watch();
    crate::viewer::provide_frame();
    crate::form::provide_form();
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

    #[test]
    fn links_are_escaped() {
        assert_eq!(request("ZWY-20260918-0007"), "/requests/ZWY-20260918-0007");
        assert_eq!(request("a/b 拎"), "/requests/a%2Fb%20%E6%8B%8E");
        assert_eq!(
            with_query("/requests", &[("q", "a b&c"), ("state", "")]),
            "/requests?q=a+b%26c"
        );
    }

    #[test]
    fn nobody_is_led_to_another_host() {
        assert_eq!(local_path("/todo?x=1"), "/todo?x=1");
        for bad in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\u{0}/evil.example",
            "",
            "javascript:alert(1)",
        ] {
            assert_eq!(local_path(bad), HOME);
        }
    }

    #[cfg(feature = "ssr")]
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
