//! Changing a resource: the programming interface and the page with its form, from the order of a
//! host to the larger one.
use std::sync::Arc;

use lingbao_backends::{
    Backends,
    provisioning::simulator::{Latency, Simulator},
};
use lingbao_core::{
    clock::Clock as _,
    fulfil,
    jobs::{Registry, run_until_idle},
    seed,
    service::system,
    storage::{place, quota, vdc},
};
use lingbao_model::{
    people::Role,
    quota::Dimension,
    view::{people::TokenScope, system::SystemForm},
};
use serde_json::{Value, json};

use crate::portal::{Browser, Portal};

/// A portal with a cloud under it.
struct Site {
    portal: Portal,
    jobs: Arc<Registry>,
    cell: String,
}

impl Site {
    async fn start() -> Self {
        let portal = Portal::start().await;
        let told = portal.app.clock.clone();
        let config = seed::cloud(None, 7, Latency::default());
        let cloud = Simulator::open("simulator", config, move || told.now()).unwrap();
        let jobs = fulfil::wire(Registry::new(), &Arc::new(Backends::default().with(cloud)));
        let cx = portal.app.system();
        let mut tx = portal.app.db.begin().await.unwrap();
        let pools = place::pools(&mut tx).await.unwrap();
        let own = vdc::of_unit(&mut tx, &portal.root)
            .await
            .unwrap()
            .remove(0)
            .0;
        for pool in &pools {
            for dimension in Dimension::ALL {
                let name = format!("limit:{}:{dimension}", pool.id);
                quota::set_limit(&mut tx, &cx, &name, &own, &pool.id, *dimension, 1_000_000)
                    .await
                    .unwrap();
            }
        }
        tx.commit().await.unwrap();
        Self {
            cell: format!("{}/2/{}", pools[0].zone, pools[0].id),
            portal,
            jobs: Arc::new(jobs),
        }
    }

    async fn work(&self) {
        run_until_idle(&self.portal.app.app, &self.jobs)
            .await
            .unwrap();
    }

    /// A host of 4 cores and 8 GB of the one who asks.
    async fn host(&self, browser: &Browser<'_>, system: &str) -> String {
        let typed = json!({ "arch": "general", "vcpus": "4", "memory_gb": "8", "image": "kylin-v10",
            "system_disk_gb": "40", "access": "password" });
        let order = json!({ "head": { "system": system, "title": "主机 web", "reason": "第五次全国经济普查" },
            "lines": [{ "item": "C-ECS", "name": "web", "cell": self.cell, "typed": typed }] });
        let draft = browser.json("POST", "/api/v1/drafts", &order).await;
        assert_eq!(draft.status, 201, "{}", draft.text);
        let draft = draft.json();
        let path = format!("/api/v1/requests/{}/submit", draft["id"].as_str().unwrap());
        let version = json!({ "version": draft["version"] });
        let sent = browser.json("POST", &path, &version).await;
        assert_eq!(sent.json()["status"], "approved", "{}", sent.text);
        self.work().await;
        let rows = browser.get("/api/v1/resources").await.json();
        rows["rows"][0]["id"].as_str().unwrap().to_owned()
    }
}

fn size(vcpus: &str, memory_gb: &str) -> Value {
    json!({ "what": "resize", "typed": { "vcpus": vcpus, "memory_gb": memory_gb }, "reason": "普查高峰" })
}

async fn with_a_host(site: &Site) -> (lingbao_model::id::UserId, String) {
    let user = site.portal.account("clerk", &[Role::Applicant]).await;
    let form = SystemForm {
        name: "经济普查平台".into(),
        level: "2".into(),
        ..SystemForm::default()
    };
    let system = system::create(&site.portal.cx(&user), &form).await.unwrap();
    let program = site.portal.token("clerk", &user, TokenScope::Write).await;
    let host = site.host(&program, system.as_str()).await;
    (user, host)
}

#[tokio::test]
async fn a_program_tries_a_change_asks_for_it_once_and_reads_what_became_of_it() {
    let site = Site::start().await;
    let (user, host) = with_a_host(&site).await;
    let program = site.portal.token("clerk", &user, TokenScope::Write).await;
    let changes = format!("/api/v1/resources/{host}/changes");
    let tried = program
        .json("POST", &format!("{changes}/try"), &size("8", "16"))
        .await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    assert_eq!(tried.json()["change"]["month_after"], 66_800);
    assert_eq!(tried.json()["route"], json!([]));
    let short = program.json("POST", &changes, &size("65", "16")).await;
    assert_eq!(short.status, 422, "{}", short.text);
    let short = short.json();
    assert_eq!(short["code"], "invalid", "{short}");
    for what in [json!({ "what": "shrink" }), json!({})] {
        let unreadable = program.json("POST", &changes, &what).await;
        assert!(
            (400..500).contains(&unreadable.status),
            "{}",
            unreadable.text
        );
    }
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k1"),
    ];
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let body = size("8", "16").to_string().into();
        let made = program.request("POST", &changes, &headers, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        numbers.push(made.json()["number"].clone());
    }
    assert_eq!(numbers[0], numbers[1]);
    site.work().await;
    let after = program
        .get(&format!("/api/v1/resources/{host}"))
        .await
        .json();
    assert_eq!(after["row"]["month"], 66_800);
    let events = after["events"].as_array().unwrap();
    let resized = events.iter().find(|e| e["kind"] == "resized").unwrap();
    assert_eq!(resized["change"]["month_before"], 34_800);
    let renewal = json!({ "what": "renew", "typed": { "months": "6" }, "reason": "继续使用" });
    let made = program.json("POST", &changes, &renewal).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

#[tokio::test]
async fn the_form_works_without_scripts_and_keeps_what_was_typed() {
    let site = Site::start().await;
    let (_, host) = with_a_host(&site).await;
    let clerk = site.portal.sign_in("clerk").await;
    let path = format!("/resources/{host}");
    let page = clerk.get(&path).await;
    for word in ["变更规格", "续期"] {
        assert!(page.text.contains(word), "{word}");
    }
    let form = format!("{path}/change?what=resize");
    let page = clerk.get(&form).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("348.00") && page.text.contains("<th scope=\"col\">原</th>"));
    let typed = |extra: &[(&'static str, &'static str)]| {
        let mut all = vec![("what", "resize"), ("vcpus", "8"), ("memory_gb", "16")];
        all.extend(extra);
        all
    };
    // 计算: the page again, with the price of what was typed.
    let tried = clerk.post(&form, &typed(&[("do", "try")])).await;
    assert_eq!(tried.status, 200);
    assert!(tried.text.contains("668.00") && tried.text.contains("+320.00"));
    let stepped = clerk.post(&form, &typed(&[("step", "vcpus+")])).await;
    assert!(stepped.text.contains("value=\"9\""), "{}", stepped.status);
    // Without a reason: the message stands beside the field, and the sizes are still there.
    let bad = clerk
        .post(
            &form,
            &typed(&[("do", "submit"), ("form_id", "form-of-a-page")]),
        )
        .await;
    assert_eq!(bad.status, 422);
    assert!(bad.text.contains("value=\"8\"") && bad.text.contains("reason"));
    let good = typed(&[
        ("do", "submit"),
        ("form_id", "form-of-a-page"),
        ("reason", "普查高峰期间"),
    ]);
    let sent = clerk.post(&form, &good).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let twice = clerk.post(&form, &good).await;
    assert_eq!(twice.header("location"), sent.header("location"));
    let request = clerk.get(sent.header("location")).await;
    assert!(request.text.contains("668.00") && request.text.contains("16 GB"));
    let print = clerk
        .get(&format!("{}/print", sent.header("location")))
        .await;
    assert!(print.text.contains("16 GB"));
    site.work().await;
    let page = clerk.get(&path).await;
    assert!(page.text.contains("4 核 → 8 核"));
    let csv = clerk.get("/requests.csv").await;
    assert_eq!(csv.status, 200);
    assert!(csv.text.contains("变更"), "{}", csv.text);
}

#[tokio::test]
async fn a_foreign_resource_is_not_there_and_a_leader_only_looks() {
    let site = Site::start().await;
    let (_, host) = with_a_host(&site).await;
    let other = site.portal.unit(&site.portal.root, "东县").await;
    site.portal
        .account_in(&other, "stranger", &[Role::Applicant])
        .await;
    site.portal.account("leader", &[Role::DeptLeader]).await;
    let page = |id: &str| format!("/resources/{id}/change?what=resize");
    let nothing = host.replace(&host[host.len() - 6..], "ZZZZZZ");
    let stranger = site.portal.sign_in("stranger").await;
    for id in [&host, &nothing] {
        assert_eq!(stranger.get(&page(id)).await.status, 404);
        let posted = stranger
            .post(&page(id), &[("what", "resize"), ("do", "submit")])
            .await;
        assert_eq!(posted.status, 404, "{}", posted.text);
        let api = format!("/api/v1/resources/{id}/changes");
        let asked = stranger.json("POST", &api, &size("8", "16")).await;
        assert!([403, 404].contains(&asked.status), "{}", asked.text);
    }
    let leader = site.portal.sign_in("leader").await;
    assert_eq!(leader.get(&page(&host)).await.status, 403);
}
