//! Lists by cursor, on both engines: who walks from page to page meets each row once, in the order of the
//! list, whatever is added or taken away meanwhile.

use lingbao_model::view::{
    page::{MAX_PAGE_ROWS, Total},
    search::HitKind,
    system::SystemForm,
};

use super::{cart, catalogue, request::fixture::City, search, system, token};
use crate::storage::{item_version, sql::Sql};

/// All rows of a list, page by page; `between` happens once, after the first page.
async fn walk<T>(
    page: impl AsyncFn(Option<String>) -> (Vec<T>, Option<String>),
    between: impl AsyncFnOnce(),
) -> Vec<T> {
    let (mut all, mut next) = page(None).await;
    between().await;
    while next.is_some() {
        let (rows, after) = page(next).await;
        assert!(!rows.is_empty(), "a page that was promised is empty");
        all.extend(rows);
        next = after;
    }
    all
}

#[tokio::test]
async fn drafts_are_walked_once_each_while_others_are_begun() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let full = city.cart(1).await;
        for _ in 0..4 {
            city.app.clock.advance_ms(1);
            cart::create(&city.cx(&city.clerk)).await.unwrap();
        }
        let all = cart::drafts(&cx, None, 50).await.unwrap();
        assert_eq!((all.next, all.total), (None, Total::Exact(5)));
        let current: Vec<bool> = all.rows.iter().map(|row| row.current).collect();
        assert_eq!(current, [true, false, false, false, false]);
        let last = &all.rows[4];
        assert_eq!((&last.id, last.lines), (&full.id, 1));
        assert_eq!(last.system_name.as_deref(), Some("经济普查平台"));
        assert_eq!(last.month, full.verdict.month);

        let page = async |after: Option<String>| {
            let page = cart::drafts(&cx, after.as_deref(), 2).await.unwrap();
            (page.rows, page.next)
        };
        let begin = async || {
            city.app.clock.advance_ms(1);
            cart::create(&city.cx(&city.clerk)).await.unwrap();
        };
        assert_eq!(walk(page, begin).await, all.rows);
        let others = cart::drafts(&city.cx(&city.colleague), None, 50).await;
        assert!(others.unwrap().rows.is_empty(), "drafts are a person's own");
    }
}

#[tokio::test]
async fn tokens_are_walked_once_each_while_others_are_made() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let make = async |name: String| {
            let cx = city.cx(&city.clerk);
            token::create(&cx, &name, "read", "30").await.unwrap();
        };
        // At one moment: the id decides.
        for n in 0..5 {
            make(format!("脚本{n}")).await;
        }
        let all = token::list(&cx, None, MAX_PAGE_ROWS).await.unwrap();
        assert_eq!((all.rows.len(), all.total), (5, Total::Exact(5)));
        let page = async |after: Option<String>| {
            let page = token::list(&cx, after.as_deref(), 2).await.unwrap();
            (page.rows, page.next)
        };
        let another = async || {
            city.app.clock.advance_ms(1);
            make("后来的".to_owned()).await;
        };
        assert_eq!(walk(page, another).await, all.rows);
        let others = token::list(&city.cx(&city.colleague), None, 50).await;
        assert!(others.unwrap().rows.is_empty());
    }
}

#[tokio::test]
async fn the_catalogue_goes_on_behind_an_item_that_was_taken_out_meanwhile() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let codes = |offers: Vec<lingbao_model::catalogue::Offer>| -> Vec<String> {
            offers.into_iter().map(|offer| offer.code).collect()
        };
        let all = codes(catalogue::offers(&cx).await.unwrap());
        assert!(all.len() > 4, "{all:?}");
        let page = async |after: Option<String>| {
            let page = catalogue::offers_page(&cx, after.as_deref(), 2).await;
            let (rows, next) = page.unwrap();
            (codes(rows), next)
        };
        let take_out = async || {
            let mut tx = city.app.db.begin().await.unwrap();
            let out = Sql::new("UPDATE item SET offered = FALSE WHERE code = ").bind(&all[1]);
            assert_eq!(out.run(&mut tx).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        assert_eq!(walk(page, take_out).await, all);

        // Who manages items sees that one too.
        let mut rx = city.app.db.read().await.unwrap();
        let managed = item_version::list(&mut rx).await.unwrap();
        drop(rx);
        let page = async |after: Option<String>| {
            let mut rx = city.app.db.read().await.unwrap();
            let page = item_version::page(&mut rx, after.as_deref(), 3).await;
            let page = page.unwrap();
            (page.rows, page.next)
        };
        assert_eq!(walk(page, async || ()).await, managed);
    }
}

#[tokio::test]
async fn places_go_on_behind_a_pool_that_was_closed_meanwhile() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let all = catalogue::places(&cx).await.unwrap();
        let pool = |cell: &str| cell.rsplit('/').next().unwrap().to_owned();
        let closed = pool(&all[0].cell);
        let page = async |after: Option<String>| {
            let page = catalogue::places_page(&cx, after.as_deref(), 1).await;
            page.unwrap()
        };
        let close = async || {
            let mut tx = city.app.db.begin().await.unwrap();
            let sql = Sql::new("UPDATE pool SET open = FALSE WHERE id = ").bind(&closed);
            assert_eq!(sql.run(&mut tx).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        let walked = walk(page, close).await;
        let mut expected = all.clone();
        let first = expected.remove(0);
        expected.retain(|place| pool(&place.cell) != closed);
        expected.insert(0, first);
        assert_eq!(walked, expected);
    }
}

#[tokio::test]
async fn a_search_goes_on_by_pages_through_all_kinds() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        for name in ["普查甲", "普查乙", "普查丙"] {
            let form = SystemForm {
                name: name.into(),
                level: "2".into(),
                ..SystemForm::default()
            };
            system::create(&cx, &form).await.unwrap();
        }
        for _ in 0..3 {
            city.waiting().await;
        }
        let page = async |kind: Option<HitKind>, after: Option<String>, limit: i64| {
            let page = search::page(&cx, "普查", kind, after.as_deref(), limit);
            page.await.unwrap()
        };
        let all = page(None, None, MAX_PAGE_ROWS).await;
        assert_eq!((all.next, all.total), (None, Total::Exact(7)));
        assert_eq!(all.rows, search::find(&cx, "普查").await.unwrap());
        let ask = async || {
            city.app.clock.advance_ms(1);
            city.waiting().await;
        };
        let by_two = async |after| {
            let page = page(None, after, 2).await;
            (page.rows, page.next)
        };
        assert_eq!(walk(by_two, ask).await, all.rows);

        let systems = page(Some(HitKind::System), None, 3).await;
        assert_eq!(systems.total, Total::Exact(4));
        assert_eq!(systems.rows, all.rows[3..6]);
        let rest = page(Some(HitKind::System), systems.next, 3).await;
        assert_eq!((rest.rows, rest.next), (all.rows[6..].to_vec(), None));

        let stranger = city.cx(&city.stranger);
        let seen = search::page(&stranger, "普查", None, None, 50)
            .await
            .unwrap();
        assert_eq!((seen.rows, seen.total), (Vec::new(), Total::Exact(0)));
        let nothing = search::page(&cx, " ", None, None, 50).await.unwrap();
        assert!(nothing.rows.is_empty());
    }
}
