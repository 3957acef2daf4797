//! The panel beside a cart: what it costs, what will become of it, and when it was last saved.

use super::{
    autosave::{Autosave, SavedLine},
    panel,
};
use crate::{facts, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    id::PoolId,
    money::Money,
    msg::{FieldError, Label},
    verdict::Verdict,
    view::request::HeadForm,
};

/// The panel; `form` is the id of the form that it stands in, which saves itself from here.
#[island]
pub fn CartPanel(
    form: String,
    cart: String,
    version: i64,
    saved: HeadForm,
    verdict: Verdict,
    missing: Vec<FieldError>,
    pools: Vec<(PoolId, Label)>,
    returned: bool,
) -> impl IntoView {
    let monthly = verdict.month.fen() != 0;
    let (sum, unit) = if monthly {
        (verdict.month, t!("order.month_unit"))
    } else {
        (verdict.once, t!("order.once_unit"))
    };
    let sum = Signal::stored(sum.yuan());
    let once = (monthly && verdict.once.fen() != 0)
        .then(|| view! { <p class="num">{facts::charge(Money::ZERO, verdict.once)}</p> });
    // What is paid once has neither a year nor a trial run.
    let sum = if monthly {
        let year = Signal::stored(t!("order.year", amount = verdict.year.yuan()));
        view! { <Sum amount=sum unit note=year/> }.into_any()
    } else {
        view! { <Sum amount=sum unit/> }.into_any()
    };
    let (act, submit) = if returned {
        ("resubmit", t!("cart.resubmit"))
    } else {
        ("submit", t!("cart.submit"))
    };
    let own = Autosave::new(form, cart, version, saved, (verdict, missing));
    view! {
        <PricePanel label=t!("order.panel")>
            <PricePart title=t!("cart.this")>
                {sum}
                {once}
            </PricePart>
            {move || {
                let (verdict, missing) = own.judged();
                panel::verdict(&verdict, missing.iter().map(|p| named(p, &[])).collect(), &pools)
            }}
            <PricePart>
                <Button kind=Kind::Main name="do" value=act>{submit}</Button>
                <Button name="do" value="save">{t!("cart.save")}</Button>
                <SavedLine own/>
            </PricePart>
        </PricePanel>
    }
}
