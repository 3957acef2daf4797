//! Work orders: what people do for a request.

use super::{order_look, when, word};
use crate::{error::ApiError, facts, live, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::view::{
    operation::{WorkOrderRow, WorkOrderStatus},
    page::Page,
};

/// One page of work orders; without a status those that are not closed.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetWorkOrders, prefix = "/fn", endpoint = "work-orders/list", output = crate::json::Json)]
pub async fn work_orders(status: String, after: String) -> Result<Page<WorkOrderRow>, ApiError> {
    let filter = lingbao_model::view::operation::WorkOrderFilter {
        status: status.parse().ok(),
        cursor: Some(after).filter(|after| !after.is_empty()),
        ..Default::default()
    };
    Ok(lingbao_core::service::operation::work_orders(&crate::ssr::cx()?, &filter).await?)
}

/// The page.
#[component]
pub fn Orders() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            (
                query.get("status").unwrap_or_default(),
                query.get("after").unwrap_or_default(),
            )
        })
    });
    let version = live::version("jobs");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |((status, after), _)| work_orders(status, after),
    );
    view! {
        <PageHead title=t!("nav.work_orders") fact=t!("work_orders.fact")/>
        {list_of(asked, list, |page, (status, after)| view! { <List page status first=after.is_empty()/> }.into_any())}
    }
}

#[component]
fn List(page: Page<WorkOrderRow>, status: String, first: bool) -> impl IntoView {
    let link = |status: &str, after: &str| {
        routes::with_query(routes::WORK_ORDERS, &[("status", status), ("after", after)])
    };
    let tab = |code: &str, text: String| Tab {
        href: link(code, ""),
        text,
        count: None,
        current: status == code,
    };
    let mut tabs = vec![tab("", t!("work_orders.not_closed").to_owned())];
    tabs.extend(
        WorkOrderStatus::ALL
            .iter()
            .map(|one| tab(one.as_str(), word("work_order_status", one.as_str()))),
    );
    let back = (!first).then(|| link(&status, ""));
    let next = page.next.as_deref().map(|after| link(&status, after));
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
            {body}
            <Pager total=page.total nostrip:first=back nostrip:next=next/>
        </TableBox>
    }
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
