//! How a resource ends: the pages of the recycle bin and of its certificate, a piece of code of their
//! own, so that list and detail do not carry them; and what the page of the resource says of it.

use super::{
    bin, certificate,
    words::{day, moment},
};
use crate::{lazy_pages, routes, routes::page, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::view::resource::{Act, ResourceDetail};

/// The pages of this piece.
#[derive(Clone, Copy)]
pub enum Page {
    /// A thing in the bin.
    Bin,
    /// The certificate of a resource.
    Certificate,
    /// The certificates of a request.
    Certificates,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn ending(page: Page) -> AnyView {
    match page {
        Page::Bin => view! { <bin::BinPage/> }.into_any(),
        Page::Certificate => view! { <certificate::CertificatePage/> }.into_any(),
        Page::Certificates => view! { <certificate::CertificatesPage/> }.into_any(),
    }
}

lazy_pages!(ending, __preload_ending);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/resources/:id/bin"), piece(Page::Bin)),
        page(
            path!("/resources/:id/certificate"),
            piece(Page::Certificate),
        ),
        page(
            path!("/requests/:id/certificates"),
            piece(Page::Certificates),
        ),
    ]
}

/// That it lies in the bin, until when, and what may be done about it; or that it is erased.
pub fn banner(found: &ResourceDetail) -> Option<AnyView> {
    let id = found.row.id.as_str();
    if let Some(number) = found.certificate.clone() {
        let at = found.released_at.map(moment).unwrap_or_default();
        let href = routes::certificate(id);
        let banner = view! {
            <Banner>{t!("bin.gone", at = at)} " " <a href=href>{number}</a></Banner>
        };
        return Some(banner.into_any());
    }
    let (at, days) = (found.row.erase_at?, found.row.days_left?);
    let may = |act: Act| found.may.contains(&act);
    let text = match (may(Act::TakeBack), may(Act::Erase)) {
        (true, _) => t!("bin.take_back"),
        (false, true) => t!("bin.erase"),
        (false, false) => t!("bin.more"),
    };
    let href = routes::bin(id);
    let said = t!("bin.lies", n = days, day = day(at));
    Some(view! { <Banner tone=Tone::Warn>{said} " " <a href=href>{text}</a></Banner> }.into_any())
}
