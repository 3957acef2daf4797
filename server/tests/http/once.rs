//! What a form makes it makes once, and where it was meant to: double clicks, and carts that are not
//! the current one.
use axum::body::Body;
use lingbao_model::people::Role;

use crate::{
    day_two::Town,
    forms::{FORM, Form, boss, draft, give_back},
    portal::{Answer, Browser},
};

/// Who posts, to which page, what.
type Case<'a> = (&'a Browser<'a>, &'a str, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn a_double_click_puts_one_line_in_and_leads_to_the_cart_both_times() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let first = draft(&town, &clerk, 1).await;
    let own = first["id"].as_str().unwrap();
    let api = format!("/api/v1/drafts/{own}");
    let configure = format!("/catalogue/S-EVS?cart={own}");
    let page = clerk.get(&configure).await;
    assert!(page.text.contains("name=\"form_id\""), "{}", page.text);
    let line = &first["lines"][0]["line"];
    let cell = format!(
        "{}/2/{}",
        line["placement"]["zone"].as_str().unwrap(),
        line["placement"]["pool"].as_str().unwrap()
    );
    let version = first["version"].to_string();
    let mut fields = vec![
        ("do", "put"),
        ("form_id", FORM),
        ("cart", own),
        ("version", version.as_str()),
        ("line", ""),
        ("cell", cell.as_str()),
        ("count", "1"),
        ("term_months", "12"),
        ("name", "clicked"),
        ("attach_to", line["id"].as_str().unwrap()),
        ("disk_class", "ssd"),
        ("size_gb", "20"),
    ];
    let (one, two) = tokio::join!(
        clerk.post(&configure, &fields),
        clerk.post(&configure, &fields)
    );
    let late = clerk.post(&configure, &fields).await;
    for put in [one, two, late] {
        assert_eq!(put.status, 303, "{}", put.text);
        assert_eq!(put.header("location"), format!("/cart/{own}"));
    }
    let now = clerk.get(&api).await.json();
    let before = first["lines"].as_array().unwrap().len();
    assert_eq!(now["lines"].as_array().unwrap().len(), before + 1);
    // Another form that was opened before is told.
    fields[1].1 = "another-form-of-many";
    let other = clerk.post(&configure, &fields).await;
    assert_eq!(other.status, 409, "{}", other.text);
}

#[tokio::test]
async fn a_form_that_makes_something_makes_it_once() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let of = format!("/api/v1/resources/{}", town.host);
    let request = clerk.get(&of).await.json()["request"].clone();
    let request = format!("/requests/{}", request.as_str().unwrap());
    town.portal.account("keeper", &[Role::SystemAdmin]).await;
    let keeper = town.portal.sign_in("keeper").await;
    let below = format!("/admin/units/{}/new", town.portal.root);
    let root = town.portal.root.to_string();
    let unit = [
        ("name", "示范市档案局"),
        ("short_name", "档案局"),
        ("level", "county"),
        ("kind", "government"),
    ];
    let user = [
        ("unit", root.as_str()),
        ("name", "新来的"),
        ("login", "newcomer"),
        ("phone", ""),
        ("password", "Qianyun-2027"),
    ];
    let cases: [Case<'_>; 4] = [
        (&clerk, "/drafts", &[("do", "new")]),
        (&clerk, &request, &[("do", "copy")]),
        (&keeper, &below, &unit),
        (&keeper, "/admin/users/new", &user),
    ];
    for (browser, path, fields) in cases {
        let page = browser.get(path).await;
        assert!(page.text.contains("name=\"form_id\""), "{path}");
        let mut fields = fields.to_vec();
        fields.push(("form_id", FORM));
        let (one, two) = tokio::join!(browser.post(path, &fields), browser.post(path, &fields));
        let late = browser.post(path, &fields).await;
        assert_eq!(one.status, 303, "{path}: {}", one.text);
        for again in [two, late] {
            assert_eq!(again.status, 303, "{path}: {}", again.text);
            assert_eq!(again.header("location"), one.header("location"), "{path}");
        }
    }
    let drafts = clerk.get("/api/v1/drafts").await.json();
    assert_eq!(drafts["rows"].as_array().unwrap().len(), 2, "{drafts}");
}

#[tokio::test]
async fn of_a_token_made_by_a_double_click_only_the_one_that_is_shown_lives() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let living = async || {
        let rows = clerk.get("/api/v1/tokens").await.json();
        let rows = rows["rows"].as_array().unwrap().clone();
        rows.iter().filter(|t| t["revoked_at"].is_null()).count()
    };
    let before = living().await;
    let fields = [
        ("do", "create"),
        ("form_id", FORM),
        ("name", "脚本"),
        ("scope", "read"),
        ("days", "30"),
    ];
    let secret = |page: &Answer| {
        let at = page.text.find("lbk_").unwrap();
        let rest = &page.text[at..];
        rest[..rest.find('<').unwrap()].to_owned()
    };
    let first = clerk.post("/me/tokens", &fields).await;
    let second = clerk.post("/me/tokens", &fields).await;
    assert_ne!(secret(&first), secret(&second));
    assert_eq!(living().await, before + 1);
    assert!(!second.text.contains(FORM), "the next form is a fresh one");
    let bearer = format!("Bearer {}", secret(&second));
    let program = town.portal.browser();
    let headers = [("authorization", bearer.as_str())];
    let read = program
        .request("GET", "/api/v1/me", &headers, Body::empty())
        .await;
    assert_eq!(read.status, 200, "{}", read.text);
    // Once something has come in by it, it does not go.
    let late = clerk.post("/me/tokens", &fields).await;
    assert_eq!(late.status, 409, "{}", late.text);
    assert_eq!(living().await, before + 1);
}

#[tokio::test]
async fn what_is_chosen_for_a_returned_request_goes_into_it_and_not_into_the_current_draft() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let boss = boss(&town).await;
    let first = draft(&town, &clerk, 3).await;
    let own = first["id"].as_str().unwrap().to_owned();
    let sent = Form::of(&first, "补一份备份").press(&clerk, "submit").await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    give_back(&boss).await;
    // Another draft is the current one.
    draft(&town, &clerk, 1).await;

    let api = format!("/api/v1/drafts/{own}");
    let returned = clerk.get(&api).await.json();
    let form = Form::of(&returned, "补一份备份");
    let more = form.press(&clerk, "more").await;
    let catalogue = format!("/catalogue?cart={own}");
    assert_eq!(more.header("location"), catalogue, "{}", more.text);
    let page = clerk.get(&catalogue).await;
    let configure = format!("/catalogue/S-EVS?cart={own}");
    assert!(page.text.contains(&format!("href=\"{configure}\"")));
    assert!(page.text.contains(&format!("href=\"/cart/{own}\"")));
    assert!(
        page.text
            .contains(&format!("name=\"cart\" value=\"{own}\"")),
        "a filter keeps it"
    );
    let page = clerk.get(&configure).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(&format!("href=\"{catalogue}\"")));
    let now = clerk.get(&api).await.json();
    let (line, version) = (&now["lines"][0]["line"], now["version"].to_string());
    let place = &line["placement"];
    let cell = format!(
        "{}/2/{}",
        place["zone"].as_str().unwrap(),
        place["pool"].as_str().unwrap()
    );
    let fields = [
        ("do", "put"),
        ("cart", own.as_str()),
        ("version", version.as_str()),
        ("line", ""),
        ("cell", cell.as_str()),
        ("count", "1"),
        ("term_months", "12"),
        ("name", "added"),
        ("attach_to", line["id"].as_str().unwrap()),
        ("disk_class", "ssd"),
        ("size_gb", "20"),
    ];
    let put = clerk.post(&configure, &fields).await;
    assert_eq!(put.status, 303, "{}", put.text);
    assert_eq!(put.header("location"), format!("/cart/{own}"));
    let now = clerk.get(&api).await.json();
    let lines = now["lines"].as_array().unwrap();
    assert_eq!(lines.len(), returned["lines"].as_array().unwrap().len() + 1);

    // All lines gone: what is asked for and what was written stand there all the same.
    for row in lines {
        let now = clerk.get(&api).await.json();
        let form = Form::of(&now, "补一份备份");
        let act = format!("remove {}", row["line"]["id"].as_str().unwrap());
        let removed = form.press(&clerk, &act).await;
        assert_eq!(removed.status, 303, "{}", removed.text);
    }
    let page = clerk.get(&format!("/cart/{own}")).await;
    for word in ["请说明数据去向", "value=\"补一份备份\"", "value=\"more\""] {
        assert!(page.text.contains(word), "{word}: {}", page.text);
    }
}
