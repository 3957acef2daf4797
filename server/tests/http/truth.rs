//! Where the portal and the clouds differ: pages, file and programming interface.
use lingbao_core::storage::difference::{self, About, Found};
use lingbao_model::{
    id::DifferenceId,
    money::Money,
    people::Role,
    view::{
        difference::{Aspect, DifferenceKind, Said, ThingKind},
        people::TokenScope,
    },
};
use serde_json::json;

use crate::portal::Portal;

/// What a round would have written.
async fn found(portal: &Portal, kind: DifferenceKind, name: &str, said: &[Said]) -> DifferenceId {
    found_of(portal, kind, ThingKind::Server, name, said).await
}

async fn found_of(
    portal: &Portal,
    kind: DifferenceKind,
    thing: ThingKind,
    name: &str,
    said: &[Said],
) -> DifferenceId {
    let cx = portal.app.app.system();
    let id: DifferenceId = cx.id();
    let found = Found {
        kind,
        thing,
        external_id: format!("srv-{name}"),
        resource: None,
        name: name.to_owned(),
        operation: String::new(),
        said: said.to_vec(),
        about: About::default(),
        month: Money::from_fen(34_800),
        patience_ms: 0,
    };
    let mut tx = cx.db().begin().await.unwrap();
    assert!(
        difference::claim_round(&mut tx, "simulator", cx.now())
            .await
            .unwrap()
    );
    assert!(
        difference::put(&mut tx, &id, "simulator", &found, cx.now())
            .await
            .unwrap()
    );
    difference::end_round(&mut tx, "simulator", cx.now(), 7)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

fn said(aspect: Aspect, ours: Option<&str>, cloud: Option<&str>) -> Said {
    Said {
        aspect,
        ours: ours.map(str::to_owned),
        cloud: cloud.map(str::to_owned),
    }
}

#[tokio::test]
async fn an_operator_lists_reads_and_notes_differences_over_the_programming_interface() {
    let portal = Portal::start().await;
    let operator = portal.account("operator", &[Role::Operator]).await;
    let clerk = portal.account("clerk", &[Role::Applicant]).await;
    let jump = [said(Aspect::Power, None, Some("running"))];
    let id = found(&portal, DifferenceKind::Foreign, "jump", &jump).await;
    let client = portal.token("operator", &operator, TokenScope::Write).await;
    let list = client.get("/api/v1/differences?kind=foreign").await;
    assert_eq!(list.status, 200, "{}", list.text);
    let list = list.json();
    assert_eq!(list["rows"][0]["name"], "jump");
    assert_eq!(list["rows"][0]["said"][0]["cloud"], "running");
    assert_eq!(list["rounds"][0]["things"], 7);
    let none = client.get("/api/v1/differences?kind=missing").await.json();
    assert_eq!(none["rows"].as_array().unwrap().len(), 0);
    let path = format!("/api/v1/differences/{id}");
    assert_eq!(client.get(&path).await.json()["may"], json!(["note"]));
    // What can't be done about it is a conflict, a note without words a message at its field.
    for act in ["restore", "follow"] {
        let answer = client
            .json(
                "POST",
                &format!("{path}/{act}"),
                &json!({ "digest": list["rows"][0]["digest"] }),
            )
            .await;
        assert_eq!(
            (answer.status, answer.json()["key"].as_str()),
            (409, Some("difference.not_this")),
            "{act}"
        );
    }
    let size = json!({ "digest": list["rows"][0]["digest"], "month": 1 });
    let answer = client.json("POST", &format!("{path}/adopt"), &size).await;
    assert_eq!(answer.json()["key"], "difference.not_this");
    let lost = json!({ "reason": "没有了" });
    let answer = client
        .json("POST", &format!("{path}/write-off"), &lost)
        .await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    let remove = json!({ "confirm": "jump" });
    let answer = client
        .json("POST", &format!("{path}/remove"), &remove)
        .await;
    assert_eq!(answer.json()["key"], "difference.not_this", "a host");
    let note = format!("{path}/note");
    let empty = client.json("POST", &note, &json!({ "note": "" })).await;
    assert_eq!(empty.json()["errors"][0]["field"], "note");
    let noted = client
        .json("POST", &note, &json!({ "note": "网络组的跳板机" }))
        .await;
    assert_eq!(noted.status, 200, "{}", noted.text);
    assert_eq!(noted.json()["row"]["note"], "网络组的跳板机");
    let counts = client.get("/api/v1/operations").await.json();
    assert_eq!(
        (&counts["differences"], &counts["foreign"]),
        (&json!(0), &json!(1))
    );
    let asked = client
        .json("POST", "/api/v1/differences/compare", &json!({}))
        .await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let unknown = client.get(&path.replace("dif_", "req_")).await;
    assert_eq!(unknown.status, 404);

    let stranger = portal.token("clerk", &clerk, TokenScope::Write).await;
    for path in ["/api/v1/differences".to_owned(), path] {
        assert_eq!(stranger.get(&path).await.status, 403, "{path}");
    }
    let asked = stranger
        .json("POST", "/api/v1/differences/compare", &json!({}))
        .await;
    assert_eq!(asked.status, 403);
}

#[tokio::test]
async fn the_pages_show_both_sides_ask_before_loss_and_are_the_operators_alone() {
    let portal = Portal::start().await;
    portal.account("operator", &[Role::Operator]).await;
    portal.account("clerk", &[Role::Applicant]).await;
    let operator = portal.sign_in("operator").await;
    let list = operator.get("/operations/differences").await;
    assert_eq!(list.status, 200);
    assert!(list.text.contains("还没有核对过"), "{}", list.text);
    let off = [
        said(Aspect::Power, Some("running"), Some("stopped")),
        said(Aspect::Name, Some("web"), Some("web")),
    ];
    let changed = found(&portal, DifferenceKind::Changed, "web", &off).await;
    let gone = [said(Aspect::Vcpus, Some("4"), None)];
    let missing = found(&portal, DifferenceKind::Missing, "db", &gone).await;

    let list = operator.get("/operations/differences").await.text;
    for words in ["状态 运行中 → 已停机", "云上缺失", "348.00", "共 7 项"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    let past = operator.get("/operations/differences?past=yes").await;
    assert!(past.text.contains("没有符合条件的差异"));
    let file = operator.get("/operations/differences.csv").await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.text.lines().count(), 3, "{}", file.text);

    let one = format!("/operations/differences/{changed}");
    let page = operator.get(&one).await.text;
    for words in ["门户认为", "云上实际", "不同", "一致", "按云上更新"] {
        assert!(page.contains(words), "{words}");
    }
    let lost = format!("/operations/differences/{missing}");
    let page = operator.get(&lost).await.text;
    assert!(page.contains("原有数据已丢失") && page.contains("核销"));
    // Without the tick the page comes again, with what was typed.
    for act in ["restore", "write_off"] {
        let fields = [("do", act), ("reason", "机房断电")];
        let again = operator.post(&lost, &fields).await;
        assert_eq!(again.status, 422, "{act}");
        assert!(again.text.contains("请先勾选确认"), "{act}");
        assert!(again.text.contains("机房断电") || act == "restore");
    }
    // Of an address and a plan it is said what of them does not come back.
    let address = [said(Aspect::Address, Some("198.51.100.7"), None)];
    let target = [said(Aspect::Target, Some("web"), None)];
    for (thing, said, words) in [
        (
            ThingKind::Address,
            &address,
            "新地址一般不再是 198.51.100.7",
        ),
        (ThingKind::Backup, &target, "保留过的备份不会恢复"),
    ] {
        let missing = DifferenceKind::Missing;
        let id = found_of(&portal, missing, thing, thing.as_str(), said).await;
        let page = operator.get(&format!("/operations/differences/{id}")).await;
        for words in [words, "confirm_restore", "核销"] {
            assert!(page.text.contains(words), "{words}: {}", page.text);
        }
    }

    // What is nobody's is deleted by its name, unless a host uses it.
    let size = [said(Aspect::Size, None, Some("10"))];
    let in_use = [size[0].clone(), said(Aspect::Target, None, Some("srv-web"))];
    let (foreign, disk) = (DifferenceKind::Foreign, ThingKind::Volume);
    let stray = found_of(&portal, foreign, disk, "stray", &size).await;
    let used = found_of(&portal, foreign, disk, "used", &in_use).await;
    let used = format!("/operations/differences/{used}");
    assert!(!operator.get(&used).await.text.contains("在云上删除"));
    let stray = format!("/operations/differences/{stray}");
    let page = operator.get(&stray).await.text;
    assert!(page.contains("在云上删除") && page.contains("请输入：stray"));
    let fields = [("do", "remove"), ("confirm", "web")];
    let again = operator.post(&stray, &fields).await;
    assert_eq!(again.status, 422, "{}", again.text);
    let done = [("do", "remove"), ("confirm", "stray")];
    assert_eq!(operator.post(&stray, &done).await.status, 303);
    assert_eq!(operator.post(&stray, &done).await.status, 409);

    // A lost snapshot is written off, and nothing else.
    let (missing, copy) = (DifferenceKind::Missing, ThingKind::Snapshot);
    let before = [said(Aspect::Target, Some("data"), None)];
    let lost_copy = found_of(&portal, missing, copy, "before", &before).await;
    let page = operator
        .get(&format!("/operations/differences/{lost_copy}"))
        .await
        .text;
    assert!(page.contains("它的云硬盘不受影响") && !page.contains("confirm_restore"));

    let noted = operator
        .post(&one, &[("do", "note"), ("note", "夜间关机")])
        .await;
    assert_eq!(
        (noted.status, noted.header("location")),
        (303, one.as_str())
    );
    assert!(operator.get(&one).await.text.contains("夜间关机"));
    let asked = operator
        .post("/operations/differences", &[("do", "compare")])
        .await;
    assert_eq!(asked.status, 303);

    // Rules are read as rules, and whom it shuts out is said before it is done.
    let [pages, door] = ["tcp 443 10.8.0.0/24", "tcp 22 0.0.0.0/0"];
    let cloud = format!("{door}; {pages}; IPv6 tcp 22-22 ::/0");
    let open = [said(Aspect::Rules, Some(pages), Some(&cloud))];
    let open = found(&portal, DifferenceKind::Changed, "gate", &open).await;
    let list = operator.get("/operations/differences").await.text;
    let more = "云上多放行：TCP 22（SSH），来源 任何地址、IPv6 tcp 22-22 ::/0";
    assert!(list.contains(more), "{list}");
    let file = operator.get("/operations/differences.csv").await.text;
    assert!(
        file.contains(&format!("本机规则 {}", cloud.replace(';', ","))),
        "{file}"
    );
    let one_more = format!("/operations/differences/{open}");
    let page = operator.get(&one_more).await.text;
    for words in [
        "TCP 443（HTTPS），来源 10.8.0.0/24",
        "将关闭：TCP 22（SSH），来源 任何地址",
        "将登记：TCP 22（SSH）",
        "已建立的连接可能中断",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("门户改记为"), "its power is not at issue");
    assert!(!page.contains("follow_power"), "nor can it be followed");
    // Without the digest of what was read, or with an older one, nothing is done.
    let fields = [("do", "restore"), ("confirm_restore", "yes")];
    let stale = operator.post(&one_more, &fields).await;
    assert_eq!(stale.status, 409, "{}", stale.text);
    let again = operator.post(&one_more, &[("do", "restore")]).await;
    assert_eq!(again.status, 422, "{}", again.text);

    // The desk counts what nobody has let stand.
    let desk = operator.get("/").await.text;
    assert!(desk.contains("云上核对"));
    let clerk = portal.sign_in("clerk").await;
    for path in ["/operations/differences", &one] {
        assert_eq!(clerk.get(path).await.status, 403, "{path}");
    }
    assert_eq!(clerk.get("/operations/differences.csv").await.status, 403);
    let fields = [
        ("do", "write_off"),
        ("confirm_write_off", "yes"),
        ("reason", "x x"),
    ];
    assert_eq!(clerk.post(&lost, &fields).await.status, 403);
}
