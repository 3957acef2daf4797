//! The panel beside the form of an item: price, quota and verdict of the line as it is typed.

use super::{panel, reckon::judge, typed::follow};
use crate::{i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{param::Typed, view::request::ConfigureView};

/// The panel, and the bar that repeats it on phones; `form` is the id of the form that they stand in.
#[island]
pub fn OrderPanel(form: String, view: ConfigureView, begun: Typed) -> impl IntoView {
    let typed = follow(&form, begun);
    let monthly = panel::monthly(&view);
    let pools: Vec<_> = view
        .surroundings
        .pools
        .iter()
        .map(|p| (p.id.clone(), p.name.clone()))
        .collect();
    let save = if view.line.is_some() {
        t!("order.save_line")
    } else {
        t!("order.add")
    };
    let stored = StoredValue::new(view);
    #[cfg(feature = "hydrate")]
    hide_what_is_not_asked(form, stored, typed);
    let judged =
        Memo::new(move |_| stored.with_value(|view| typed.with(|typed| judge(view, typed))));
    let sum = Signal::derive(move || {
        let quote = judged.get().0.quote;
        if quote.month.fen() == 0 {
            quote.once.yuan()
        } else {
            quote.month.yuan()
        }
    });
    // What is paid once has neither a year nor a trial run.
    let (unit, total) = if monthly {
        let year =
            Signal::derive(move || t!("order.year", amount = judged.get().0.quote.year().yuan()));
        let unit = t!("order.month_unit");
        (unit, view! { <Sum amount=sum unit note=year/> }.into_any())
    } else {
        let unit = t!("order.once_unit");
        (unit, view! { <Sum amount=sum unit/> }.into_any())
    };
    let price = Signal::derive(move || panel::price_lines(&judged.get().0.quote));
    let note = Signal::derive(move || {
        match judged.get() {
            (_, verdict, _) if !verdict.passes() => t!("order.blocked"),
            (_, _, Some(_)) => t!("order.unfinished"),
            _ => t!("order.passes"),
        }
        .to_owned()
    });
    view! {
        <PricePanel label=t!("order.panel")>
            <PricePart title=t!("order.this") live=true>
                {total}
            </PricePart>
            <PricePart>
                <PriceLines caption=t!("order.lines") lines=price/>
            </PricePart>
            {move || {
                let (_, verdict, missing) = judged.get();
                panel::verdict(&verdict, missing.iter().map(i18n::msg).collect(), &pools)
            }}
            <PricePart>
                <Button kind=Kind::Main name="do" value="put">{save}</Button>
                <Button name="do" value="try">{t!("order.compute")}</Button>
            </PricePart>
        </PricePanel>
        <BuyBar label=t!("order.panel") amount=sum unit=unit note>
            <Button kind=Kind::Main name="do" value="put">{save}</Button>
        </BuyBar>
    }
}

/// Fields that the other answers leave out go; why they come is said only where scripts do not.
#[cfg(feature = "hydrate")]
fn hide_what_is_not_asked(form: String, view: StoredValue<ConfigureView>, typed: RwSignal<Typed>) {
    Effect::new(move |_| {
        let Some(form) = super::typed::browser::form(&form) else {
            return;
        };
        let hide = |selector: &str, away: bool| {
            if let Ok(Some(element)) = form.query_selector(selector) {
                let _ = element.toggle_attribute_with_force("hidden", away);
            }
        };
        view.with_value(|view| {
            let schema = &view.offer.content.schema;
            let (answers, _) = typed.with(|typed| super::reckon::read(schema, typed));
            for param in schema.0.iter().filter(|param| param.depends_on.is_some()) {
                let own = format!("[data-param=\"{}\"]", param.key);
                hide(&own, !param.applies(&answers));
                hide(&format!("{own} [data-when]"), true);
            }
        });
    });
}
