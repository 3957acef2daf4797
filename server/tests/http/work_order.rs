//! Work orders by page: what can't be undone asks once more.
use lingbao_core::storage::{request_line, work_order};
use lingbao_model::{
    id::{RequestId, WorkOrderId},
    msg::Label,
    people::Role,
};
use serde_json::json;

use crate::{
    full::{hosts, send, with_limits},
    portal::Portal,
};

/// A work order of a request, for an operator to look at.
async fn ordered(portal: &Portal) -> WorkOrderId {
    for (login, role) in [
        ("reviewer", Role::Reviewer),
        ("clerk", Role::Applicant),
        ("operator", Role::Operator),
    ] {
        portal.account(login, &[role]).await;
    }
    let cell = with_limits(portal, &portal.sign_in("reviewer").await).await;
    let clerk = portal.sign_in("clerk").await;
    let system = json!({ "name": "经济普查平台", "level": "2" });
    let system = send(&clerk, "POST", "/api/v1/systems", &system)
        .await
        .json();
    let order = hosts(&system["id"], &cell, "1");
    let draft = send(&clerk, "POST", "/api/v1/drafts", &order).await.json();
    let request: RequestId = draft["id"].as_str().unwrap().parse().unwrap();

    let cx = portal.app.app.system();
    let id: WorkOrderId = cx.id();
    let mut tx = cx.db().begin().await.unwrap();
    let lines = request_line::of_request(&mut tx, &request).await.unwrap();
    let new = work_order::New {
        id: &id,
        request: &request,
        item: &lines[0].id,
        piece: 0,
        unit: &portal.root,
        title: &Label::new("迁移", "Migration"),
        checklist: &[],
        due_at: cx.now(),
        at: cx.now(),
    };
    work_order::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn giving_a_work_order_up_asks_once_more() {
    let portal = Portal::start().await;
    let id = ordered(&portal).await;
    let operator = portal.sign_in("operator").await;
    let page = operator.get(&format!("/work-orders/{id}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (before, asks) = page.text.split_once("class=\"confirm\"").unwrap();
    assert!(asks.contains("value=\"fail\""), "it can be given up");
    assert!(!before.contains("value=\"fail\""), "and not at one press");
}

#[tokio::test]
async fn an_operator_narrows_the_orders_to_their_own() {
    let portal = Portal::start().await;
    let id = ordered(&portal).await;
    let operator = portal.sign_in("operator").await;
    let mine = async || operator.get("/api/v1/work-orders?mine=true").await.json();
    let shown = async || operator.get("/work-orders?who=me").await.text;
    assert_eq!(mine().await["rows"], json!([]));
    assert!(!shown().await.contains(id.as_str()));
    let path = format!("/api/v1/work-orders/{id}/act");
    let take = json!({ "version": 1, "act": "take" });
    let taken = send(&operator, "POST", &path, &take).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(mine().await["rows"][0]["id"], json!(id));
    assert!(shown().await.contains(id.as_str()));
    let assignee = &taken.json()["assignee"];
    let of = format!(
        "/api/v1/work-orders?assignee={}",
        assignee.as_str().unwrap()
    );
    assert_eq!(operator.get(&of).await.json()["rows"][0]["id"], json!(id));
}
