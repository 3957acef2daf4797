//! Taking over the size that a cloud has: what it would come to, and the form.

use super::difference::seen;
use crate::{facts, i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::difference::{Act, DifferenceDetail};

/// What taking over would come to, and the form where it can be done now; nothing where no size differs.
pub(super) fn panel(found: &DifferenceDetail) -> Option<AnyView> {
    let adoption = found.adoption.as_ref()?;
    let rows = facts::steps(&adoption.change);
    let against = adoption.against.iter().map(i18n::msg);
    let against = against
        .map(|text| view! { <Banner tone=Tone::Warn>{text}</Banner> })
        .collect_view();
    let form = found.may.contains(&Act::Adopt).then(|| {
        let month = adoption.change.month_after.fen().to_string();
        let seen = seen(&found.row);
        view! {
            <form method="post">
                <p>{t!("difference.adopt_note")}</p>
                <FieldSet name="confirm_adopt" legend=t!("difference.adopt") hide_legend=true>
                    <Check name="confirm_adopt" value="yes">{t!("difference.adopt_confirm")}</Check>
                </FieldSet>
                {seen}
                <input type="hidden" name="month" value=month/>
                <Button name="do" value="adopt">{t!("difference.adopt")}</Button>
            </form>
        }
    });
    let view = view! {
        <Panel title=t!("difference.adopt") pad=true>
            <BeforeAfter caption=t!("change.effect") rows/>
            {against}
            {form}
        </Panel>
    };
    Some(view.into_any())
}
