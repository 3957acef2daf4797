//! Background jobs: what failed too often, once more or no more.

use super::{known, sagas, when, word};
use crate::{asked, error::ApiError, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::{
    operation::{JOB_KINDS, JobLine, JobState},
    page::Page,
};

asked!(state, kind, request, after);

/// One page of jobs; without a state the stuck ones, of one request all.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetJobs, prefix = "/fn", endpoint = "operations/jobs", output = crate::json::Json)]
pub async fn jobs(asked: Asked) -> Result<Page<JobLine>, ApiError> {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = lingbao_model::view::operation::JobFilter {
        state: asked.state.parse().ok(),
        kind: given(&asked.kind),
        request: given(&asked.request).map(|number| number.to_uppercase()),
        cursor: given(&asked.after),
        limit: None,
    };
    Ok(lingbao_core::service::job::list(&crate::ssr::cx()?, &filter).await?)
}

/// The page.
#[component]
pub fn Jobs() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let version = live::version("jobs");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| jobs(asked),
    );
    let crumbs = vec![(
        t!("nav.operations").to_owned(),
        routes::OPERATIONS.to_owned(),
    )];
    view! {
        <PageHead title=t!("jobs.title") crumbs fact=t!("jobs.fact")/>
        <ErrorSummary/>
        {list_of(asked, list, |page, asked| view! { <List page asked/> }.into_any())}
    }
}

#[component]
fn List(page: Page<JobLine>, asked: Asked) -> impl IntoView {
    // Of one request all states are shown together.
    let of_one = !asked.request.is_empty();
    let shown = match asked.state.parse::<JobState>() {
        Ok(state) => Some(state),
        Err(_) => (!of_one).then_some(JobState::Stuck),
    };
    let tab = |state: Option<JobState>, text: String| Tab {
        href: Asked {
            state: state.map(|one| one.to_string()).unwrap_or_default(),
            ..asked.clone()
        }
        .link(routes::JOBS, ""),
        text,
        count: None,
        current: shown == state,
    };
    let mut tabs: Vec<Tab> = of_one
        .then(|| tab(None, t!("ui.all").to_owned()))
        .into_iter()
        .collect();
    tabs.extend(
        JobState::ALL
            .iter()
            .map(|one| tab(Some(*one), word("job_state", one.as_str()))),
    );
    let back = (!asked.after.is_empty()).then(|| asked.link(routes::JOBS, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::JOBS, after));
    let kinds = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            JOB_KINDS
                .iter()
                .map(|kind| ((*kind).to_owned(), known("job_kind", kind))),
        )
        .collect();
    let active = asked.active();
    let Asked {
        state,
        kind,
        request,
        ..
    } = asked;
    let columns = vec![
        col(t!("jobs.what")),
        col(t!("operations.things")),
        col(t!("resources.request")),
        col(t!("operations.why")),
        col(t!("operations.attempt")).class("num"),
        col(t!("operations.since")),
        col(t!("jobs.run_at")),
        col(t!("jobs.acts")).hidden(),
    ];
    let body = if page.rows.is_empty() {
        view! { <Empty icon="tool" title=t!("jobs.none") note=t!("operations.none_note")/> }
            .into_any()
    } else {
        view! {
            <Table caption=t!("jobs.title") columns flat=true>
                {page.rows.into_iter().map(row).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        <Tabs label=t!("jobs.title") tabs/>
        <TableBox>
            <FilterBar action=routes::JOBS active=active>
                {(!state.is_empty()).then(|| view! { <input type="hidden" name="state" value=state/> })}
                <Find name="request" label=t!("requests.number") value=request/>
                <FilterSelect name="kind" label=t!("jobs.what") options=kinds value=kind/>
            </FilterBar>
            {body}
            <Pager total=page.total nostrip:first=back nostrip:next=next/>
        </TableBox>
    }
}

/// What a job is about: the values of its payload, without the braces and names of the program.
fn about(payload: &str) -> String {
    let Ok(serde_json::Value::Object(all)) = serde_json::from_str(payload) else {
        return payload.to_owned();
    };
    let plain = |value: &serde_json::Value| match value.as_str() {
        Some(text) => Some(text.to_owned()),
        None => value.as_i64().map(|n| n.to_string()),
    };
    let values: Vec<String> = all.values().filter_map(plain).collect();
    if values.len() < all.len() {
        return payload.to_owned();
    }
    values.join(" · ")
}

fn row(line: JobLine) -> impl IntoView {
    let id = line.id.to_string();
    let acts = line.may_act.then(|| {
        view! {
            <form method="post" class="acts">
                <input type="hidden" name="job" value=id/>
                <Button size=Size::Small name="do" value="retry">{t!("operations.retry")}</Button>
                <Fold summary=t!("jobs.discard")>
                    <p>{t!("jobs.discard_note")}</p>
                    <Button size=Size::Small kind=Kind::Bad name="do" value="discard">{t!("jobs.discard_confirm")}</Button>
                </Fold>
            </form>
        }
    });
    // The task that a job drives says it better than the job's own parameters.
    let (about, works_on) = match &line.saga {
        Some(saga) => {
            let name = format!("{} {}", known("saga_kind", &saga.kind), saga.subject);
            let href = routes::saga(saga.id.as_str());
            let task = view! { <a href=href>{name}</a> };
            let works_on = view! { {task} {sagas::things(saga)} }.into_any();
            (line.unit_name.unwrap_or_default(), works_on)
        }
        None => match line.unit_name {
            Some(unit) => (unit, "—".into_any()),
            None => (about(&line.payload), "—".into_any()),
        },
    };
    let request = sagas::request_link(line.request_number);
    let run_at = line.run_at.map_or_else(|| "—".to_owned(), when);
    let attempts = format!("{}/{}", line.attempt, line.max_attempts);
    view! {
        <Row>
            <RowHead name=known("job_kind", &line.kind) sub=about/>
            <Cell l=t!("operations.things")>{works_on}</Cell>
            <Cell l=t!("resources.request")>{request}</Cell>
            // An error is what the program said, in its own language.
            <Cell l=t!("operations.why")>{line.why.map_or_else(|| "—".into_any(), |why| view! { <span lang="en">{why}</span> }.into_any())}</Cell>
            <Cell l=t!("operations.attempt") class="num">{attempts}</Cell>
            <Cell l=t!("operations.since")>{when(line.created_at)}</Cell>
            <Cell l=t!("jobs.run_at")>{run_at}</Cell>
            <Cell l="">{acts}</Cell>
        </Row>
    }
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::job;
    use lingbao_model::{id::JobId, msg::Msg};

    /// Retries a job or gives it up.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<JobId>(form.value("job"))?);
        let said = match form.value("do") {
            "retry" => {
                job::retry(&cx, &of).await?;
                Msg::new("operations.retried")
            }
            "discard" => {
                job::discard(&cx, &of).await?;
                Msg::new("jobs.was_discarded")
            }
            _ => return Err(ApiError::not_found().into()),
        };
        Ok(Done::to(routes::JOBS).say(said))
    }
}
