//! A list is the same list as a page, as a file and over the programming interface: for the same person
//! and the same filter the same rows in the same order.
use lingbao_model::{people::Role, view::people::TokenScope};
use serde_json::{Value, json};

use crate::{
    day_two::Town,
    full::{hosts, send},
    portal::{Browser, Portal},
};

/// What is asked of the page, and the same of the programming interface.
type Asked = (&'static str, &'static str);

const REQUESTS: &[Asked] = &[
    ("", ""),
    ("status=in_approval", "status=in_approval"),
    ("status=returned", "status=returned"),
    ("status=rejected", "status=rejected"),
    ("status=withdrawn", "status=withdrawn"),
    ("status=delivered", "status=delivered"),
    ("status=closed", "status=closed"),
    ("mine=1", "mine=true"),
    ("mine=1&status=in_approval", "mine=true&status=in_approval"),
    ("sort=submitted", "sort=oldest"),
    ("q=%E6%99%AE%E6%9F%A5", "q=%E6%99%AE%E6%9F%A5"),
    ("q=nothing-is-called-so", "q=nothing-is-called-so"),
    (
        "from=2026-11-20&to=2026-11-20",
        "from=2026-11-20&to=2026-11-20",
    ),
    ("from=2026-11-21", "from=2026-11-21"),
    ("to=2026-11-19", "to=2026-11-19"),
];

const RESOURCES: &[Asked] = &[
    ("", ""),
    ("kind=server", "kind=server"),
    ("kind=volume", "kind=volume"),
    ("kind=address", "kind=address"),
    ("state=running", "state=running"),
    ("state=stopped", "state=stopped"),
    ("state=recycled", "state=recycled"),
    ("state=released", "state=released"),
    ("billing=unconfirmed", "billing=unconfirmed"),
    ("billing=billing", "billing=billing"),
    ("q=web", "q=web"),
    ("q=nothing", "q=nothing"),
    ("sort=name", "sort=name"),
    ("sort=oldest&kind=server", "sort=oldest&kind=server"),
];

/// The people of the city: each sees something else.
const PEOPLE: &[(&str, Role)] = &[
    ("colleague", Role::Applicant),
    ("boss", Role::DeptLeader),
    ("reviewer", Role::Reviewer),
    ("finance", Role::Finance),
    ("operator", Role::Operator),
    ("auditor", Role::Auditor),
];

/// A city with requests in every state and something that runs, stands still and was given back.
async fn town() -> Town {
    let town = Town::start().await;
    let portal = &town.portal;
    for (login, role) in PEOPLE {
        portal.account(login, &[*role]).await;
    }
    let east = portal.unit(&portal.root, "东县").await;
    portal
        .account_in(&east, "stranger", &[Role::Applicant])
        .await;
    let clerk = portal.sign_in("clerk").await;
    let colleague = portal.sign_in("colleague").await;
    let system = clerk.get("/api/v1/systems").await.json()["rows"][0]["id"].clone();
    let places = clerk.get("/api/v1/places").await.json();
    let cell = places["rows"][0]["cell"].as_str().unwrap().to_owned();
    for (n, decision) in [
        Some("approve"),
        Some("return"),
        Some("reject"),
        Some("approve"),
        None,
        None,
        Some("return"),
        None,
    ]
    .into_iter()
    .enumerate()
    {
        let who = if n % 2 == 0 { &clerk } else { &colleague };
        let title = format!("{}主机 {n}", if n % 3 == 0 { "普查" } else { "直报" });
        let id = order(who, &system, &cell, &title).await;
        if let Some(decision) = decision {
            decide(portal, &id, decision).await;
        }
        // No two are of one moment.
        portal.app.clock.advance_ms(61_000);
        if n == 5 {
            let seen = colleague
                .get(&format!("/api/v1/requests/{id}"))
                .await
                .json();
            let path = format!("/api/v1/requests/{id}/withdraw");
            let back = send(
                &colleague,
                "POST",
                &path,
                &json!({ "version": seen["version"] }),
            )
            .await;
            assert_eq!(back.status, 200, "{}", back.text);
        }
    }
    for _ in 0..30 {
        portal.app.clock.advance_ms(60_000);
        town.run().await;
    }
    town
}

/// Asks for three hosts, to which somebody has to agree.
async fn order(who: &Browser<'_>, system: &Value, cell: &str, title: &str) -> String {
    let mut order = hosts(system, cell, "3");
    order["head"]["title"] = json!(title);
    let draft = send(who, "POST", "/api/v1/drafts", &order).await;
    assert_eq!(draft.status, 201, "{}", draft.text);
    let draft = draft.json();
    let id = draft["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/requests/{id}/submit");
    let sent = send(who, "POST", &path, &json!({ "version": draft["version"] })).await;
    assert_eq!(sent.json()["status"], "in_approval", "{}", sent.text);
    id
}

/// Everybody who is asked about a request answers so.
async fn decide(portal: &Portal, request: &str, decision: &str) {
    for login in ["boss", "reviewer", "finance"] {
        let who = portal.sign_in(login).await;
        let todos = who.get("/api/v1/todos?limit=200").await.json();
        let of = |row: &&Value| row["request"] == request;
        let Some(step) = todos["rows"].as_array().unwrap().iter().find(of) else {
            continue;
        };
        let path = format!("/api/v1/todos/{}", step["step"].as_str().unwrap());
        let card = who.get(&path).await.json();
        let said =
            json!({ "decision": decision, "opinion": "请补充，谢谢", "digest": card["digest"] });
        let done = send(&who, "POST", &format!("{path}/decide"), &said).await;
        assert_eq!(done.status, 200, "{}", done.text);
    }
}

/// The rows of a list over the programming interface, in small pages: all of them.
async fn rest(who: &Browser<'_>, path: &str, query: &str) -> (u16, Vec<Value>) {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("{path}?limit=3&{query}{after}");
        let page = who.get(&path).await;
        if page.status != 200 {
            return (page.status, all);
        }
        let page = page.json();
        all.extend(page["rows"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", crate::portal::escape(next)),
            None => return (200, all),
        }
    }
}

fn texts(rows: &[Value], field: &str) -> Vec<String> {
    let text = |row: &Value| row[field].as_str().unwrap().to_owned();
    rows.iter().map(text).collect()
}

/// What a page leads to below a path, each once, in the order of the page.
fn linked(page: &str, below: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for rest in page.split(&format!("href=\"{below}")).skip(1) {
        let id = rest.split(['"', '?', '/', '#']).next().unwrap().to_owned();
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

/// The lines of a file without its head, cell by cell.
fn cells(file: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    for c in file.trim_start_matches('\u{feff}').chars() {
        match c {
            // A doubled quote closes and opens again: one of the two stays.
            '"' => {
                quoted = !quoted;
                if quoted && cell.ends_with('\u{0}') {
                    cell.pop();
                    cell.push('"');
                } else if !quoted {
                    cell.push('\u{0}');
                }
            }
            ',' if !quoted => line.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            '\r' => {}
            other => cell.push(other),
        }
    }
    for cell in lines.iter_mut().flatten() {
        cell.retain(|c| c != '\u{0}');
    }
    lines.remove(0);
    lines
}

fn column(lines: &[Vec<String>], at: usize) -> Vec<String> {
    lines.iter().map(|line| line[at].clone()).collect()
}

/// One of the lists: its page, its file if it has one, its path over the programming interface; below
/// which path the page leads to a row, by which field; which field the file shows in which column.
struct List {
    page: &'static str,
    file: Option<(&'static str, &'static str, usize)>,
    rest: &'static str,
    leads: (&'static str, &'static str),
    asked: &'static [Asked],
}

const LISTS: &[List] = &[
    List {
        page: "/requests",
        file: Some(("/requests.csv", "number", 0)),
        rest: "/api/v1/requests",
        leads: ("/requests/req_", "id"),
        asked: REQUESTS,
    },
    List {
        page: "/resources",
        file: Some(("/resources.csv", "name", 0)),
        rest: "/api/v1/resources",
        leads: ("/resources/res_", "id"),
        asked: RESOURCES,
    },
    List {
        page: "/todo",
        file: None,
        rest: "/api/v1/todos",
        leads: ("/todo/stp_", "step"),
        asked: &[("", "")],
    },
    List {
        page: "/done",
        file: Some(("/done.csv", "number", 0)),
        rest: "/api/v1/done",
        leads: ("/requests/req_", "request"),
        asked: &[("", "")],
    },
];

#[tokio::test]
async fn a_list_has_the_same_rows_as_page_as_file_and_over_the_interface() {
    let town = town().await;
    let portal = &town.portal;
    let people = ["clerk", "stranger"].into_iter();
    let people: Vec<_> = people.chain(PEOPLE.iter().map(|one| one.0)).collect();
    // How many answers of each list had rows: comparing nothing with nothing proves nothing.
    let mut full = vec![0; LISTS.len()];
    for login in people {
        let who = portal.sign_in(login).await;
        for (list, full) in LISTS.iter().zip(&mut full) {
            for (of_page, of_rest) in list.asked {
                let what = format!("{login}: {}?{of_page}", list.page);
                let (status, rows) = rest(&who, list.rest, of_rest).await;
                let page = who.get(&format!("{}?{of_page}", list.page)).await;
                assert_eq!(page.status, status, "{what}");
                if status != 200 {
                    continue;
                }
                *full += usize::from(!rows.is_empty());
                let (below, field) = list.leads;
                let prefix = below.rsplit('/').next().unwrap();
                let ids = texts(&rows, field);
                let ids: Vec<_> = ids.iter().map(|id| &id[prefix.len()..]).collect();
                assert_eq!(linked(&page.text, below), ids, "{what}");
                let Some((path, field, at)) = list.file else {
                    continue;
                };
                let file = who.get(&format!("{path}?{of_page}")).await;
                assert_eq!(file.status, 200, "{what}: {}", file.text);
                assert_eq!(
                    column(&cells(&file.text), at),
                    texts(&rows, field),
                    "{what}, file"
                );
            }
        }
    }
    for (list, full) in LISTS.iter().zip(full) {
        assert!(full > 0, "nobody has a row of {}", list.page);
    }
}

#[tokio::test]
async fn notices_are_the_same_on_the_page_and_over_the_interface() {
    let town = town().await;
    let mut full = 0;
    for login in ["clerk", "colleague", "boss", "reviewer", "stranger"] {
        let who = town.portal.sign_in(login).await;
        // One that was read is no longer among the unread.
        let (_, rows) = rest(&who, "/api/v1/notices", "").await;
        if let Some(first) = rows.first() {
            let path = format!("/api/v1/notices/{}/read", first["id"].as_str().unwrap());
            let read = send(&who, "POST", &path, &json!({})).await;
            assert_eq!(read.status, 200, "{}", read.text);
        }
        let mut counts = Vec::new();
        for (of_page, of_rest) in [("", ""), ("show=unread", "unread=true")] {
            let (status, rows) = rest(&who, "/api/v1/notices", of_rest).await;
            let page = who.get(&format!("/notices?{of_page}")).await;
            assert_eq!((page.status, status), (200, 200));
            let mut shown = Vec::new();
            for tag in page.text.split("<a ").skip(1) {
                let tag = tag.split('>').next().unwrap();
                if tag.contains("lead plain") {
                    let link = tag.split("href=\"").nth(1).unwrap();
                    shown.push(link.split('"').next().unwrap().replace("&amp;", "&"));
                }
            }
            assert_eq!(shown, texts(&rows, "link"), "{login}: /notices?{of_page}");
            let unread = rows.iter().filter(|row| row["read"] == false);
            counts.push((rows.len(), unread.count()));
        }
        let [(all, unread_of_all), (unread, unread_of_unread)] = counts[..] else {
            unreachable!("two lists were read");
        };
        assert_eq!(
            (unread, unread),
            (unread_of_all, unread_of_unread),
            "{login}"
        );
        assert!(all == 0 || unread < all, "{login} has read one");
        full += usize::from(all > 0);
    }
    assert!(full > 2, "{full} people have notices");
}

#[tokio::test]
async fn the_quota_is_the_same_as_file_and_over_the_interface() {
    let town = town().await;
    let portal = &town.portal;
    let mut used = 0;
    for (login, _) in [
        ("clerk", ()),
        ("boss", ()),
        ("reviewer", ()),
        ("stranger", ()),
    ] {
        let who = portal.sign_in(login).await;
        let (view, file) = (who.get("/api/v1/quota").await, who.get("/quota.csv").await);
        assert_eq!((view.status, file.status), (200, 200), "{login}");
        let view = view.json();
        let mut wanted = Vec::new();
        let own = std::iter::once((&view["unit_name"], &view["rows"]));
        let below = view["children"].as_array().unwrap().iter();
        for (unit, rows) in own.chain(below.map(|one| (&one["name"], &one["rows"]))) {
            for row in rows.as_array().unwrap() {
                let standing = |key: &str| standing_of(row, key);
                let left =
                    standing("limit") - standing("handed") - standing("held") - standing("used");
                used += usize::from(standing("used") > 0);
                let amounts = [
                    standing("limit"),
                    standing("used"),
                    standing("held"),
                    standing("handed"),
                    left,
                ];
                let money = row["dimension"] == "monthly_fee";
                let mut line = vec![
                    unit.as_str().unwrap().to_owned(),
                    row["pool_name"]["zh"].as_str().unwrap().to_owned(),
                ];
                line.extend(amounts.map(|n| match money {
                    true => format!("{}.{:02}", n / 100, n % 100),
                    false => n.to_string(),
                }));
                wanted.push(line);
            }
        }
        let shown: Vec<Vec<String>> = cells(&file.text)
            .into_iter()
            .map(|line| line[..2].iter().chain(&line[4..]).cloned().collect())
            .collect();
        assert_eq!(shown, wanted, "{login}");
    }
    assert!(used > 3, "{used} lines with something used");
}

fn standing_of(row: &Value, key: &str) -> i64 {
    row["standing"][key].as_i64().unwrap()
}

#[tokio::test]
async fn a_token_reads_the_rows_that_its_owner_reads_on_the_page() {
    let town = town().await;
    let portal = &town.portal;
    let user = portal.account("auntie", &[Role::Applicant]).await;
    let program = portal.token("auntie", &user, TokenScope::Read).await;
    let person = portal.sign_in("auntie").await;
    for list in LISTS {
        let by_token = rest(&program, list.rest, "").await;
        assert_eq!(
            by_token,
            rest(&person, list.rest, "").await,
            "{}",
            list.rest
        );
    }
}
