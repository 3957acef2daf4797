//! Words and chips of resources.

pub use crate::island::stages as way;
use crate::{i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    id::ResourceId,
    msg::Msg,
    resource::{BillingState, ServiceState},
    time::{Timestamp, Zone},
    view::resource::Related,
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

/// Where a page below that of a resource stands.
pub fn below(id: &ResourceId, name: &str) -> Vec<Crumb> {
    vec![
        (t!("nav.resources").to_owned(), routes::RESOURCES.to_owned()),
        (name.to_owned(), routes::resource(id.as_str())),
    ]
}

/// What stands against an act on a resource, above its form.
pub fn against(reasons: [Option<&Msg>; 2]) -> Vec<AnyView> {
    let banner = |msg: &Msg| {
        let text = i18n::msg(msg);
        view! { <Banner>{text}</Banner> }.into_any()
    };
    reasons.into_iter().flatten().map(banner).collect()
}

/// A thing that hangs on another, by its name and kind.
pub fn link(one: &Related) -> AnyView {
    let kind = word("resource.kind", one.kind.as_str());
    let (href, name) = (routes::resource(one.id.as_str()), one.name.clone());
    view! { <a href=href>{name}</a>" "<span class="sub">{kind}</span> }.into_any()
}
