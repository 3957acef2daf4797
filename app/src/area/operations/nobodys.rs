//! What is done about a thing that no resource names: kept, or deleted.

use super::difference::seen;
use crate::{t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::difference::{DifferenceKind, DifferenceRow};

/// Keeping a snapshot as one of its disk.
pub(super) fn keep(row: &DifferenceRow) -> AnyView {
    let seen = seen(row);
    view! {
        <Panel title=t!("difference.keep") pad=true>
            <form method="post">
                <p>{t!("difference.keep_note")}</p>
                {seen}
                <Button kind=Kind::Main name="do" value="keep">{t!("difference.keep")}</Button>
            </form>
        </Panel>
    }
    .into_any()
}

/// Deleting it in the cloud: its name is typed, so that nobody presses it by mistake.
pub(super) fn remove(row: &DifferenceRow) -> AnyView {
    let hint = t!("bin.confirm_hint", name = row.typed().to_owned());
    let say = if row.kind == DifferenceKind::Double {
        t!("difference.remove_double_note")
    } else {
        t!("difference.remove_note")
    };
    view! {
        <Panel title=t!("difference.remove") pad=true>
            <form method="post" class="narrow">
                <p>{say}</p>
                <Field name="confirm" label=t!("bin.confirm") hint=hint>
                    <TextInput maxlength=255_u32/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Bad name="do" value="remove">{t!("difference.remove")}</Button>
                </div>
            </form>
        </Panel>
    }
    .into_any()
}
