//! The site's own limits, pool by pool: what all units together may use.

use super::{dimension, of_unit, unit_of};
use crate::{facts, form::FormId, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    id::PoolId,
    money::Money,
    quota::{Dimension, Standing},
    view::quota::QuotaView,
};

/// What the query `set` and the posted `do` say.
pub const SET: &str = "limits";

/// The form, by the topmost unit.
pub fn link(site: &str) -> String {
    routes::with_query(routes::QUOTA, &[("unit", site), ("set", SET)])
}

/// Name of the field of one limit: pools are numbered as they stand on the page.
fn name(pool: usize, dimension: Dimension) -> String {
    format!("limit-{pool}-{dimension}")
}

/// A limit as it stands in its field.
fn text(dimension: Dimension, limit: i64) -> String {
    match dimension {
        Dimension::MonthlyFee => Money::from_fen(limit).yuan(),
        _ => limit.to_string(),
    }
}

/// The page.
#[component]
pub fn Limits(shown: QuotaView) -> impl IntoView {
    let QuotaView {
        unit,
        unit_name,
        rows,
        pools,
        ..
    } = shown;
    let standing = |pool: &PoolId, dimension: Dimension| -> Standing {
        rows.iter()
            .find(|row| row.pool == *pool && row.dimension == dimension)
            .map_or_else(Standing::default, |row| row.standing)
    };
    let mut labels: Vec<(String, String)> = Vec::new();
    let mut parts: Vec<AnyView> = Vec::new();
    for (at, (pool, pool_name)) in pools.iter().enumerate() {
        let title = i18n::label(pool_name);
        let mut fields: Vec<AnyView> = Vec::new();
        for d in Dimension::ALL.iter().copied() {
            let label = format!("{} ({})", dimension(d), unit_of(d));
            labels.push((name(at, d), format!("{title} · {label}")));
            fields.push(limit(at, d, label, standing(pool, d)));
        }
        let (field, pool) = (format!("pool-{at}"), pool.to_string());
        let part = view! {
            <FormSection title>
                <input type="hidden" name=field value=pool/>
                {fields}
            </FormSection>
        };
        parts.push(part.into_any());
    }
    let crumbs = vec![(t!("quota.title").to_owned(), of_unit(unit.as_str()))];
    view! {
        <PageHead
            title=t!("quota.set_limits")
            fact=t!("quota.set_fact", unit = unit_name)
            crumbs
        />
        <ErrorSummary labels/>
        <form method="post" class="panel">
            <FormId/>
            <input type="hidden" name="do" value=SET/>
            <input type="hidden" name="unit" value=unit.to_string()/>
            {parts}
            <FormSection title=t!("quota.confirm_legend") note=t!("quota.lower_note")>
                <FieldSet name="confirm" legend=t!("quota.confirm_legend") hide_legend=true>
                    <Check name="confirm" value="yes">{t!("quota.confirm_lower")}</Check>
                </FieldSet>
                <div class="field">
                    <Button kind=Kind::Main>{t!("quota.set_limits")}</Button>
                </div>
            </FormSection>
        </form>
    }
}

/// One limit, with what of it is gone already.
fn limit(pool: usize, d: Dimension, label: String, now: Standing) -> AnyView {
    let name = name(pool, d);
    let was = format!("was-{name}");
    let value = text(d, now.limit);
    let read = value.clone();
    let taken = now.limit.saturating_sub(now.left());
    let hint = if taken == 0 {
        t!("quota.taken_none").to_owned()
    } else {
        t!(
            "quota.taken",
            taken = facts::amount(d, taken),
            handed = facts::amount(d, now.handed)
        )
    };
    view! {
        <Field name label hint>
            <TextInput value maxlength=20_u32 width=Width::M required=true/>
        </Field>
        <input type="hidden" name=was value=read/>
    }
    .into_any()
}

/// The post of the form.
pub mod ssr {
    use super::name;
    use crate::{
        area::quota::{of_unit, ssr::amount},
        form::ssr::{Done, Posted, Refused},
        ssr::{cx, id},
    };
    use lingbao_core::service::quota::{self, Limit};
    use lingbao_model::{
        id::{PoolId, UnitId},
        msg::{FieldError, Msg},
        quota::Dimension,
    };

    /// Sets what was changed; what stands as it was read is left alone.
    ///
    /// # Errors
    /// What the service says; a message at the tick when a lower limit was not confirmed.
    pub async fn set(form: Posted) -> Result<Done, Refused> {
        let unit: UnitId = id(form.value("unit"))?;
        let (mut limits, mut errors, mut lower) = (Vec::new(), Vec::new(), false);
        for at in 0.. {
            let pool = form.value(&format!("pool-{at}"));
            if pool.is_empty() {
                break;
            }
            let pool: PoolId = id(pool)?;
            for dimension in Dimension::ALL.iter().copied() {
                let field = name(at, dimension);
                let was = amount("", dimension, form.value(&format!("was-{field}"))).ok();
                let limit = match amount(&field, dimension, form.value(&field)) {
                    Ok(limit) => limit,
                    Err(error) => {
                        errors.push(error);
                        continue;
                    }
                };
                if was == Some(limit) {
                    continue;
                }
                lower |= was.is_some_and(|was| limit < was);
                limits.push(Limit {
                    field,
                    pool: pool.clone(),
                    dimension,
                    limit,
                    was,
                });
            }
        }
        if lower && form.value("confirm") != "yes" {
            errors.push(FieldError::new("confirm", Msg::new("quota.unconfirmed")));
        }
        if !errors.is_empty() {
            return Err(errors.into());
        }
        quota::set_site(&cx()?, &unit, &limits, form.form_id()).await?;
        Ok(Done::to(of_unit(unit.as_str())).say(Msg::new("quota.limits_set")))
    }
}
