//! Prices by page: a form in yuan, tried, written, told to a second person, published.
use lingbao_model::people::Role;

use crate::{
    as_typed::{fields, named, press},
    portal::{Browser, Portal},
};

const ITEM: &str = "/admin/items/S-EVS";
const FORM: &str = "/admin/items/S-EVS?as=price";

/// Presses a button of one side on the item's page.
async fn step(browser: &Browser<'_>, act: &str, number: &str, version: &str) -> u16 {
    let typed = [
        ("side", "price"),
        ("number", number),
        ("version", version),
        ("do", act),
    ];
    browser.post(ITEM, &typed).await.status
}

#[tokio::test]
async fn a_price_is_written_in_yuan_by_page_and_the_second_person_sees_what_it_changes() {
    let portal = Portal::start().await;
    for login in ["one", "two"] {
        portal.account(login, &[Role::Finance]).await;
    }
    let (one, two) = (portal.sign_in("one").await, portal.sign_in("two").await);
    let form = one.get(FORM).await;
    assert_eq!(form.status, 200, "{}", form.text);
    let ssd = "p0.rate.ssd";
    assert!(fields(&form.text).contains(&(ssd.to_owned(), "0.70".to_owned())));

    // What is wrong is told at its field, and what was typed stands there still.
    let wrong = press(
        &one,
        FORM,
        &form,
        "write",
        &[(ssd, "cheap"), ("p0.name", "")],
    )
    .await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(wrong.text.contains("value=\"cheap\""), "{}", wrong.text);
    for at in ["#f-p0-rate-ssd", "#f-p0-name"] {
        assert!(wrong.text.contains(&format!("href=\"{at}\"")), "{at}");
    }

    // Another kind of price, and back: 0.70 stands in the fields of the steps.
    let steps = press(&one, FORM, &form, "show p0", &[("p0.by", "tiered")]).await;
    assert_eq!(steps.status, 200, "{}", steps.text);
    let begun = named(&steps.text, "p0.t1");
    assert_eq!(begun, "row");

    // A trial of 100 GB: nothing is saved by it.
    let size = ("try.size_gb", "100");
    let tried = press(
        &one,
        FORM,
        &form,
        "try",
        &[(ssd, "0.9"), ("try.disk_class", "ssd"), size],
    )
    .await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    for amount in ["70.00", "90.00", "+20.00", "+240.00"] {
        assert!(tried.text.contains(amount), "{amount}: {}", tried.text);
    }
    let again = one.get(FORM).await;
    assert!(fields(&again.text).contains(&(ssd.to_owned(), "0.70".to_owned())));

    let written = press(&one, FORM, &form, "write", &[(ssd, "０．９")]).await;
    assert_eq!(written.status, 303, "{}", written.text);
    // Whoever opened the form before is told, and keeps what was typed.
    let late = press(&two, FORM, &form, "write", &[(ssd, "0.77")]).await;
    assert_eq!(late.status, 409, "{}", late.text);
    assert!(late.text.contains("value=\"0.77\""), "{}", late.text);

    assert_eq!(step(&one, "propose", "2", "1").await, 303);
    let page = two.get(ITEM).await;
    assert!(page.text.contains("id=\"waiting\""), "{}", page.text);
    let closed = two.get(FORM).await;
    assert!(
        !closed.text.contains("p0.rate"),
        "what waits is not written on"
    );
    assert_eq!(
        step(&one, "publish", "2", "2").await,
        409,
        "not who wrote it"
    );
    assert_eq!(step(&two, "publish", "2", "2").await, 303);
    let form = two.get(FORM).await;
    assert!(fields(&form.text).contains(&(ssd.to_owned(), "0.90".to_owned())));
    assert!(!two.get(ITEM).await.text.contains("id=\"waiting\""));
}

#[tokio::test]
async fn who_keeps_items_reads_prices_and_writes_none_and_others_find_nothing() {
    let portal = Portal::start().await;
    portal.account("office", &[Role::Reviewer]).await;
    portal.account("clerk", &[Role::Applicant]).await;
    let office = portal.sign_in("office").await;
    let shown = office.get(FORM).await;
    assert_eq!(shown.status, 200);
    assert!(!shown.text.contains("p0.rate"), "{}", shown.text);
    let typed = [
        ("side", "price"),
        ("row", "form"),
        ("number", "1"),
        ("version", "1"),
        ("do", "write"),
    ];
    assert_eq!(office.post(FORM, &typed).await.status, 403);
    let clerk = portal.sign_in("clerk").await;
    let (page, post) = (clerk.get(FORM).await, clerk.post(FORM, &typed).await);
    assert_eq!((page.status, post.status), (403, 403));
}
