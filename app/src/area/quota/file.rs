//! The quota of a unit and of the units below it as a file.

use crate::{
    csv, facts,
    form::ssr::Pages,
    i18n::{self, Lang},
};
use axum::{
    extract::{Query, Request, State},
    response::Response,
};
use lingbao_core::service::quota;
use lingbao_model::{money::Money, msg::Msg, quota::Dimension, view::quota::QuotaRow};
use std::collections::HashMap;

/// What the page shows, a line for each pool and dimension.
pub async fn csv(
    State(pages): State<Pages>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let unit = || super::ssr::unit(query.get("unit").map_or("", String::as_str));
    let all = |cx, unit, _| async move {
        let shown = quota::view(&cx, unit).await?;
        let own = (shown.unit_name, shown.rows);
        let below = shown.children.into_iter().map(|one| (one.name, one.rows));
        let lines = std::iter::once(own).chain(below).flat_map(|(name, rows)| {
            let line = move |row| (name.clone(), row);
            rows.into_iter().map(line)
        });
        Ok((lines.collect(), None))
    };
    let name = "quota.csv";
    let file = csv::File { name, head, line };
    file.answer(&pages, request, unit, all).await
}

fn head(lang: Lang) -> String {
    let keys = [
        "quota.unit",
        "quota.pool",
        "quota.dimension",
        "quota.measure",
        "quota.limit",
        "quota.used",
        "quota.held",
        "quota.handed",
        "quota.left",
    ];
    csv::heads(lang, keys)
}

fn line(lang: Lang, (unit, row): &(String, QuotaRow)) -> String {
    let word = |key: String| i18n::msg_in(lang, &Msg::new(key));
    // For computing: without separators, money in yuan.
    let number = |n: i64| match row.dimension {
        Dimension::MonthlyFee => csv::amount(Money::from_fen(n)),
        _ => n.to_string(),
    };
    let standing = row.standing;
    csv::line([
        unit.clone(),
        facts::label_in(lang, &row.pool_name),
        word(format!("dimension.{}", row.dimension)),
        word(format!("quota.unit.{}", row.dimension)),
        number(standing.limit),
        number(standing.used),
        number(standing.held),
        number(standing.handed),
        number(standing.left()),
    ])
}
