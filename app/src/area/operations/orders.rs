//! Work orders: what people do for a request.

use super::{order_look, when, word};
use crate::{asked, error::ApiError, facts, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::{
    operation::{WorkOrderRow, WorkOrderStatus},
    page::Page,
};

asked!(status, who, after);

/// In the place of a person: whoever reads.
const ME: &str = "me";

/// One page of work orders; without a status those that are not closed.
///
/// # Errors
/// `Forbidden` for others than operators, `NotFound` for a person who is none.
#[server(name = GetWorkOrders, prefix = "/fn", endpoint = "work-orders/list", output = crate::json::Json)]
pub async fn work_orders(asked: Asked) -> Result<Page<WorkOrderRow>, ApiError> {
    let (mine, given) = (asked.who == ME, !asked.who.is_empty());
    let filter = lingbao_model::view::operation::WorkOrderFilter {
        status: asked.status.parse().ok(),
        assignee: (given && !mine)
            .then(|| crate::ssr::id(&asked.who))
            .transpose()?,
        mine,
        cursor: Some(asked.after).filter(|after| !after.is_empty()),
        limit: None,
    };
    Ok(lingbao_core::service::operation::work_orders(&crate::ssr::cx()?, &filter).await?)
}

/// The page.
#[component]
pub fn Orders() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let version = live::version("jobs");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| work_orders(asked),
    );
    view! {
        <PageHead title=t!("nav.work_orders") fact=t!("work_orders.fact")/>
        {list_of(asked, list, |page, asked| view! { <List page asked/> }.into_any())}
    }
}

#[component]
fn List(page: Page<WorkOrderRow>, asked: Asked) -> impl IntoView {
    let tab = |code: &str, text: String| Tab {
        href: Asked {
            status: code.to_owned(),
            ..asked.clone()
        }
        .link(routes::WORK_ORDERS, ""),
        text,
        count: None,
        current: asked.status == code,
    };
    let mut tabs = vec![tab("", t!("work_orders.not_closed").to_owned())];
    tabs.extend(
        WorkOrderStatus::ALL
            .iter()
            .map(|one| tab(one.as_str(), word("work_order_status", one.as_str()))),
    );
    let back = (!asked.after.is_empty()).then(|| asked.link(routes::WORK_ORDERS, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::WORK_ORDERS, after));
    let people = people(&page.rows, &asked.who);
    let active = asked.active();
    let Asked { status, who, .. } = asked;
    let columns = vec![
        col(t!("work_orders.title")),
        col(t!("resources.request")),
        col(t!("work_orders.who")),
        col(t!("work_orders.parts")).class("num half"),
        col(t!("work_orders.due")).class("half"),
        col(t!("resources.state")).class("corner"),
    ];
    let body = if page.rows.is_empty() {
        view! { <Empty icon="clip" title=t!("work_orders.none") note=t!("work_orders.none_note")/> }
            .into_any()
    } else {
        view! {
            <Table caption=t!("nav.work_orders") columns flat=true>
                {page.rows.into_iter().map(row).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        <Tabs label=t!("nav.work_orders") tabs/>
        <TableBox>
            <FilterBar action=routes::WORK_ORDERS active=active>
                {(!status.is_empty()).then(|| view! { <input type="hidden" name="status" value=status/> })}
                <FilterSelect name="who" label=t!("work_orders.who") options=people value=who/>
            </FilterBar>
            {body}
            <Pager total=page.total nostrip:first=back nostrip:next=next/>
        </TableBox>
    }
}

/// Whose orders may be chosen: everybody's, one's own, those of the colleagues on this page.
fn people(rows: &[WorkOrderRow], who: &str) -> Vec<Opt> {
    let me = crate::viewer::use_viewer().map(|viewer| viewer.name);
    let mut people = vec![(String::new(), t!("ui.all").to_owned())];
    people.extend(me.clone().map(|name| (ME.to_owned(), name)));
    for row in rows {
        if let (Some(id), Some(name)) = (&row.assignee, &row.assignee_name)
            && me.as_ref() != Some(name)
            && people.iter().all(|(known, _)| known != id.as_str())
        {
            people.push((id.to_string(), name.clone()));
        }
    }
    // Somebody who has none is still the one who was chosen.
    if people.iter().all(|(known, _)| known != who) {
        people.push((who.to_owned(), who.to_owned()));
    }
    people
}

fn row(order: WorkOrderRow) -> impl IntoView {
    let done = order.checklist.iter().filter(|part| part.done).count();
    let parts = format!("{done}/{}", order.checklist.len());
    let number = order.request_number;
    view! {
        <Row>
            <RowHead name=facts::label(&order.title) href=routes::work_order(order.id.as_str()) sub=order.unit_name/>
            <Cell l=t!("resources.request")><a href=routes::request(&number)>{number.clone()}</a></Cell>
            <Cell l=t!("work_orders.who")>{order.assignee_name.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("work_orders.parts") class="num half">{parts}</Cell>
            <Cell l=t!("work_orders.due") class="half">{when(order.due_at)}</Cell>
            <Cell l=t!("resources.state") class="corner">
                <Chip look=order_look(order.status) text=word("work_order_status", order.status.as_str())/>
            </Cell>
        </Row>
    }
}
