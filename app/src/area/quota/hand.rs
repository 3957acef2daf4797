//! Parts of a limit for the units below: handed on, and taken back.

use super::dimension;
use crate::{form::FormId, t, ui::*};
use leptos::prelude::*;
use lingbao_model::quota::Dimension;

/// The value of `act` that takes back.
const TAKE: &str = "take";

/// Hands a part on or takes it back; posts to the page.
#[component]
pub fn HandForm(unit: String, units: Vec<Opt>, pools: Vec<Opt>) -> impl IntoView {
    let dimensions: Vec<Opt> = Dimension::ALL
        .iter()
        .map(|d| (d.to_string(), dimension(*d)))
        .collect();
    let acts: Vec<Opt> = vec![
        ("hand".to_owned(), t!("quota.act_hand").to_owned()),
        (TAKE.to_owned(), t!("quota.act_take").to_owned()),
    ];
    view! {
        <Panel title=t!("quota.hand_on") pad=true>
            <form method="post" class="narrow">
                <FormId/>
                <input type="hidden" name="unit" value=unit/>
                <FieldSet name="act" legend=t!("quota.act") hint=t!("quota.act_hint")>
                    <Seg name="act" options=acts value="hand"/>
                </FieldSet>
                <Field name="child" label=t!("quota.child")>
                    <Select options=units/>
                </Field>
                <Field name="pool" label=t!("quota.pool")>
                    <Select options=pools/>
                </Field>
                <Field name="dimension" label=t!("quota.dimension")>
                    <Select options=dimensions/>
                </Field>
                <Field name="amount" label=t!("quota.amount") hint=t!("quota.amount_hint")>
                    <TextInput maxlength=16_u32 required=true/>
                </Field>
                <FieldSet name="confirm" legend=t!("quota.confirm_legend") hide_legend=true>
                    <Check name="confirm" value="yes">{t!("quota.confirm_take")}</Check>
                </FieldSet>
                <div class="field">
                    <Button kind=Kind::Main>{t!("quota.hand_on_do")}</Button>
                </div>
            </form>
        </Panel>
    }
}

/// The post of the form.
pub mod ssr {
    use super::TAKE;
    use crate::{
        area::quota::{of_unit, ssr::amount},
        form::ssr::{Done, Posted, Refused},
        ssr::{cx, id},
    };
    use lingbao_core::service::quota;
    use lingbao_model::{
        msg::{FieldError, Msg},
        quota::Dimension,
    };

    /// Hands a part of a limit on to a unit below, or takes it back.
    ///
    /// # Errors
    /// What the service says; a message at the tick when a taking back was not confirmed.
    pub async fn hand(form: Posted) -> Result<Done, Refused> {
        let dimension: Dimension = id(form.value("dimension"))?;
        let amount = amount("amount", dimension, form.value("amount"))?;
        if amount <= 0 {
            return Err(FieldError::new("amount", Msg::new("quota.positive")).into());
        }
        let take = form.value("act") == TAKE;
        if take && form.value("confirm") != "yes" {
            return Err(FieldError::new("confirm", Msg::new("quota.unconfirmed")).into());
        }
        let hand = quota::Hand {
            child: id(form.value("child"))?,
            pool: id(form.value("pool"))?,
            dimension,
            amount: if take { -amount } else { amount },
            form_id: form.form_id().to_owned(),
        };
        let after = quota::hand(&cx()?, &hand).await?;
        let said = match (take, after.left() < 0) {
            (false, _) => "quota.handed_on",
            (true, false) => "quota.taken_back",
            (true, true) => "quota.taken_below",
        };
        Ok(Done::to(of_unit(form.value("unit"))).say(Msg::new(said)))
    }
}
