//! One work order: take it, tick its parts, finish it or give it up.

use super::{order_look, when, word};
use crate::{asked, error::ApiError, facts, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    text::REASON_MAX,
    view::operation::{WorkOrderDetail, WorkOrderRow, WorkOrderStatus},
};

/// One work order.
///
/// # Errors
/// `Forbidden` for others than operators, `NotFound`.
#[server(name = GetWorkOrder, prefix = "/fn", endpoint = "work-orders/one", output = crate::json::Json)]
pub async fn work_order(id: String) -> Result<WorkOrderDetail, ApiError> {
    Ok(lingbao_core::service::operation::work_order_detail(
        &crate::ssr::cx()?,
        &crate::ssr::id(&id)?,
    )
    .await?)
}

/// The page. It does not follow changes by itself: that would take away what is being typed. Who
/// was slower learns it from the answer to the post.
#[component]
pub fn OrderPage() -> impl IntoView {
    let id = asked::param("id");
    let found = Resource::new(move || id.get(), work_order);
    page_of(found, |found| view! { <Detail found/> }.into_any())
}

#[component]
fn Detail(found: WorkOrderDetail) -> impl IntoView {
    let wanted = wanted(&found);
    let found = found.order;
    let crumbs = vec![(
        t!("nav.work_orders").to_owned(),
        routes::WORK_ORDERS.to_owned(),
    )];
    let title = facts::label(&found.title);
    let number = found.request_number.clone();
    let mut about: Vec<(Text, AnyView)> = vec![
        (
            t!("resources.request").into(),
            view! { <a href=routes::request(&number)>{number.clone()}</a> }.into_any(),
        ),
        (
            t!("resources.unit").into(),
            found.unit_name.clone().into_any(),
        ),
        (
            t!("work_orders.who").into(),
            found
                .assignee_name
                .clone()
                .unwrap_or_else(|| t!("work_orders.nobody").to_owned())
                .into_any(),
        ),
        (t!("work_orders.due").into(), when(found.due_at).into_any()),
        (
            t!("operations.since").into(),
            when(found.created_at).into_any(),
        ),
    ];
    if let Some(at) = found.closed_at {
        about.push((t!("work_orders.closed_at").into(), when(at).into_any()));
    }
    let closed = matches!(
        found.status,
        WorkOrderStatus::Done | WorkOrderStatus::Failed
    );
    let body = if closed { was(&found) } else { form(&found) };
    let stale = crate::form::use_form()
        .problem
        .is_some_and(|problem| problem.code == crate::error::ErrorCode::Conflict)
        .then(|| {
            let who = found.assignee_name.clone().unwrap_or_else(|| t!("work_orders.nobody").to_owned());
            let state = word("work_order_status", found.status.as_str());
            view! { <Banner tone=Tone::Warn>{t!("work_orders.faster", who = who, state = state)}</Banner> }
        });
    view! {
        <PageHead title=title crumbs narrow=true>
            <Chip look=order_look(found.status) text=word("work_order_status", found.status.as_str()) boxed=true/>
        </PageHead>
        <ErrorSummary/>
        {stale}
        <div class="gap-6 narrow">
            <Panel title=t!("work_orders.wanted") pad=true><Facts facts=wanted/></Panel>
            <Panel title=t!("operations.about") pad=true><Facts facts=about/></Panel>
            {body}
        </div>
    }
}

/// What the applicant asked for, why, and whom to call.
fn wanted(found: &WorkOrderDetail) -> Vec<(Text, AnyView)> {
    let mut all: Vec<(Text, AnyView)> = found
        .facts
        .iter()
        .map(|fact| {
            (
                facts::label(&fact.label).into(),
                facts::value(fact).into_any(),
            )
        })
        .collect();
    let who = format!("{} {}", found.applicant_name, found.applicant_phone);
    all.push((t!("requests.count").into(), found.count.into_any()));
    all.push((
        t!("requests.reason").into(),
        found.reason.clone().into_any(),
    ));
    all.push((t!("work_orders.contact").into(), who.into_any()));
    all
}

/// A closed one: what was done and said.
fn was(found: &WorkOrderRow) -> AnyView {
    let parts = found
        .checklist
        .iter()
        .map(|part| {
            let (look, text) = if part.done {
                (Look::Ok, t!("work_orders.part_done"))
            } else {
                (Look::Draft, t!("work_orders.part_open"))
            };
            view! { <li>{facts::label(&part.label)} " " <Chip look text/></li> }
        })
        .collect_view();
    let note =
        (!found.note.is_empty()).then(|| view! { <p class="panel-pad">{found.note.clone()}</p> });
    view! {
        <Panel title=t!("work_orders.parts")>
            <ul class="rows rows-s">{parts}</ul>
            {note}
        </Panel>
    }
    .into_any()
}

/// An open one: one form, whose buttons say what is done with what was ticked and typed.
fn form(found: &WorkOrderRow) -> AnyView {
    // After a refusal for being slower, the version must be the one now shown.
    let version = found.version.to_string();
    let parts = found
        .checklist
        .iter()
        .enumerate()
        .map(|(i, part)| {
            let (text, done) = (facts::label(&part.label), part.done);
            view! {
                <div id=field_id(&format!("check{i}"))>
                    <Check name="part" value=i.to_string() checked=done>{text}</Check>
                </div>
            }
        })
        .collect_view();
    let note = found.note.clone();
    let open = found.status == WorkOrderStatus::Open;
    let take = if open {
        t!("work_orders.take")
    } else {
        t!("work_orders.take_over")
    };
    view! {
        <Panel title=t!("work_orders.parts") pad=true>
            <form method="post">
                <input type="hidden" name="version" value=version/>
                <FieldSet name="parts" legend=t!("work_orders.parts") hide_legend=true>{parts}</FieldSet>
                <Field name="note" label=t!("work_orders.note") hint=t!("work_orders.note_hint") optional=true>
                    <TextArea rows=3 value=note maxlength=REASON_MAX/>
                </Field>
                <div class="acts acts-gap">
                    <Button kind=Kind::Main icon="tick" name="do" value="finish">{t!("work_orders.finish")}</Button>
                    <Button icon="save" name="do" value="tick">{t!("work_orders.save")}</Button>
                    <Button icon="user" name="do" value="take">{take}</Button>
                    <Confirm act=t!("work_orders.fail") note=t!("work_orders.fail_note") value="fail"/>
                </div>
            </form>
        </Panel>
    }
    .into_any()
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::operation::{self, WorkOrderAct};
    use lingbao_model::{id::WorkOrderId, msg::Msg};

    /// Takes, ticks, finishes or gives up. Finishing saves the ticks first, so that one button is
    /// enough.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<WorkOrderId>(form.param("id"))?);
        // A version that is none is nobody's version: the service answers that somebody was faster.
        let version = form.value("version").parse().unwrap_or(-1);
        let note = form.value("note").to_owned();
        let tick = WorkOrderAct::Tick {
            done: form
                .all("part")
                .filter_map(|part| part.parse().ok())
                .collect(),
            note: note.clone(),
        };
        let said = match form.value("do") {
            "take" => {
                operation::act_on_work_order(&cx, &of, version, &WorkOrderAct::Take).await?;
                Msg::new("work_orders.taken")
            }
            "tick" => {
                operation::act_on_work_order(&cx, &of, version, &tick).await?;
                Msg::new("work_orders.saved")
            }
            "finish" => {
                let saved = operation::act_on_work_order(&cx, &of, version, &tick).await?;
                operation::act_on_work_order(
                    &cx,
                    &of,
                    saved.version,
                    &WorkOrderAct::Finish { note },
                )
                .await?;
                Msg::new("work_orders.finished")
            }
            "fail" => {
                operation::act_on_work_order(&cx, &of, version, &WorkOrderAct::Fail { note })
                    .await?;
                Msg::new("work_orders.failed")
            }
            _ => return Err(ApiError::not_found().into()),
        };
        Ok(Done::to(routes::work_order(of.as_str())).say(said))
    }
}
