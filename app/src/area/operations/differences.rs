//! Where the portal and the clouds differ: the list, and the same list as a file.

use super::{rules, when, word};
use crate::{
    error::ApiError,
    live, routes, t,
    ui::{Total, *},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    access_rule,
    money::{Money, grouped_signed},
    view::difference::{
        Aspect, DifferenceCount, DifferenceKind, DifferenceRow, DifferencesView, RoundLine, Said,
        ThingKind,
    },
};
use serde::{Deserialize, Serialize};

/// Path of the file.
pub const CSV: &str = "/operations/differences.csv";

/// What stands in the URL of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    kind: String,
    backend: String,
    past: String,
    after: String,
}

impl Asked {
    fn link(&self, path: &str, after: &str) -> String {
        let query = [
            ("kind", self.kind.as_str()),
            ("backend", self.backend.as_str()),
            ("past", self.past.as_str()),
            ("after", after),
        ];
        routes::with_query(path, &query)
    }

    fn active(&self) -> bool {
        [&self.kind, &self.backend, &self.past]
            .iter()
            .any(|text| !text.is_empty())
    }
}

/// One page of differences with the counts of all.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetDifferences, prefix = "/fn", endpoint = "operations/differences", output = crate::json::Json)]
pub async fn differences(asked: Asked) -> Result<DifferencesView, ApiError> {
    let filter = ssr::filter(asked);
    Ok(lingbao_core::service::difference::list(&crate::ssr::cx()?, &filter).await?)
}

/// The page.
#[component]
pub fn Differences() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            let of = |name: &str| query.get(name).unwrap_or_default();
            Asked {
                kind: of("kind"),
                backend: of("backend"),
                past: of("past"),
                after: of("after"),
            }
        })
    });
    let version = live::version("jobs");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| differences(asked),
    );
    list_of(asked, list, |view, asked| {
        view! { <List view asked/> }.into_any()
    })
}

#[component]
fn List(view: DifferencesView, asked: Asked) -> impl IntoView {
    let DifferencesView {
        page,
        counts,
        rounds,
        stuck_tasks,
    } = view;
    let crumbs = vec![(
        t!("nav.operations").to_owned(),
        routes::OPERATIONS.to_owned(),
    )];
    let first = (!asked.after.is_empty()).then(|| asked.link(routes::DIFFERENCES, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::DIFFERENCES, after));
    let total = match page.total {
        lingbao_model::view::page::Total::Exact(n) => Total::Exact(n),
        lingbao_model::view::page::Total::MoreThan(_) => Total::Many,
    };
    let (active, empty) = (asked.active(), page.rows.is_empty());
    let file = asked.link(CSV, "");
    let acts = view! {
        {(!empty).then(|| view! { <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton> })}
        <LinkButton href=routes::CLOUDS icon="host">{t!("clouds.title")}</LinkButton>
        <LinkButton href=routes::IMPORT>{t!("import.title")}</LinkButton>
        <form method="post">
            <Button kind=Kind::Main icon="again" name="do" value="compare">{t!("difference.compare")}</Button>
        </form>
    }
    .into_any();
    let tasks = (stuck_tasks > 0).then(|| {
        let href = routes::with_query(routes::OPERATIONS, &[("state", "stuck")]);
        view! {
            <Banner tone=Tone::Warn>
                <a href=href>{t!("difference.tasks", n = stuck_tasks)}</a>
            </Banner>
        }
    });
    let backends: Vec<Opt> = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            rounds
                .iter()
                .map(|round| (round.backend.clone(), round.backend.clone())),
        )
        .collect();
    let kinds: Vec<Opt> = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            DifferenceKind::ALL
                .iter()
                .map(|kind| (kind.to_string(), word("difference.kind", kind.as_str()))),
        )
        .collect();
    let times: Vec<Opt> = vec![
        (String::new(), t!("difference.standing").to_owned()),
        ("yes".to_owned(), t!("difference.past").to_owned()),
    ];
    let body = match (empty, active) {
        (true, true) => view! {
            <Empty icon="search" title=t!("difference.none_found") note=t!("resources.none_found_note")/>
        }
        .into_any(),
        (true, false) => nothing(&rounds),
        _ => view! { <Rows rows=page.rows past={!asked.past.is_empty()}/> }.into_any(),
    };
    view! {
        <PageHead title=t!("difference.title") crumbs fact=t!("difference.fact") acts/>
        <ErrorSummary/>
        <Tiles>{counts.into_iter().map(tile).collect_view()}</Tiles>
        {tasks}
        {rounds.iter().map(round).collect_view()}
        <TableBox>
            <FilterBar action=routes::DIFFERENCES active=active>
                <FilterSelect name="kind" label=t!("difference.way") options=kinds value=asked.kind.clone()/>
                <FilterSelect name="backend" label=t!("clouds.name") options=backends value=asked.backend.clone()/>
                <FilterSelect name="past" label=t!("resources.state") options=times value=asked.past.clone()/>
            </FilterBar>
            {body}
            <Pager total nostrip:first=first nostrip:next=next/>
        </TableBox>
    }
}

/// The count of a kind, with what it costs a month.
fn tile(count: DifferenceCount) -> AnyView {
    let DifferenceCount { kind, count, month } = count;
    let note =
        (month != Money::ZERO).then(|| t!("difference.at_stake", n = month.yuan()).into_any());
    let href = routes::with_query(routes::DIFFERENCES, &[("kind", kind.as_str())]);
    view! {
        <Tile
            label=word("difference.kind", kind.as_str())
            value=grouped_signed(count)
            href=href
            nostrip:note=note
            warn={count > 0 && kind == DifferenceKind::Missing}
        />
    }
    .into_any()
}

/// How the last round over a backend ended.
fn round(line: &RoundLine) -> AnyView {
    let backend = line.backend.clone();
    let compared = line
        .compared_at
        .map_or_else(|| t!("clouds.never").to_owned(), when);
    if line.error.is_none() {
        let n = grouped_signed(line.things);
        let text = t!(
            "difference.compared",
            backend = backend,
            at = compared,
            n = n
        );
        view! { <p class="sub between">{text}</p> }.into_any()
    } else {
        let tried = when(line.tried_at);
        let text = t!(
            "difference.broke_off",
            backend = backend,
            tried = tried,
            at = compared
        );
        view! { <Banner tone=Tone::Warn>{text}</Banner> }.into_any()
    }
}

fn nothing(rounds: &[RoundLine]) -> AnyView {
    match rounds.iter().filter_map(|round| round.compared_at).min() {
        Some(at) => view! {
            <Empty icon="tick" title=t!("difference.none") note=t!("difference.none_note", at = when(at))/>
        }
        .into_any(),
        None => view! {
            <Empty icon="host" title=t!("difference.uncompared") note=t!("difference.uncompared_note")/>
        }
        .into_any(),
    }
}

#[component]
fn Rows(rows: Vec<DifferenceRow>, past: bool) -> impl IntoView {
    let last = if past {
        t!("difference.ended")
    } else {
        t!("clouds.last_seen")
    };
    let columns = vec![
        col(t!("clouds.thing")),
        col(t!("difference.what")),
        col(t!("resources.unit")),
        col(t!("resources.month_yuan")).class("num"),
        col(t!("clouds.first_seen")),
        col(last),
        col(t!("difference.way")).class("corner"),
    ];
    view! {
        <Table caption=t!("difference.title") columns flat=true>
            {rows.into_iter().map(move |line| row(line, last)).collect_view()}
        </Table>
    }
}

fn row(line: DifferenceRow, last: &'static str) -> impl IntoView {
    let sub = format!(
        "{} · {} · {}",
        super::known("foreign_kind", line.thing.as_str()),
        line.backend,
        line.external_id
    );
    let href = routes::difference(line.id.as_str());
    let name = line.typed().to_owned();
    let what = summary(&line);
    let noted = (!line.note.is_empty()).then(|| {
        let text = t!("difference.noted", note = line.note.clone());
        view! { <span class="sub">{text}</span> }
    });
    let ended = match (line.closed_at, line.closing) {
        (Some(at), Some(how)) => {
            format!("{} {}", when(at), word("difference.closing", how.as_str()))
        }
        _ => when(line.last_seen),
    };
    let over = line.closed_at.is_some() || !line.note.is_empty();
    view! {
        <Row>
            <RowHead name href=href sub=sub/>
            <Cell l=t!("difference.what")>{what}{noted}</Cell>
            <Cell l=t!("resources.unit")>{line.unit_name.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("resources.month_yuan") class="num">{price(line.kind, line.month)}</Cell>
            <Cell l=t!("clouds.first_seen")>{when(line.first_seen)}</Cell>
            <Cell l=last>{ended}</Cell>
            <Cell l=t!("difference.way") class="corner">{chip(line.kind, over)}</Cell>
        </Row>
    }
}

/// The kind as a state.
pub fn chip(kind: DifferenceKind, over: bool) -> AnyView {
    let look = match kind {
        _ if over => Look::Stop,
        DifferenceKind::Missing => Look::Bad,
        DifferenceKind::Changed => Look::Act,
        DifferenceKind::Stuck => Look::Wait,
        DifferenceKind::Foreign => Look::Pause,
        DifferenceKind::Double => Look::Act,
    };
    view! { <Chip look text=word("difference.kind", kind.as_str())/> }.into_any()
}

/// What is at stake; nothing is charged for what is nobody's, or for who comes in.
pub fn price(kind: DifferenceKind, month: Money) -> String {
    let nobodys = matches!(kind, DifferenceKind::Foreign | DifferenceKind::Double);
    if nobodys || month == Money::ZERO {
        "—".to_owned()
    } else {
        month.yuan()
    }
}

/// What one side says of an aspect, in words.
pub fn value(aspect: Aspect, said: Option<&str>) -> String {
    let Some(said) = said else {
        return match aspect {
            Aspect::Target => t!("difference.nowhere").to_owned(),
            Aspect::Rules => t!("difference.no_rules").to_owned(),
            _ => "—".to_owned(),
        };
    };
    match aspect {
        Aspect::Power => word("difference.power", said),
        Aspect::State => word("difference.state", said),
        Aspect::Vcpus => match said.parse::<i64>() {
            Ok(n) => t!("quantity.core", n = n),
            Err(_) => said.to_owned(),
        },
        Aspect::Memory | Aspect::Size => format!("{said} GB"),
        Aspect::Class | Aspect::Name | Aspect::Target | Aspect::Address => said.to_owned(),
        Aspect::Parts => {
            let parts = said.split(", ");
            let named: Vec<String> = parts.map(|part| word("difference.part", part)).collect();
            named.join(t!("ui.comma"))
        }
        Aspect::Rules => rules::rules(access_rule::each_of(said)),
        Aspect::Schedule => match said.split_once('/') {
            Some((hours, days)) => t!("difference.schedule", hours = hours, days = days),
            None => said.to_owned(),
        },
    }
}

/// What differs in one line.
fn summary(line: &DifferenceRow) -> String {
    match line.kind {
        DifferenceKind::Missing if line.thing == ThingKind::Network => {
            t!("difference.network_lacks").to_owned()
        }
        DifferenceKind::Missing => t!("difference.is_missing").to_owned(),
        DifferenceKind::Foreign => t!("difference.is_foreign").to_owned(),
        DifferenceKind::Double => t!("difference.is_double").to_owned(),
        DifferenceKind::Stuck => line
            .said
            .iter()
            .find(|said| matches!(said.aspect, Aspect::Power | Aspect::State))
            .map(|said| value(said.aspect, said.cloud.as_deref()))
            .unwrap_or_default(),
        DifferenceKind::Changed => line
            .said
            .iter()
            .filter(|said| said.differs())
            .map(|said: &Said| {
                if said.aspect == Aspect::Rules {
                    return rules::summary(said);
                }
                let name = word("difference.aspect", said.aspect.as_str());
                let [ours, cloud] =
                    [&said.ours, &said.cloud].map(|side| value(said.aspect, side.as_deref()));
                format!("{name} {ours} → {cloud}")
            })
            .collect::<Vec<_>>()
            .join(" · "),
    }
}

/// The server's side of the list.
pub mod ssr {
    use super::Asked;
    use crate::{
        csv,
        error::ApiError,
        form::ssr::{Done, Pages, Posted, Refused, in_context, lang_of},
        i18n::{self, Lang},
        routes,
        ssr::cx,
    };
    use axum::{
        extract::{Query, Request, State},
        response::Response,
    };
    use lingbao_core::service::difference;
    use lingbao_model::{
        msg::Msg,
        time::Zone,
        view::difference::{DifferenceFilter, DifferenceRow, Said},
    };

    /// The filter of the service. A word that is none filters nothing.
    pub fn filter(asked: Asked) -> DifferenceFilter {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        DifferenceFilter {
            kind: asked.kind.parse().ok(),
            backend: some(asked.backend),
            past: !asked.past.is_empty(),
            cursor: some(asked.after),
            limit: None,
        }
    }

    /// Asks for a round now.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        if form.value("do") != "compare" {
            return Err(ApiError::not_found().into());
        }
        difference::compare(&cx()?).await?;
        Ok(Done::to(routes::DIFFERENCES).say(Msg::new("difference.comparing")))
    }

    /// The filtered list as a file.
    pub async fn csv(
        State(pages): State<Pages>,
        Query(asked): Query<Asked>,
        request: Request,
    ) -> Response {
        let (parts, _) = request.into_parts();
        let lang = lang_of(&parts);
        let found = in_context(&pages, &parts, || async {
            let cx = cx()?;
            let filter = filter(asked);
            // Asked once before the answer begins, so that a refusal has its status.
            difference::export(&cx, &filter).await?;
            Ok::<_, ApiError>((cx, filter))
        })
        .await;
        let (cx, filter) = match found {
            Ok(found) => found,
            Err(error) => return csv::refused(lang, &error),
        };
        csv::answer("differences.csv", head(lang), move |from| {
            let (cx, mut filter) = (cx.clone(), filter.clone());
            async move {
                filter.cursor = from;
                let (rows, next) = difference::export(&cx, &filter).await?;
                Ok::<_, lingbao_core::error::ServiceError>((
                    rows.iter().map(|row| line(lang, row)).collect(),
                    next,
                ))
            }
        })
    }

    fn head(lang: Lang) -> String {
        let heads = [
            "resources.name",
            "clouds.kind",
            "difference.way",
            "clouds.name",
            "difference.external",
            "resources.unit",
            "resources.system",
            "difference.ours",
            "difference.cloud",
            "resources.month_yuan",
            "clouds.first_seen",
            "clouds.last_seen",
            "difference.ended",
            "difference.note",
        ];
        csv::line(heads.map(|key| i18n::msg_in(lang, &Msg::new(key))))
    }

    fn line(lang: Lang, row: &DifferenceRow) -> String {
        let word = |list: &str, code: &str| i18n::msg_in(lang, &Msg::new(format!("{list}.{code}")));
        let moment = |at: lingbao_model::time::Timestamp| at.minute_text(Zone::SHANGHAI);
        let side = |of: fn(&Said) -> &Option<String>| {
            row.said
                .iter()
                .filter_map(|said| {
                    let name = word("difference.aspect", said.aspect.as_str());
                    // Between rules stands what stands between aspects.
                    of(said)
                        .as_ref()
                        .map(|value| format!("{name} {}", value.replace("; ", ", ")))
                })
                .collect::<Vec<_>>()
                .join("; ")
        };
        csv::line([
            row.name.clone(),
            word("foreign_kind", row.thing.as_str()),
            word("difference.kind", row.kind.as_str()),
            row.backend.clone(),
            row.external_id.clone(),
            row.unit_name.clone().unwrap_or_default(),
            row.system_name.clone().unwrap_or_default(),
            side(|said| &said.ours),
            side(|said| &said.cloud),
            csv::amount(row.month),
            moment(row.first_seen),
            moment(row.last_seen),
            row.closed_at.map(moment).unwrap_or_default(),
            row.note.clone(),
        ])
    }
}
