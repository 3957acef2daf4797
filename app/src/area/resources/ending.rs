//! How a resource ends: what its page says of the recycle bin and of the certificate of erasure.

use super::words::{day, moment};
use crate::{routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::resource::{Act, ResourceDetail};

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
