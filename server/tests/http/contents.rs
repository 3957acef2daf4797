//! Contents of items by page: a form of parameters, checked, written, told to a second person.
use lingbao_model::people::Role;

use crate::{
    as_typed::{fields, named, press},
    portal::{Browser, Portal},
};

const ITEM: &str = "/admin/items/S-EVS";
const FORM: &str = "/admin/items/S-EVS?as=content";

#[tokio::test]
async fn a_parameter_is_added_by_page_and_the_second_person_sees_what_is_new() {
    let portal = Portal::start().await;
    for login in ["one", "two"] {
        portal.account(login, &[Role::Reviewer]).await;
    }
    let (one, two) = (portal.sign_in("one").await, portal.sign_in("two").await);
    let form = one.get(FORM).await;
    assert_eq!(form.status, 200, "{}", form.text);
    let size = named(&form.text, "size_gb").replace(".key", "");
    let max = format!("{size}.max");

    // What is wrong is told at its field, and what was typed stands there still.
    let wrong = press(&one, FORM, &form, "check", &[(&max, "much"), ("name", "")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(wrong.text.contains("value=\"much\""), "{}", wrong.text);
    for at in [max.replace('.', "-"), "name".to_owned()] {
        assert!(wrong.text.contains(&format!("href=\"#f-{at}\"")), "{at}");
    }

    // A row more; its type is changed, and the fields of that type come.
    let more = press(&one, FORM, &form, "param", &[(&max, "200")]).await;
    assert_eq!(more.status, 200, "{}", more.text);
    let before: Vec<_> = fields(&form.text);
    let new = fields(&more.text)
        .into_iter()
        .find(|pair| pair.0 == "row" && !before.contains(pair));
    let new = new.unwrap().1;
    let field = |name: &str| format!("{new}.{name}");
    let (kind, key, name) = (field("type"), field("key"), field("name"));
    let typed = [
        (kind.as_str(), "choice"),
        (key.as_str(), "cipher"),
        (name.as_str(), "算法"),
    ];
    let shown = press(&one, FORM, &more, &format!("show {new}"), &typed).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(fields(&shown.text).contains(&(max.clone(), "200".to_owned())));
    let (options, default) = (field("options"), field("default"));
    let typed = [
        (options.as_str(), "sm4 | SM4\naes | AES-256"),
        (default.as_str(), "sm4"),
        ("deliver_hours", "48"),
    ];
    let written = press(&one, FORM, &shown, "write", &typed).await;
    assert_eq!(written.status, 303, "{}", written.text);

    // Whoever opened the form before is told, and keeps what was typed.
    let late = press(&two, FORM, &form, "write", &[(&max, "77770")]).await;
    assert_eq!(late.status, 409, "{}", late.text);
    assert!(late.text.contains("value=\"77770\""), "{}", late.text);

    let page = two.get(ITEM).await;
    for told in ["算法", "48", "10–32760", "10–200"] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    let again = one.get(FORM).await;
    assert!(again.text.contains("AES-256"), "{}", again.text);

    // Four eyes: who proposes does not publish; after the other one it is what people order by.
    let step = async |browser: &Browser<'_>, act: &str, version: &str| {
        let typed = [
            ("side", "content"),
            ("number", "2"),
            ("version", version),
            ("do", act),
        ];
        browser.post(ITEM, &typed).await.status
    };
    assert_eq!(step(&one, "propose", "1").await, 303);
    assert_eq!(step(&one, "publish", "2").await, 409);
    portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.sign_in("clerk").await;
    let offered = async || {
        let page = clerk.get("/catalogue/S-EVS").await;
        assert_eq!(page.status, 200, "{}", page.text);
        page.text.contains("AES-256")
    };
    assert!(!offered().await);
    assert_eq!(step(&two, "publish", "2").await, 303);
    assert!(offered().await);
}

/// What hangs on a parameter that is moved below it, or called otherwise, is shown as it was said and
/// refused; moved back it stands as before.
#[tokio::test]
async fn a_condition_whose_parameter_moves_away_is_shown_refused_and_comes_back() {
    let portal = Portal::start().await;
    portal.account("one", &[Role::Reviewer]).await;
    let one = portal.sign_in("one").await;
    let path = "/admin/items/C-ECS?as=content";
    let form = one.get(path).await;
    let looks = named(&form.text, "ssh_key").replace(".key", "");
    let when = (format!("{looks}.when"), "access".to_owned());
    let values = (format!("{looks}.values"), "ssh_key".to_owned());
    let kept = |page: &str| {
        let all = fields(page);
        all.contains(&when) && all.contains(&values)
    };
    assert!(kept(&form.text), "{}", form.text);

    let key = named(&form.text, "access");
    let other = [(key.as_str(), "entry")];
    let renamed = press(&one, path, &form, "check", &other).await;
    assert_eq!(renamed.status, 422, "{}", renamed.text);
    assert!(kept(&renamed.text), "{}", renamed.text);
    let back = press(&one, path, &renamed, "write", &[(key.as_str(), "access")]).await;
    assert_eq!(back.status, 303, "{}", back.text);

    let form = one.get(path).await;
    assert!(kept(&form.text), "{}", form.text);
    let first = key.replace(".key", "");
    let mut page = press(&one, path, &form, &format!("down {first}"), &[]).await;
    let last = loop {
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(kept(&page.text), "{}", page.text);
        let next = press(&one, path, &page, &format!("down {first}"), &[]).await;
        if next.status != 200 {
            break page;
        }
        page = next;
    };
    let refused = press(&one, path, &last, "write", &[]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains(&format!("href=\"#f-{looks}-when\"")));
}

#[tokio::test]
async fn who_keeps_prices_reads_contents_and_writes_none() {
    let portal = Portal::start().await;
    portal.account("finance", &[Role::Finance]).await;
    let finance = portal.sign_in("finance").await;
    let shown = finance.get(FORM).await;
    assert_eq!(shown.status, 200);
    assert!(!shown.text.contains("deliver_hours"), "{}", shown.text);
    portal.account("office", &[Role::Reviewer]).await;
    let office = portal.sign_in("office").await;
    let form = office.get(FORM).await;
    let refused = press(&finance, FORM, &form, "write", &[]).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}
