//! What operators look after: fulfilments on their way and stuck ones, and work orders for people.

mod adopt;
mod apart;
mod clouds;
mod difference;
mod differences;
mod jobs;
mod nobodys;
mod order;
mod orders;
mod rules;
mod saga;
mod sagas;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{i18n, lazy_pages, routes::page, ui::Look};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{
    time::{Timestamp, Zone},
    view::operation::{SagaState, WorkOrderStatus},
};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// Counts and fulfilments.
    Sagas,
    /// One fulfilment.
    Saga,
    /// Background jobs.
    Jobs,
    /// Backends, and what in them is nobody's.
    Clouds,
    /// Work orders.
    Orders,
    /// One work order.
    Order,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn operations(page: Page) -> AnyView {
    match page {
        Page::Sagas => view! { <sagas::Sagas/> }.into_any(),
        Page::Saga => view! { <saga::SagaPage/> }.into_any(),
        Page::Jobs => view! { <jobs::Jobs/> }.into_any(),
        Page::Clouds => view! { <clouds::Clouds/> }.into_any(),
        Page::Orders => view! { <orders::Orders/> }.into_any(),
        Page::Order => view! { <order::OrderPage/> }.into_any(),
    }
}

lazy_pages!(operations, __preload_operations);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    let mut pages = vec![
        page(path!("/operations"), piece(Page::Sagas)),
        page(path!("/operations/sagas/:id"), piece(Page::Saga)),
        page(path!("/operations/jobs"), piece(Page::Jobs)),
        page(path!("/operations/clouds"), piece(Page::Clouds)),
        page(path!("/work-orders"), piece(Page::Orders)),
        page(path!("/work-orders/:id"), piece(Page::Order)),
    ];
    pages.extend(apart::routes());
    pages
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/operations/sagas/{id}", page_post(saga::ssr::act))
        .route(crate::routes::JOBS, page_post(jobs::ssr::act))
        .route("/work-orders/{id}", page_post(order::ssr::act))
        .route(crate::routes::DIFFERENCES, page_post(differences::ssr::act))
        .route(
            "/operations/differences/{id}",
            page_post(difference::ssr::act),
        )
        .route(differences::CSV, axum::routing::get(differences::ssr::csv))
}

fn when(at: Timestamp) -> String {
    at.minute_text(Zone::SHANGHAI)
}

fn word(list: &str, code: &str) -> String {
    i18n::t_key(&format!("{list}.{code}")).into_owned()
}

fn saga_look(state: SagaState) -> Look {
    match state {
        SagaState::Running => Look::Run,
        SagaState::Stuck => Look::Bad,
        SagaState::Done => Look::Ok,
        SagaState::Unwinding => Look::Wait,
        SagaState::Undone => Look::Stop,
        SagaState::Residue => Look::Act,
    }
}

fn order_look(status: WorkOrderStatus) -> Look {
    match status {
        WorkOrderStatus::Open => Look::Act,
        WorkOrderStatus::Taken => Look::Run,
        WorkOrderStatus::Done => Look::Ok,
        WorkOrderStatus::Failed => Look::Bad,
    }
}

/// A name that the program gave (a step, a kind of fulfilment), in words where there are some.
fn known(list: &str, code: &str) -> String {
    // `server-2` is the second step of its kind.
    let (kind, number) = match code.rsplit_once('-') {
        Some((kind, number)) if number.parse::<u32>().is_ok() => (kind, number),
        _ => (code, ""),
    };
    let key = format!("{list}.{kind}");
    let text = i18n::t_key(&key);
    if text == key {
        code.to_owned()
    } else {
        format!("{text} {number}").trim_end().to_owned()
    }
}
