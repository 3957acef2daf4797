//! The quota of a unit and of the units below it as a file.

use crate::{
    csv,
    error::ApiError,
    facts,
    form::ssr::{Pages, in_context, lang_of},
    i18n::{self, Lang},
    ssr::cx,
};
use axum::{
    extract::{Query, Request, State},
    response::Response,
};
use lingbao_core::{error::ServiceError, service::quota};
use lingbao_model::{money::Money, msg::Msg, quota::Dimension, view::quota::QuotaRow};
use std::collections::HashMap;

/// What the page shows, a line for each pool and dimension.
pub async fn csv(
    State(pages): State<Pages>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let unit = query.get("unit").cloned().unwrap_or_default();
    let lang = lang_of(&parts);
    let found = in_context(&pages, &parts, || async {
        Ok::<_, ApiError>(quota::view(&cx()?, super::ssr::unit(&unit)?).await?)
    })
    .await;
    let shown = match found {
        Ok(found) => found,
        Err(error) => return csv::refused(lang, &error),
    };
    let own = shown
        .rows
        .iter()
        .map(|row| line(lang, &shown.unit_name, row));
    let below = shown.children.iter().flat_map(|child| {
        child
            .rows
            .iter()
            .map(move |row| line(lang, &child.name, row))
    });
    let lines: String = own.chain(below).collect();
    csv::answer("quota.csv", head(lang), move |_| {
        let lines = lines.clone();
        async move { Ok::<_, ServiceError>((lines, None)) }
    })
}

fn head(lang: Lang) -> String {
    let heads = [
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
    csv::line(heads.map(|key| i18n::msg_in(lang, &Msg::new(key))))
}

fn line(lang: Lang, unit: &str, row: &QuotaRow) -> String {
    let word = |key: String| i18n::msg_in(lang, &Msg::new(key));
    // For computing: without separators, money in yuan.
    let number = |n: i64| match row.dimension {
        Dimension::MonthlyFee => csv::amount(Money::from_fen(n)),
        _ => n.to_string(),
    };
    let standing = row.standing;
    csv::line([
        unit.to_owned(),
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
