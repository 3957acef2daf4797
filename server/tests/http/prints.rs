//! What is printed and filed: the application form of an order, of a release and of a change.
use axum::body::Body;
use lingbao_model::{money::Money, people::Role};
use serde_json::{Value, json};

use crate::{
    day_two::Town,
    full::{hosts, send, with_limits},
    portal::{Browser, Portal},
};

fn holds(paper: &str, words: &[&str]) {
    for word in words {
        assert!(paper.contains(word), "{word}: {paper}");
    }
}

/// A portal in which a clerk may order, and where to.
async fn begun(portal: &Portal) -> (Browser<'_>, String) {
    for (login, role) in [
        ("reviewer", Role::Reviewer),
        ("boss", Role::DeptLeader),
        ("clerk", Role::Applicant),
    ] {
        portal.account(login, &[role]).await;
    }
    let cell = with_limits(portal, &portal.sign_in("reviewer").await).await;
    (portal.sign_in("clerk").await, cell)
}

/// Asks for three hosts of a system; the request's id.
async fn asked(clerk: &Browser<'_>, cell: &str) -> String {
    let system = json!({ "name": "经济普查平台", "short_name": "jjpc", "level": "2",
        "contact_name": "王工", "contact_phone": "0574-87180000" });
    let system = send(clerk, "POST", "/api/v1/systems", &system).await.json();
    let order = hosts(&system["id"], cell, "3");
    let draft = send(clerk, "POST", "/api/v1/drafts", &order).await.json();
    let id = draft["id"].as_str().unwrap().to_owned();
    let version = json!({ "version": draft["version"] });
    let path = format!("/api/v1/requests/{id}/submit");
    let sent = send(clerk, "POST", &path, &version).await;
    assert_eq!(sent.json()["status"], "in_approval", "{}", sent.text);
    id
}

#[tokio::test]
async fn the_form_on_paper_has_every_row_that_the_portal_knows_and_room_for_the_others() {
    let portal = Portal::start().await;
    let (clerk, cell) = begun(&portal).await;
    let path = format!("/requests/{}/print", asked(&clerk, &cell).await);
    let paper = clerk.get(&path).await.text;
    // The system with its level and who knows about it.
    holds(
        &paper,
        &["经济普查平台", "jjpc", "等保二级", "王工", "0574-87180000"],
    );
    // Each parameter by its name, where it stands, for how long.
    holds(
        &paper,
        &[
            "处理器：4 核",
            "内存：8 GB",
            "操作系统：",
            "位置：",
            "期限：12 个月",
        ],
    );
    // A month, a year, once; and together.
    holds(
        &paper,
        &[
            "元/月",
            "元/年",
            "一次性（元）",
            "1,044.00",
            "12,528.00",
            "合计",
        ],
    );
    // By hand, as on paper.
    for word in [
        "信息化负责人",
        "实施负责人",
        "备案证明编号",
        "项目名称与代码",
        "资金来源",
    ] {
        let (_, rest) = paper.split_once(word).unwrap();
        let cell = rest.split_once("</td>").unwrap().0;
        let written = cell.rsplit_once('>').unwrap().1;
        assert_eq!(written.trim(), "", "{word}: {paper}");
    }
    holds(
        &paper,
        &[
            "申请单位（盖章）",
            "主管单位（盖章）",
            "处室负责人：",
            "申请单位确认（盖章）",
        ],
    );
    assert!(!paper.contains("电子签名"), "nobody has decided yet");

    let boss = portal.sign_in("boss").await;
    let todos = boss.get("/api/v1/todos").await.json();
    let step = todos["rows"][0]["step"].as_str().unwrap();
    let card = boss.get(&format!("/api/v1/todos/{step}")).await.json();
    let said = json!({ "decision": "approve", "opinion": "普查急需", "digest": card["digest"] });
    let done = send(
        &boss,
        "POST",
        &format!("/api/v1/todos/{step}/decide"),
        &said,
    )
    .await;
    assert_eq!(done.status, 200, "{}", done.text);
    let paper = clerk.get(&path).await.text;
    holds(&paper, &["普查急需", "用户boss（电子签名）"]);
    let english = [("accept-language", "en"), ("accept", "text/html")];
    let paper = clerk.request("GET", &path, &english, Body::empty()).await;
    let words = [
        "Cores: 4 cores",
        "Yuan a year",
        "Source of funds",
        "Term: 12 months",
    ];
    holds(&paper.text, &words);
}

#[tokio::test]
async fn the_form_of_a_release_says_what_is_given_back_and_what_it_saves() {
    let town = Town::start().await;
    town.portal.account("boss", &[Role::DeptLeader]).await;
    let clerk = town.portal.sign_in("clerk").await;
    let rows = clerk.get("/api/v1/resources").await.json();
    let month: i64 = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["month"].as_i64().unwrap())
        .sum();
    let order = json!({ "resources": [town.host, town.disk], "reason": "系统下线",
        "erase_at_once": false });
    let made = send(&clerk, "POST", "/api/v1/releases", &order).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["request"].as_str().unwrap().to_owned();
    let paper = clerk.get(&format!("/requests/{id}/print")).await.text;
    let saved = Money::from_fen(month);
    let (each, year) = (saved.yuan(), saved.year().yuan());
    let sum = format!("退订 2 项，每月减少 {each} 元，全年减少 {year} 元");
    let minus = format!("−{each}");
    holds(
        &paper,
        &[
            "web",
            "data",
            &sum,
            &minus,
            "回收站保留 7 天",
            "本单不占用配额",
        ],
    );
}

#[tokio::test]
async fn the_form_of_a_change_sets_what_is_beside_what_shall_be() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let size = json!({ "what": "resize", "typed": { "vcpus": "2", "memory_gb": "4" },
        "reason": "普查高峰" });
    let path = format!("/api/v1/resources/{}/changes", town.host);
    let made = send(&clerk, "POST", &path, &size).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["request"].as_str().unwrap().to_owned();
    let paper = clerk.get(&format!("/requests/{id}/print")).await.text;
    holds(
        &paper,
        &[
            "原有配置",
            "现有配置",
            "1 核",
            "2 核",
            "2 GB",
            "4 GB",
            "每月相差",
        ],
    );
}

/// The value of a hidden field.
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn work_of_people_is_priced_at_the_button_and_nothing_is_put_into_the_cart() {
    let portal = Portal::start().await;
    let (clerk, _) = begun(&portal).await;
    let form = "/catalogue/M-MIG";
    let page = clerk.get(form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (cart, version) = (hidden(&page.text, "cart"), hidden(&page.text, "version"));
    let typed = |scope: &'static str| {
        vec![
            ("cart", cart),
            ("version", version),
            ("person_days", "7"),
            ("scope", scope),
            ("count", "1"),
            ("do", "try"),
        ]
    };
    let tried = clerk.post(form, &typed("两台主机，2 TB 数据")).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    holds(
        &tried.text,
        &["8,400.00", "两台主机，2 TB 数据", "value=\"7\""],
    );
    // What is missing is said, and the price stands all the same.
    let short = clerk.post(form, &typed("")).await;
    assert_eq!(short.status, 422, "{}", short.text);
    holds(&short.text, &["8,400.00", "value=\"7\""]);
    let drafts: Value = clerk.get("/api/v1/drafts").await.json();
    assert!(!drafts.to_string().contains("M-MIG"), "{drafts}");
    let cart = clerk.get(&format!("/cart/{cart}")).await;
    assert!(!cart.text.contains("8,400.00"), "{}", cart.text);
}
