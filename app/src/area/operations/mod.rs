//! What operators look after: fulfilments on their way and stuck ones, and work orders for people.

mod adopt;
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

use crate::form::ssr::{Pages, page_post};
use crate::{i18n, pages::page, ui::Look};
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{
    time::{Timestamp, Zone},
    view::operation::{SagaState, WorkOrderStatus},
};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/operations"), sagas::Sagas),
        page(path!("/operations/sagas/:id"), saga::SagaPage),
        page(path!("/operations/jobs"), jobs::Jobs),
        page(path!("/operations/clouds"), clouds::Clouds),
        page(path!("/work-orders"), orders::Orders),
        page(path!("/work-orders/:id"), order::OrderPage),
        page(path!("/operations/differences"), differences::Differences),
        page(
            path!("/operations/differences/:id"),
            difference::DifferencePage,
        ),
    ]
}

/// What the pages post to themselves.
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
