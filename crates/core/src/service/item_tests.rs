use lingbao_model::{
    people::{Reach, Role},
    view::item::{Act, Side},
};

use crate::{
    app::Cx,
    error::ServiceError,
    service::{
        catalogue, item,
        request::fixture::{City, add, give},
    },
};

/// The text of the newest version of a side.
async fn newest(cx: &Cx, code: &str, side: Side) -> (i64, i64, String) {
    let view = item::get(cx, code).await.unwrap();
    let rows = match side {
        Side::Content => view.contents,
        Side::Price => view.prices,
    };
    let row = rows.into_iter().next().unwrap();
    (row.number, row.version, row.text)
}

/// Acts on the newest version of a side.
async fn act(cx: &Cx, code: &str, side: Side, act: Act) -> Result<(), ServiceError> {
    let (number, version, _) = newest(cx, code, side).await;
    item::act(cx, code, side, (number, version), act).await
}

/// Writes on from the newest version of a side.
async fn write(cx: &Cx, code: &str, side: Side, text: &str) -> Result<i64, ServiceError> {
    let (number, version, _) = newest(cx, code, side).await;
    item::write(cx, code, side, (number, version), text).await
}

#[tokio::test]
async fn of_two_who_write_one_item_the_second_is_told_and_overwrites_nothing() {
    for city in City::all().await {
        let second = add(&city.app, "office2", &city.bureau).await;
        give(
            &city.app,
            &second,
            Role::Reviewer,
            &city.bureau,
            Reach::Site,
        )
        .await;
        let (one, two) = (city.cx(&city.office), city.cx(&second));
        let put = async |cx: &Cx, seen: (i64, i64), most: &str| {
            let text = newest(cx, "C-ECS", Side::Content).await.2;
            let at = text.find("\"max_count\": ").unwrap();
            let end = at + text[at..].find([',', '\n']).unwrap();
            let text = format!("{}\"max_count\": {most}{}", &text[..at], &text[end..]);
            item::write(cx, "C-ECS", Side::Content, seen, &text).await
        };
        let stale = |result: Result<i64, ServiceError>| matches!(result, Err(ServiceError::Conflict(m)) if m.key == "error.stale");
        let now = async || {
            let (number, version, text) = newest(&one, "C-ECS", Side::Content).await;
            ((number, version), text)
        };
        // Both begin a draft from what is published, and then both write on in one draft.
        for first in ["7", "8"] {
            let (seen, _) = now().await;
            put(&one, seen, first).await.unwrap();
            let (after, text) = now().await;
            assert_ne!(after, seen);
            assert!(stale(put(&two, seen, "9").await));
            assert_eq!(now().await, (after, text), "{first}");
        }
        // Whoever has read it writes on.
        let (seen, _) = now().await;
        put(&two, seen, "9").await.unwrap();
        assert!(now().await.1.contains("\"max_count\": 9"));
    }
}

#[tokio::test]
async fn a_version_is_published_by_another_person_than_who_wrote_it() {
    for city in City::all().await {
        let second = add(&city.app, "office2", &city.bureau).await;
        give(
            &city.app,
            &second,
            Role::Reviewer,
            &city.bureau,
            Reach::Site,
        )
        .await;
        let (one, two) = (city.cx(&city.office), city.cx(&second));
        let (number, version, text) = newest(&one, "C-ECS", Side::Content).await;
        let text = text.replacen("\"max_count\": 50", "\"max_count\": 7", 1);
        let draft = write(&one, "C-ECS", Side::Content, &text).await.unwrap();
        assert_eq!(draft, number + 1);
        assert!(matches!(
            act(&one, "C-ECS", Side::Content, Act::Publish).await,
            Err(ServiceError::Conflict(_))
        ));
        act(&one, "C-ECS", Side::Content, Act::Propose)
            .await
            .unwrap();
        match act(&one, "C-ECS", Side::Content, Act::Publish).await {
            Err(ServiceError::Conflict(msg)) => assert_eq!(msg.key, "items.second_person"),
            other => panic!("{other:?}"),
        }
        act(&two, "C-ECS", Side::Content, Act::Publish)
            .await
            .unwrap();
        let view = item::get(&one, "C-ECS").await.unwrap();
        let states: Vec<_> = view.contents.iter().map(|v| v.state.as_str()).collect();
        assert_eq!(states, ["published", "retired"]);
        let offers = catalogue::offers(&city.cx(&city.clerk)).await.unwrap();
        let host = offers.iter().find(|o| o.code == "C-ECS").unwrap();
        assert_eq!((host.version, host.content.max_count), (number + 1, 7));
        // Who read the version before is told, and nothing is written.
        let stale = item::act(
            &two,
            "C-ECS",
            Side::Content,
            (number, version),
            Act::Propose,
        )
        .await;
        assert!(matches!(stale, Err(ServiceError::Conflict(_))));
    }
}

#[tokio::test]
async fn a_new_item_can_be_ordered_once_both_sides_are_published_by_second_persons() {
    for city in City::all().await {
        let second = add(&city.app, "office2", &city.bureau).await;
        give(
            &city.app,
            &second,
            Role::Reviewer,
            &city.bureau,
            Reach::Site,
        )
        .await;
        let money = add(&city.app, "finance2", &city.bureau).await;
        give(&city.app, &money, Role::Finance, &city.bureau, Reach::Site).await;
        let office = city.cx(&city.office);
        let clerk = city.cx(&city.clerk);
        item::create(&office, "m-new", "M-MIG").await.unwrap();
        let text = newest(&office, "M-NEW", Side::Content).await.2;
        let mut content: serde_json::Value = serde_json::from_str(&text).unwrap();
        content["name"] = serde_json::json!({ "zh": "新服务", "en": "New" });
        content["schema"].as_array_mut().unwrap().push(serde_json::json!({
            "key": "window", "label": { "zh": "时段", "en": "Window" }, "type": "text", "shape": "line",
            "max_chars": 40, "depends_on": { "if": "one_of", "param": "scope", "values": ["x"] }
        }));
        write(&office, "M-NEW", Side::Content, &content.to_string())
            .await
            .unwrap();
        let offered = async || {
            let offers = catalogue::offers(&clerk).await.unwrap();
            offers.iter().any(|o| o.code == "M-NEW")
        };
        act(&office, "M-NEW", Side::Content, Act::Propose)
            .await
            .unwrap();
        act(&city.cx(&second), "M-NEW", Side::Content, Act::Publish)
            .await
            .unwrap();
        assert!(!offered().await, "no price is published");
        // The copy of the price was written by the office: finance proposes and publishes it.
        let finance = city.cx(&city.finance);
        act(&finance, "M-NEW", Side::Price, Act::Propose)
            .await
            .unwrap();
        act(&city.cx(&money), "M-NEW", Side::Price, Act::Publish)
            .await
            .unwrap();
        assert!(offered().await);
        let wrong = write(&office, "M-NEW", Side::Price, "[]").await;
        assert!(matches!(wrong, Err(ServiceError::Forbidden)));
        assert!(matches!(
            item::list(&clerk).await,
            Err(ServiceError::Forbidden)
        ));
    }
}

#[tokio::test]
async fn a_choice_that_nobody_priced_is_not_published() {
    for city in City::all().await {
        let second = add(&city.app, "office2", &city.bureau).await;
        give(
            &city.app,
            &second,
            Role::Reviewer,
            &city.bureau,
            Reach::Site,
        )
        .await;
        let (one, two) = (city.cx(&city.office), city.cx(&second));
        let text = newest(&one, "S-EVS", Side::Content).await.2;
        let mut content: serde_json::Value = serde_json::from_str(&text).unwrap();
        let classes = content["schema"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|param| param["key"] == "disk_class")
            .unwrap();
        let mut another = classes["options"][0].clone();
        another["value"] = serde_json::json!("nvme");
        classes["options"].as_array_mut().unwrap().push(another);
        write(&one, "S-EVS", Side::Content, &content.to_string())
            .await
            .unwrap();
        act(&one, "S-EVS", Side::Content, Act::Propose)
            .await
            .unwrap();
        let free = act(&two, "S-EVS", Side::Content, Act::Publish).await;
        assert!(
            matches!(&free, Err(ServiceError::Invalid(e)) if e[0].msg.key == "schema.no_price_for"),
            "{free:?}"
        );

        // Priced first, it may be asked for.
        let money = add(&city.app, "finance2", &city.bureau).await;
        give(&city.app, &money, Role::Finance, &city.bureau, Reach::Site).await;
        let finance = city.cx(&city.finance);
        let text = newest(&finance, "S-EVS", Side::Price).await.2;
        let mut price: serde_json::Value = serde_json::from_str(&text).unwrap();
        price[0]["tariff"]["rates"]["nvme"] = serde_json::json!(90_000_000);
        write(&finance, "S-EVS", Side::Price, &price.to_string())
            .await
            .unwrap();
        act(&finance, "S-EVS", Side::Price, Act::Propose)
            .await
            .unwrap();
        act(&city.cx(&money), "S-EVS", Side::Price, Act::Publish)
            .await
            .unwrap();
        act(&two, "S-EVS", Side::Content, Act::Publish)
            .await
            .unwrap();
    }
}
