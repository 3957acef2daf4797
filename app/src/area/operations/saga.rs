//! One fulfilment with its steps; retry, or give up and take back.

use super::{known, saga_look, sagas, when, word};
use crate::{asked, error::ApiError, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    text::REASON_MAX,
    view::operation::{SagaDetail, SagaStepLine},
};

/// One fulfilment.
///
/// # Errors
/// `Forbidden` for others than operators, `NotFound`.
#[server(name = GetSaga, prefix = "/fn", endpoint = "operations/saga", output = crate::json::Json)]
pub async fn saga(id: String) -> Result<SagaDetail, ApiError> {
    Ok(
        lingbao_core::service::operation::saga_detail(&crate::ssr::cx()?, &crate::ssr::id(&id)?)
            .await?,
    )
}

/// The page.
#[component]
pub fn SagaPage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version("jobs");
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| saga(id));
    page_of(found, |found| view! { <Detail found/> }.into_any())
}

#[component]
fn Detail(found: SagaDetail) -> impl IntoView {
    let line = found.line;
    let crumbs = vec![(
        t!("nav.operations").to_owned(),
        routes::OPERATIONS.to_owned(),
    )];
    let title = format!("{} {}", known("saga_kind", &line.kind), line.subject);
    let acts = if found.may_retry {
        view! {
            <form method="post">
                <Button kind=Kind::Main icon="again" name="do" value="retry">{t!("operations.retry")}</Button>
            </form>
        }
        .into_any()
    } else {
        ().into_any()
    };
    let why = line
        .why
        .clone()
        .map(|why| view! { <Banner tone=Tone::Warn>{known("saga_wait", &why)}</Banner> });
    let reason = found
        .reason
        .map(|msg| view! { <Banner>{t!("operations.taken_back")} " " {i18n::msg(&msg)}</Banner> });
    let mut facts: Vec<(Text, AnyView)> = vec![
        (
            t!("operations.since").into(),
            when(line.created_at).into_any(),
        ),
        (
            t!("operations.changed").into(),
            when(line.updated_at).into_any(),
        ),
    ];
    facts.push((t!("operations.things").into(), sagas::things(&line)));
    if let Some(unit) = line.unit_name {
        facts.push((t!("resources.unit").into(), unit.into_any()));
    }
    if let Some(number) = line.request_number {
        let link = view! { <a href=routes::request(&number)>{number.clone()}</a> }.into_any();
        facts.push((t!("resources.request").into(), link));
    }
    facts.push((
        t!("operations.id").into(),
        view! { <span class="mono">{line.id.to_string()}</span> }.into_any(),
    ));
    let discard = found.may_discard.then(|| {
        view! {
            <Panel title=t!("operations.discard") pad=true>
                <form method="post">
                    <p>{t!("operations.discard_note")}</p>
                    <Field name="reason" label=t!("operations.reason") hint=t!("operations.reason_hint")>
                        <TextArea rows=2 maxlength=REASON_MAX required=true/>
                    </Field>
                    <FieldSet name="confirm" legend=t!("operations.discard") hide_legend=true>
                        <Check name="confirm" value="yes">{t!("operations.discard_confirm")}</Check>
                    </FieldSet>
                    <Button kind=Kind::Bad name="do" value="discard">{t!("operations.discard")}</Button>
                </form>
            </Panel>
        }
    });
    let columns = vec![
        col(t!("operations.step")),
        col(t!("resources.state")).class("corner"),
        col(t!("operations.attempt")).class("num"),
        col(t!("operations.why")),
        col(t!("operations.operation")),
        col(t!("operations.times")),
    ];
    view! {
        <PageHead title=title crumbs acts>
            <Chip look=saga_look(line.state) text=word("saga_state", line.state.as_str()) boxed=true/>
        </PageHead>
        <ErrorSummary/>
        {why}
        {reason}
        <div class="gap-6">
            <Panel title=t!("operations.about") pad=true><Facts facts/></Panel>
            <TableBox>
                <Table caption=t!("operations.steps") columns flat=true>
                    {found.steps.into_iter().map(step).collect_view()}
                </Table>
            </TableBox>
            {discard}
        </div>
    }
}

fn step(step: SagaStepLine) -> impl IntoView {
    let look = match step.state.as_str() {
        "done" => Look::Ok,
        "doing" => Look::Run,
        "undoing" => Look::Wait,
        "undone" => Look::Stop,
        "stuck" => Look::Bad,
        "residue" => Look::Act,
        _ => Look::Draft,
    };
    let times = [step.started_at, step.finished_at]
        .into_iter()
        .flatten()
        .map(when)
        .collect::<Vec<_>>()
        .join(" – ");
    let why = step
        .error
        .or(step.waits)
        .map_or_else(|| "—".to_owned(), |why| known("saga_wait", &why));
    view! {
        <Row>
            <RowHead name=known("saga_step", &step.name)/>
            <Cell l=t!("resources.state") class="corner">
                <Chip look text=word("saga_step_state", &step.state)/>
            </Cell>
            <Cell l=t!("operations.attempt") class="num">{step.attempt}</Cell>
            <Cell l=t!("operations.why")>{why}</Cell>
            <Cell l=t!("operations.operation")>
                <span class="mono">{step.operation.unwrap_or_else(|| "—".to_owned())}</span>
            </Cell>
            <Cell l=t!("operations.times")>{times}</Cell>
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
    use lingbao_core::service::operation;
    use lingbao_model::{
        id::SagaId,
        msg::{FieldError, Msg},
    };

    /// Retries, or gives up with a reason.
    ///
    /// # Errors
    /// What the service says; a message at the tick when it is missing.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<SagaId>(form.param("id"))?);
        let said = match form.value("do") {
            "retry" => {
                operation::retry_saga(&cx, &of).await?;
                Msg::new("operations.retried")
            }
            "discard" => {
                if form.value("confirm") != "yes" {
                    return Err(
                        FieldError::new("confirm", Msg::new("operations.unconfirmed")).into(),
                    );
                }
                operation::discard_saga(&cx, &of, form.value("reason")).await?;
                Msg::new("operations.was_discarded")
            }
            _ => return Err(ApiError::not_found().into()),
        };
        Ok(Done::to(routes::saga(of.as_str())).say(said))
    }
}
