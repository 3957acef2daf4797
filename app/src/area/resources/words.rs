//! Words and chips of resources.

use crate::{i18n, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    resource::{BillingState, ServiceState},
    time::{Timestamp, Zone},
};

/// The text of a code in one of the lists of words (`resource.service`, `resource.kind`).
pub fn word(list: &str, code: &str) -> String {
    i18n::t_key(&format!("{list}.{code}")).into_owned()
}

/// What it does.
pub fn service(state: ServiceState) -> impl IntoView {
    let look = match state {
        ServiceState::Running => Look::Ok,
        ServiceState::Stopped => Look::Pause,
        ServiceState::Changing => Look::Run,
        ServiceState::Recycled => Look::Wait,
        ServiceState::Released => Look::Stop,
    };
    view! { <Chip look text=word("resource.service", state.as_str())/> }
}

/// What is charged.
pub fn billing(state: BillingState) -> impl IntoView {
    let look = match state {
        BillingState::Unconfirmed => Look::Act,
        BillingState::Trial => Look::Wait,
        BillingState::Billing => Look::Ok,
        BillingState::Stopped => Look::Stop,
    };
    view! { <Chip look text=word("resource.billing", state.as_str())/> }
}

/// A day.
pub fn day(at: Timestamp) -> String {
    Zone::SHANGHAI.date(at).to_string()
}

/// A moment.
pub fn moment(at: Timestamp) -> String {
    at.minute_text(Zone::SHANGHAI)
}
