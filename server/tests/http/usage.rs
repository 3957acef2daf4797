//! What hosts use: pages, files and programming interface, with and without anything that measures.
use std::sync::Arc;

use lingbao_backends::{
    Backends,
    provisioning::{
        Object, Provisioner,
        simulator::{Latency, Simulator},
    },
};
use lingbao_core::{
    clock::Clock as _,
    fulfil,
    jobs::{Registry, run_until_idle},
    seed,
    storage::{place, quota, vdc},
    usage::{self, fake::Measured},
};
use lingbao_model::{
    people::Role,
    quota::Dimension,
    time::{DAY_MS, Date, Zone},
    usage::Measure,
    view::people::TokenScope,
};
use serde_json::json;

use crate::portal::Portal;

struct Town {
    portal: Portal,
    source: Measured,
    jobs: Arc<Registry>,
    /// Our id of the host.
    host: String,
    /// The cloud's.
    server: String,
}

impl Town {
    /// A portal with a cloud, a host of the topmost unit that has stood for forty days, and something
    /// that measures, which has not said anything yet.
    async fn start() -> Self {
        let source = Measured::called("one");
        let mut cloud = None;
        let portal = Portal::measured(
            |app| {
                let told = app.clock.clone();
                let config = seed::cloud(None, 7, Latency::default());
                let opened = Simulator::open("simulator", config, move || told.now()).unwrap();
                cloud = Some(opened.clone());
                Arc::new(Backends::default().with(opened))
            },
            source.metering(35, 400),
        )
        .await;
        let app = portal.app.clone();
        let jobs = usage::wire(fulfil::wire(Registry::new(), &app.backends));
        let cx = app.app.system();
        let mut tx = app.db.begin().await.unwrap();
        let own = vdc::of_unit(&mut tx, &portal.root).await.unwrap();
        let pools = place::pools(&mut tx).await.unwrap();
        for pool in &pools {
            for dimension in Dimension::ALL {
                let operation = format!("limit:{}:{dimension}", pool.id);
                let all = 1_000_000;
                quota::set_limit(
                    &mut tx, &cx, &operation, &own[0].0, &pool.id, *dimension, all,
                )
                .await
                .unwrap();
            }
        }
        tx.commit().await.unwrap();
        let user = portal.account("clerk", &[Role::Applicant]).await;
        let mut town = Self {
            portal,
            source,
            jobs: Arc::new(jobs),
            host: String::new(),
            server: String::new(),
        };
        let clerk = town.portal.token("clerk", &user, TokenScope::Write).await;
        let system =
            json!({ "name": "统计直报", "short_name": "tjzb", "level": "2", "state": "live" });
        let made = clerk.json("POST", "/api/v1/systems", &system).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let systems = clerk.get("/api/v1/systems").await.json();
        let cell = format!("{}/2/{}", pools[0].zone, pools[0].id);
        let typed = json!({ "arch": "general", "vcpus": "4", "memory_gb": "8", "image": "debian-12",
            "system_disk_gb": "40", "access": "password" });
        let order = json!({
            "head": { "system": systems["rows"][0]["id"], "title": "一台主机", "reason": "核验利用率用的一台主机。" },
            "lines": [{ "item": "C-ECS", "name": "web", "cell": cell, "typed": typed }],
        });
        let draft = clerk.json("POST", "/api/v1/drafts", &order).await;
        assert_eq!(draft.status, 201, "{}", draft.text);
        let draft = draft.json();
        let path = format!("/api/v1/requests/{}/submit", draft["id"].as_str().unwrap());
        let sent = clerk
            .json("POST", &path, &json!({ "version": draft["version"] }))
            .await;
        assert_eq!(sent.json()["status"], "approved", "{}", sent.text);
        town.run().await;
        let rows = clerk.get("/api/v1/resources").await.json();
        drop(clerk);
        town.host = rows["rows"][0]["id"].as_str().unwrap().to_owned();
        let there = cloud.unwrap().list(None, None).await.unwrap().objects;
        let server = there.into_iter().find_map(|one| match one {
            Object::Server(server) => Some(server.id.0),
            _ => None,
        });
        town.server = server.unwrap();
        town.portal.app.clock.advance_ms(40 * DAY_MS);
        town
    }

    async fn run(&self) {
        run_until_idle(&self.portal.app.app, &self.jobs)
            .await
            .unwrap();
    }

    fn yesterday(&self) -> Date {
        Zone::SHANGHAI
            .date(self.portal.app.clock.now())
            .plus_days(-1)
    }
}

#[tokio::test]
async fn without_anything_that_measures_the_pages_say_so_and_show_no_zeros() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let user = portal.account("finance", &[Role::Finance]).await;
    let clerk = portal.sign_in("clerk").await;
    let page = clerk.get("/usage").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("没有配置监控数据来源"), "{}", page.text);
    assert!(!page.text.contains("使用率（CPU）"), "{}", page.text);
    assert!(!page.text.contains("0.0%"), "{}", page.text);
    let units = clerk.get("/usage/units").await;
    assert_eq!(units.status, 200);
    assert!(
        units.text.contains("还没有接入 Prometheus"),
        "{}",
        units.text
    );
    let api = clerk.get("/api/v1/usage").await.json();
    assert_eq!(api["head"]["configured"], false);
    assert_eq!((&api["cpu"], &api["memory"]), (&json!(null), &json!(null)));
    let finance = portal.token("finance", &user, TokenScope::Read).await;
    for path in ["/api/v1/usage", "/api/v1/usage/units"] {
        assert_eq!(finance.get(path).await.status, 403, "{path}");
    }
    let finance = portal.sign_in("finance").await;
    for path in ["/usage", "/usage/units", "/usage.csv", "/usage/units.csv"] {
        assert_eq!(finance.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn an_idle_host_is_listed_with_its_price_and_the_ways_on() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let page = clerk.get("/usage").await.text;
    assert!(page.contains("还没有取得监控数据"), "{page}");
    for (measure, mean) in [(Measure::Cpu, 123), (Measure::Memory, 211)] {
        let span = (town.yesterday(), 30);
        town.source.say(&town.server, measure, span, mean);
    }
    town.portal.app.clock.advance_ms(31 * 60_000);
    town.run().await;
    // Half an hour without the person ends a session.
    let clerk = town.portal.sign_in("clerk").await;
    let page = clerk.get("/usage?load=idle").await.text;
    for words in [
        "12.3% / 17.3%",
        "21.1% / 26.1%",
        "低效",
        "2 核 8 GB 可满足",
        "变更规格",
        "申请退订",
        "已测 1 台，共 1 台",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let change = format!("/resources/{}/change?what=resize", town.host);
    assert!(page.contains(&change.replace('&', "&amp;")), "{page}");
    let busy = clerk.get("/usage?load=busy").await.text;
    assert!(busy.contains("没有符合条件的云主机"));
    let search = clerk.get("/usage?q=web&sort=-cpu").await.text;
    assert!(search.contains("12.3% / 17.3%"));
    let file = clerk.get("/usage.csv?load=idle").await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.text.lines().count(), 2, "{}", file.text);
    assert!(
        file.text.contains(",12.3,17.3,30,21.1,26.1,30,,,,低效,"),
        "{}",
        file.text
    );
    let units = clerk.get("/usage/units?sort=-cpu").await.text;
    assert!(
        units.contains("12.3%") && units.contains("1 台，"),
        "{units}"
    );
    let file = clerk.get("/usage/units.csv").await;
    assert_eq!(file.text.lines().count(), 2, "{}", file.text);

    // The host's own page leads to its days.
    let own = clerk.get(&format!("/resources/{}", town.host)).await.text;
    let link = format!("/usage/{}", town.host);
    assert!(own.contains(&link), "{own}");
    let days = clerk.get(&link).await;
    assert_eq!(days.status, 200);
    for words in ["30 天有数据", "均值/峰值 12.3% / 17.3%", "磁盘", "<svg"] {
        let there = days.text.contains(words);
        assert_eq!(there, words != "磁盘", "{words}: {}", days.text);
    }
    let api = clerk
        .get(&format!("/api/v1/resources/{}/usage", town.host))
        .await
        .json();
    assert_eq!(api["days"].as_array().unwrap().len(), 30);
    assert_eq!(api["days"][29]["cpu"]["samples"], 288);
    assert_eq!(api["row"]["load"], "idle");
    let list = clerk.get("/api/v1/usage?load=idle").await.json();
    assert_eq!(list["cpu"], 123);
    assert_eq!(list["rows"][0]["may"], json!(["resize", "release"]));
    let units = clerk.get("/api/v1/usage/units").await.json();
    assert_eq!(units["rows"][0]["counts"]["idle"], 1);
    assert_eq!(units["rows"][0]["memory"], 211);
}

#[tokio::test]
async fn a_host_without_samples_says_no_data_and_a_foreign_one_is_not_there() {
    let town = Town::start().await;
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    let other = town
        .portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let span = (town.yesterday(), 3);
    town.source.say("somebody-else", Measure::Cpu, span, 10);
    town.portal.app.clock.advance_ms(31 * 60_000);
    town.run().await;
    let clerk = town.portal.sign_in("clerk").await;
    let link = format!("/usage/{}", town.host);
    let page = clerk.get(&link).await.text;
    assert!(!page.contains("0.0%"), "{page}");
    // Of another host something is known, of this one nothing.
    for measure in [Measure::Cpu, Measure::Memory] {
        let span = (town.yesterday().plus_days(-20), 2);
        town.source.say(&town.server, measure, span, 400);
    }
    town.portal.app.clock.advance_ms(DAY_MS / 4 + 60_000);
    town.run().await;
    let clerk = town.portal.sign_in("clerk").await;
    let page = clerk.get("/usage").await.text;
    assert!(
        page.contains("数据不足") && page.contains("40.0% / 45.0%"),
        "{page}"
    );
    let busy = "/usage?load=busy";
    assert!(page.contains(busy), "{page}");
    let page = clerk.get(&link).await.text;
    assert!(
        page.contains("2 天有数据") && page.contains("无数据"),
        "{page}"
    );
    let stranger = town.portal.token("other", &other, TokenScope::Read).await;
    let mut unknown = town.host.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    for id in [town.host.as_str(), &unknown, "x"] {
        let answer = stranger.get(&format!("/api/v1/resources/{id}/usage")).await;
        assert_eq!(answer.status, 404, "{id}");
    }
    let browser = town.portal.sign_in("other").await;
    assert_eq!(browser.get(&link).await.status, 404);
    let page = browser.get("/usage").await.text;
    assert!(!page.contains("40.0%"), "{page}");
    assert!(
        !page.contains(busy),
        "no zeros of hosts that are none: {page}"
    );
    let unit = format!("/usage?unit={}", town.portal.root);
    assert!(!browser.get(&unit).await.text.contains("40.0%"));
    assert_eq!(browser.get("/usage?unit=x").await.status, 404);
}
