//! Taking in what stands in a cloud already: pages, file, programming interface, through the router.
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use axum::body::Body;
use lingbao_backends::{
    Backends,
    provisioning::{
        Access, Call, ExternalId, NetworkSpec, Object, Outcome, ProjectSpec, ServerSpec, Settled,
        simulator::{Latency, Simulator},
    },
};
use lingbao_core::{
    clock::Clock as _,
    fulfil,
    jobs::{Registry, run_until_idle},
    seed,
    service::difference,
    storage::{place, quota, vdc},
};
use lingbao_model::{
    id::UserId,
    money::Money,
    people::Role,
    quota::Dimension,
    view::{import::ImportRow, people::TokenScope},
};
use serde_json::{Value, json};

use crate::portal::{Answer, Browser, Portal};

struct Town {
    portal: Portal,
    jobs: Arc<Registry>,
    operator: UserId,
    /// The cloud's names of two servers that are nobody's.
    ids: Vec<String>,
}

fn made(cloud: &Simulator, op: &str, call: Call) -> Object {
    match cloud.seed(vec![(op.into(), call)]).remove(0) {
        Outcome::Done(Settled::Present(object)) => *object,
        other => panic!("{other:?}"),
    }
}

fn server(project: &ExternalId, network: &ExternalId, name: &str) -> Call {
    Call::CreateServer {
        spec: ServerSpec {
            project: project.clone(),
            pool: "public-general".into(),
            network: network.clone(),
            name: name.into(),
            vcpus: 4,
            memory_gb: 8,
            system_disk_gb: 40,
            image: "kylin-v10".into(),
            flavour: None,
            security_preset: None,
            access: Access::OneTimePassword,
            user_data: None,
            metadata: BTreeMap::new(),
        },
    }
}

impl Town {
    /// A portal with a system of its topmost unit, and a cloud with two servers that nobody ordered.
    async fn start() -> Self {
        let kept = OnceLock::new();
        let portal = Portal::with_clouds(|app| {
            let told = app.clock.clone();
            let config = seed::cloud(None, 7, Latency::default());
            let cloud = Simulator::open("simulator", config, move || told.now()).unwrap();
            kept.set(cloud.clone()).unwrap();
            Arc::new(Backends::default().with(cloud))
        })
        .await;
        let cloud: &Simulator = kept.get().unwrap();
        let project = Call::EnsureProject {
            spec: ProjectSpec {
                key: "old".into(),
                name: "old".into(),
            },
        };
        let project = made(cloud, "project", project).id().clone();
        let network = Call::EnsureNetwork {
            spec: NetworkSpec {
                project: project.clone(),
                key: "old".into(),
                name: "old".into(),
                cidr: "10.9.0.0/24".into(),
            },
        };
        let network = made(cloud, "network", network).id().clone();
        let ids = ["old-1", "old-2"]
            .map(|name| {
                made(cloud, name, server(&project, &network, name))
                    .id()
                    .to_string()
            })
            .to_vec();
        let backends = portal.app.app.backends.clone();
        let jobs = Arc::new(fulfil::wire(Registry::new(), &backends));
        let cx = portal.app.app.system();
        let mut tx = portal.app.app.db.begin().await.unwrap();
        let root = vdc::of_unit(&mut tx, &portal.root)
            .await
            .unwrap()
            .remove(0)
            .0;
        for pool in place::pools(&mut tx).await.unwrap() {
            for dimension in Dimension::ALL {
                let operation = format!("limit:{}:{dimension}", pool.id);
                quota::set_limit(
                    &mut tx, &cx, &operation, &root, &pool.id, *dimension, 1_000_000,
                )
                .await
                .unwrap();
            }
        }
        tx.commit().await.unwrap();
        let clerk = portal.account("clerk", &[Role::Applicant]).await;
        portal.account("leader", &[Role::DeptLeader]).await;
        let operator = portal.account("operator", &[Role::Operator]).await;
        let program = portal.token("clerk", &clerk, TokenScope::Write).await;
        let system =
            json!({ "name": "统计直报", "short_name": "tjzb", "level": "2", "state": "live" });
        let answer = program.json("POST", "/api/v1/systems", &system).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        drop(program);
        let town = Self {
            jobs,
            operator,
            ids,
            portal,
        };
        town.compare().await;
        town
    }

    async fn compare(&self) {
        self.portal.app.clock.advance_ms(60_000);
        difference::compare(&self.portal.cx(&self.operator))
            .await
            .unwrap();
        run_until_idle(&self.portal.app.app, &self.jobs)
            .await
            .unwrap();
    }

    fn rows(&self) -> Vec<Value> {
        let row = |(line, id): (usize, &String)| json!({ "line": line + 2, "cloud": "simulator", "external_id": id, "unit": "示范市", "system": "统计直报" });
        self.ids.iter().enumerate().map(row).collect()
    }

    /// The tick of the row of a thing, beside a price.
    fn tick(&self, at: usize, fen: i64) -> String {
        let row = ImportRow {
            line: if at == 0 { 2 } else { 3 },
            cloud: "simulator".to_owned(),
            external_id: self.ids[at].clone(),
            unit: "示范市".to_owned(),
            system: "统计直报".to_owned(),
            ..ImportRow::default()
        };
        row.tick(Money::from_fen(fen), &self.ids[at])
    }

    fn sheet(&self) -> String {
        let mut text = "云,云上编号,单位,系统,名称\r\n".to_owned();
        for id in &self.ids {
            text.push_str(&format!("simulator,{id},示范市,统计直报,\r\n"));
        }
        text
    }
}

/// Posts the page's own form: parts, the file as its bytes.
async fn post(browser: &Browser<'_>, fields: &[(&str, &str)], file: Option<&[u8]>) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\n";
    body.extend(head.as_bytes());
    body.extend(file.unwrap_or_default());
    body.extend(b"\r\n--b--\r\n");
    let headers = [
        ("content-type", "multipart/form-data; boundary=b"),
        ("accept", "text/html"),
        ("sec-fetch-site", "same-origin"),
    ];
    browser
        .request("POST", "/operations/import", &headers, Body::from(body))
        .await
}

#[tokio::test]
async fn an_operator_takes_in_and_undoes_over_the_programming_interface() {
    let town = Town::start().await;
    let portal = &town.portal;
    let client = portal
        .token("operator", &town.operator, TokenScope::Write)
        .await;
    let found = client.get("/api/v1/imports/things").await.json();
    assert_eq!(found["rows"].as_array().unwrap().len(), 2);
    assert_eq!(found["rows"][0]["vcpus"], 4);
    let mut rows = town.rows();
    rows[1]["unit"] = json!("没有的单位");
    let sheet = json!({ "rows": rows });
    let shown = client.json("POST", "/api/v1/imports/preview", &sheet).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let shown = shown.json();
    assert_eq!(
        (&shown["good"], &shown["month"]),
        (&json!(1), &json!(34_800))
    );
    assert_eq!(shown["lines"][1]["errors"][0]["field"], "unit");
    // All or none.
    let refused = client.json("POST", "/api/v1/imports", &sheet).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(refused.json()["errors"][0]["field"], "rows[1].unit");
    let sheet = json!({ "rows": town.rows() });
    let done = client.json("POST", "/api/v1/imports", &sheet).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let done = done.json();
    assert_eq!(done["batch"]["count"], 2);
    let again = client.json("POST", "/api/v1/imports", &sheet).await;
    assert_eq!(again.status, 422);
    town.compare().await;
    let none = client.get("/api/v1/differences").await.json();
    assert_eq!(none["rows"].as_array().unwrap().len(), 0);
    let path = format!("/api/v1/imports/{}", done["batch"]["id"].as_str().unwrap());
    let undone = client
        .json("POST", &format!("{path}/undo"), &json!({}))
        .await;
    assert_eq!(undone.status, 200, "{}", undone.text);
    let twice = client
        .json("POST", &format!("{path}/undo"), &json!({}))
        .await;
    assert_eq!(
        (twice.status, twice.json()["key"].as_str()),
        (409, Some("import.undone_already"))
    );
    let list = client.get("/api/v1/imports").await.json();
    assert!(list["rows"][0]["undone_at"].is_i64());
    assert_eq!(client.get(&path.replace("imp_", "req_")).await.status, 404);

    let clerk = portal.account("clerk2", &[Role::Applicant]).await;
    let stranger = portal.token("clerk2", &clerk, TokenScope::Write).await;
    for path in ["/api/v1/imports", "/api/v1/imports/things", &path] {
        assert_eq!(stranger.get(path).await.status, 403, "{path}");
    }
    for path in ["/api/v1/imports", "/api/v1/imports/preview"] {
        assert_eq!(stranger.json("POST", path, &sheet).await.status, 403);
    }
}

#[tokio::test]
async fn a_program_sends_the_file_of_a_spreadsheet_as_it_is() {
    let town = Town::start().await;
    let portal = &town.portal;
    let client = portal
        .token("operator", &town.operator, TokenScope::Write)
        .await;
    const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    for (at, line) in town.sheet().lines().enumerate() {
        for (cell, text) in line.split(',').enumerate() {
            let (at, cell) = (u32::try_from(at).unwrap(), u16::try_from(cell).unwrap());
            page.write_string(at, cell, text).unwrap();
        }
    }
    let book = book.save_to_buffer().unwrap();
    let path = "/api/v1/imports/preview";
    for (kind, file) in [
        ("text/csv; charset=utf-8", town.sheet().into_bytes()),
        (XLSX, book),
    ] {
        let headers = [("content-type", kind)];
        let shown = client.request("POST", path, &headers, file.into()).await;
        assert_eq!(shown.status, 200, "{kind}: {}", shown.text);
        assert_eq!(shown.json()["good"], 2, "{kind}: {}", shown.text);
    }
    let headers = [("content-type", "text/csv")];
    let empty = client
        .request("POST", path, &headers, "没有,标题".into())
        .await;
    assert_eq!(
        (empty.status, &empty.json()["errors"][0]["field"]),
        (422, &json!("rows"))
    );
    let clerk = portal.account("clerk2", &[Role::Applicant]).await;
    let stranger = portal.token("clerk2", &clerk, TokenScope::Write).await;
    let refused = stranger
        .request("POST", path, &headers, town.sheet().into())
        .await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let done = client
        .request("POST", "/api/v1/imports", &headers, town.sheet().into())
        .await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json()["batch"]["count"], 2);
}

#[tokio::test]
async fn the_pages_fill_a_sheet_show_what_comes_of_it_and_keep_what_was_typed() {
    let town = Town::start().await;
    let operator = town.portal.sign_in("operator").await;
    let page = operator.get("/operations/import").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for words in [
        "纳管",
        "old-1",
        "old-2",
        "4 核",
        "不属于任何单位",
        "multipart/form-data",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    // Nothing chosen: said, and nothing lost.
    let answer = post(
        &operator,
        &[("do", "pick"), ("expires", "2027-01-01")],
        None,
    )
    .await;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("请至少选择一项") && answer.text.contains("2027-01-01"));
    let listed = page.text.split("value=\"dif_").nth(1).unwrap();
    let thing = format!("dif_{}", listed.split('"').next().unwrap());
    let picked = post(&operator, &[("do", "pick"), ("thing", &thing)], None).await;
    assert_eq!(picked.status, 200, "{}", picked.text);
    assert!(picked.text.contains("simulator,") && picked.text.contains("系统（D 列）：必填"));

    // A file as Excel writes it in China takes the place of what was typed.
    let bad = town.sheet().replacen("示范市", "别的市", 1);
    let (gb, ..) = encoding_rs::GB18030.encode(&bad);
    let shown = post(&operator, &[("do", "preview"), ("rows", "old")], Some(&gb)).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    for words in ["别的市", "单位（C 列）：没有这个单位", "348.00"] {
        assert!(shown.text.contains(words), "{words}");
    }
    assert_eq!(shown.text.matches("name=\"take\"").count(), 1);
    assert!(shown.text.contains(&town.tick(1, 34_800)));
    let sheet = town.sheet();
    let broken = post(&operator, &[("do", "preview"), ("rows", "a,b\n1,2")], None).await;
    assert_eq!(broken.status, 422);
    assert!(broken.text.contains("缺少列名") && broken.text.contains("a,b"));
    let empty = post(&operator, &[("do", "take"), ("rows", &sheet)], None).await;
    assert_eq!(empty.status, 422, "{}", empty.text);
    let (one, other) = (town.tick(0, 34_800), town.tick(1, 34_800));
    // What was ticked is taken as the preview showed it, or not at all.
    for sheet in [
        sheet.replacen("示范市", "别的市", 1),
        format!("\r\n{sheet}"),
        sheet.replacen(&town.ids[0], &town.ids[1], 1),
    ] {
        let fields = [
            ("do", "take"),
            ("rows", sheet.as_str()),
            ("take", one.as_str()),
        ];
        let changed = post(&operator, &fields, None).await;
        assert_eq!(changed.status, 422, "{}", changed.text);
        assert!(changed.text.contains("表格已改动，请重新预览"));
    }
    let cheap = town.tick(0, 1);
    let dear = post(
        &operator,
        &[
            ("do", "take"),
            ("rows", &sheet),
            ("take", &cheap),
            ("form_id", "form-0123456789"),
        ],
        None,
    )
    .await;
    assert_eq!(dear.status, 422);
    assert!(dear.text.contains("价格已变"), "{}", dear.text);

    let fields = [
        ("do", "take"),
        ("rows", sheet.as_str()),
        ("take", one.as_str()),
        ("take", other.as_str()),
        ("form_id", "form-0123456789"),
    ];
    let done = post(&operator, &fields, None).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let batch = done.header("location").to_owned();
    // The same form sent twice leads to the same batch.
    let twice = post(&operator, &fields, None).await;
    assert_eq!(
        (twice.status, twice.header("location")),
        (303, batch.as_str())
    );
    let page = operator.get(&batch).await.text;
    for words in [
        "old-1",
        "old-2",
        "示范市",
        "有效",
        "撤销纳管",
        "这张表单已提交过",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let leader = town.portal.sign_in("leader").await;
    assert!(leader.get("/notices").await.text.contains("登记到了本单位"));
    let clerk = town.portal.sign_in("clerk").await;
    assert!(clerk.get("/resources").await.text.contains("old-1"));
    assert_eq!(clerk.get("/requests?kind=import").await.status, 200);

    let again = operator.post(&batch, &[("do", "undo")]).await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("请先勾选确认"));
    let undone = operator
        .post(&batch, &[("do", "undo"), ("confirm", "yes")])
        .await;
    assert_eq!(undone.status, 303, "{}", undone.text);
    assert!(operator.get(&batch).await.text.contains("已撤销"));
    let list = operator.get("/operations/import/batches").await.text;
    assert!(list.contains("已撤销"));
    let file = operator.get("/operations/import/template.csv").await;
    assert!(
        file.text.starts_with("\u{feff}云,云上编号,单位,系统"),
        "{}",
        file.text
    );

    let file = operator.get("/operations/import/template.xlsx").await;
    assert_eq!(file.status, 200);
    assert!(file.header("content-type").contains("spreadsheetml"));

    // The page of a stranger leads here; others than operators find nothing.
    let one = format!("/operations/differences/{thing}");
    assert_eq!(operator.get(&one).await.status, 200);
    for path in ["/operations/import", "/operations/import/batches", &batch] {
        assert_eq!(clerk.get(path).await.status, 403, "{path}");
    }
    for file in ["template.csv", "template.xlsx"] {
        let path = format!("/operations/import/{file}");
        assert_eq!(clerk.get(&path).await.status, 403, "{path}");
    }
    assert_eq!(post(&clerk, &fields, None).await.status, 403);
}

#[tokio::test]
async fn a_workbook_is_a_sheet_too_and_what_can_not_be_read_says_what_to_upload() {
    let town = Town::start().await;
    let operator = town.portal.sign_in("operator").await;
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    let rows = [
        ["云", "云上编号", "单位", "系统", "名称"],
        ["simulator", "old-1", "别的市", "统计直报", ""],
        ["simulator", "old-2", "示范市", "统计直报", "web"],
    ];
    for (row, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            page.write_string(row, column, cell).unwrap();
        }
    }
    let file = book.save_to_buffer().unwrap();
    let preview = [("do", "preview"), ("rows", "old")];
    let shown = post(&operator, &preview, Some(&file)).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    // Rows and columns as the spreadsheet shows them; the thing of a name by its id.
    for words in [
        "第 3 行",
        "单位（C 列）：没有这个单位",
        "第 4 行",
        "348.00",
        &town.ids[1],
    ] {
        assert!(shown.text.contains(words), "{words}: {}", shown.text);
    }
    assert_eq!(shown.text.matches("name=\"take\"").count(), 1);

    let mut old = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    old.extend([0; 600]);
    for (file, words) in [
        (old.as_slice(), "旧格式的表格（.xls）"),
        (&file[..file.len() / 2], "已损坏，或不是 Excel 工作簿"),
        (
            &[0xff_u8, 0x00, 0x80][..],
            "不是 Excel 工作簿，也不是 CSV 文本",
        ),
    ] {
        let fields = [("do", "preview"), ("rows", "what was typed")];
        let answer = post(&operator, &fields, Some(file)).await;
        assert_eq!(answer.status, 422, "{words}");
        assert!(answer.text.contains(words), "{words}: {}", answer.text);
        assert!(answer.text.contains("what was typed"), "{words}");
    }

    // What the preview showed is taken, by its id, from the text into which the file was turned.
    let text = "\n云,云上编号,单位,系统,名称\nsimulator,old-1,别的市,统计直报\nsimulator,old-2,示范市,统计直报,web\n";
    let row = ImportRow {
        line: 4,
        cloud: "simulator".to_owned(),
        external_id: "old-2".to_owned(),
        unit: "示范市".to_owned(),
        system: "统计直报".to_owned(),
        name: "web".to_owned(),
        ..ImportRow::default()
    };
    let tick = row.tick(Money::from_fen(34_800), &town.ids[1]);
    assert!(shown.text.contains(&tick), "{tick}: {}", shown.text);
    let fields = [("do", "take"), ("rows", text), ("take", tick.as_str())];
    let done = post(&operator, &fields, None).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let clerk = town.portal.sign_in("clerk").await;
    assert_eq!(post(&clerk, &preview, Some(&file)).await.status, 403);
}
