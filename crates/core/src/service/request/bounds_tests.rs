//! What stands around requests: who sees them, lists, copies, mistyped forms, a thousand at once.

use lingbao_model::{
    catalogue::Fulfiller,
    id::{PoolId, RequestId, ResourceId, StepId},
    makes::{EACH, GENERAL, Hosts, Makes},
    param::Kind,
    placement::Level,
    quota::{Dimension, PoolDimension, Shortfall},
    request::{Decision, Status},
    time::MINUTE_MS,
    verdict::Above,
    view::request::{ConfigureView, HeadForm, LineForm, RequestFilter},
};

use super::{
    confirm, detail, fixture::City, list, release, resubmit, submit, tests::key, withdraw,
};
use crate::{
    error::{ServiceError, StorageError},
    service::{approval, cart, catalogue},
    storage::{
        cloud,
        place::{self, PoolFigure},
        sql::Sql,
    },
};

fn not_found<T: std::fmt::Debug>(result: Result<T, ServiceError>) {
    assert!(matches!(result, Err(ServiceError::NotFound)), "{result:?}");
}

#[tokio::test]
async fn a_foreign_id_and_an_unknown_one_are_the_same_to_everybody() {
    for city in City::all().await {
        let mine = city.waiting().await;
        let draft = city.cart(1).await;
        let step = city.todo(&city.leader).await;
        let stranger = city.cx(&city.stranger);
        let colleague = city.cx(&city.colleague);
        let digest = "d".repeat(64);
        let (unknown_step, nothing): (StepId, RequestId) = (city.app.id(), city.app.id());
        for id in [&mine, &draft.id, &nothing] {
            not_found(detail::detail(&stranger, id).await.map(|_| ()));
            not_found(cart::copy(&stranger, id).await);
            // Of the same unit, but not the applicant: the request can be read, not touched.
            for cx in [&stranger, &colleague] {
                not_found(cart::open(cx, id).await.map(|_| ()));
                not_found(cart::discard(cx, id, 1).await);
                not_found(cart::refresh(cx, id, 1).await);
                not_found(cart::configure(cx, Some(id), "C-ECS").await.map(|_| ()));
                not_found(cart::put_line(cx, id, 1, None, &city.host()).await);
                not_found(cart::try_line(cx, id, None, &city.host()).await);
                not_found(cart::save_head(cx, id, 1, &HeadForm::default()).await);
                let line = &draft.lines[0].line;
                not_found(cart::edit_line(cx, id, &line.id).await.map(|_| ()));
                not_found(cart::remove_line(cx, id, 1, &line.id).await);
                not_found(cart::restore_line(cx, id, 1, line).await);
                not_found(submit::submit(cx, id, 1, None, "some-form-id").await);
                not_found(resubmit::resubmit(cx, id, 1, None, "some-form-id").await);
                not_found(withdraw::withdraw(cx, id, 1).await);
                not_found(confirm::confirm(cx, id, 1).await);
            }
        }
        for id in [&step, &unknown_step] {
            not_found(approval::card(&stranger, id).await.map(|_| ()));
            let decided = approval::decide(&stranger, id, Decision::Approve, "", &digest).await;
            not_found(decided);
        }
        let resource: ResourceId = city.app.id();
        not_found(release::create(&stranger, &[resource], "不再使用", true, "some-form-id").await);
        // Nothing of it is counted, found or listed either.
        let filter = RequestFilter {
            text: "经济普查".into(),
            ..RequestFilter::default()
        };
        assert_eq!(list::list(&stranger, &filter).await.unwrap().rows, []);
        assert_eq!(list::export(&stranger, &filter).await.unwrap().0, []);
        assert_eq!(list::counts(&stranger, &filter).await.unwrap(), []);
        assert_eq!(list::list(&colleague, &filter).await.unwrap().rows.len(), 1);
        assert!(detail::detail(&colleague, &mine).await.is_ok());
        // A system of another unit is no system.
        let theirs = city.new_system(&city.stranger).await;
        let head = HeadForm {
            system: theirs.to_string(),
            ..HeadForm::default()
        };
        let clerk = city.cx(&city.clerk);
        let chosen = cart::save_head(&clerk, &draft.id, draft.version, &head).await;
        assert_eq!(key(chosen), "system:error.not_in_list ");
        let foreign = super::super::system::get(&clerk, &theirs).await;
        not_found(foreign);
    }
}

#[tokio::test]
async fn the_list_filters_searches_and_pages_by_key() {
    for city in City::all().await {
        for _ in 0..5 {
            city.waiting().await;
            city.app.clock.advance_ms(MINUTE_MS);
        }
        let cx = city.cx(&city.clerk);
        let mut filter = RequestFilter {
            limit: 2,
            ..RequestFilter::default()
        };
        let mut numbers = Vec::new();
        loop {
            let page = list::list(&cx, &filter).await.unwrap();
            assert_eq!(page.total, lingbao_model::view::page::Total::Exact(5));
            numbers.extend(page.rows.into_iter().map(|r| r.number));
            filter.after = page.next;
            if filter.after.is_none() {
                break;
            }
        }
        assert_eq!(numbers.len(), 5);
        assert!(numbers.is_sorted_by(|a, b| a > b), "youngest first");
        let found = |text: &str| RequestFilter {
            text: text.into(),
            ..RequestFilter::default()
        };
        for (text, count) in [("0003", 1), ("jjpc", 5), ("普查平台", 5), ("没有", 0)] {
            let rows = list::list(&cx, &found(text)).await.unwrap().rows;
            assert_eq!(rows.len(), count, "{text}");
        }
        let closed = RequestFilter {
            status: Some(Status::Closed),
            ..RequestFilter::default()
        };
        assert_eq!(list::list(&cx, &closed).await.unwrap().rows, []);
        // The tabs count what is under way, whichever tab is open; the file goes on where it ended.
        let counts = list::counts(&cx, &closed).await.unwrap();
        assert_eq!(counts, [(Status::InApproval, 5)]);
        assert_eq!(
            list::counts(&cx, &found("0003")).await.unwrap(),
            [(Status::InApproval, 1)]
        );
        let (rows, next) = list::export(&cx, &RequestFilter::default()).await.unwrap();
        assert_eq!((rows.len(), next), (5, None));
        let day = lingbao_model::time::Zone::SHANGHAI.date(cx.now());
        for (from, to, count) in [
            (Some(day), Some(day), 5),
            (Some(day.plus_days(1)), None, 0),
            (None, Some(day.plus_days(-1)), 0),
        ] {
            let filter = RequestFilter {
                from,
                to,
                ..RequestFilter::default()
            };
            assert_eq!(list::list(&cx, &filter).await.unwrap().rows.len(), count);
        }
        let filter = RequestFilter {
            sort: Some(lingbao_model::view::request::RequestSort::Oldest),
            ..RequestFilter::default()
        };
        let (rows, _) = list::export(&cx, &filter).await.unwrap();
        assert!(
            rows.is_sorted_by(|a, b| a.number < b.number),
            "oldest first"
        );
    }
}

#[tokio::test]
async fn a_copy_leaves_out_what_is_retired_and_takes_the_price_of_today() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let view = city.cart(2).await;
        let disk = city.disk(&view.lines[0].line.id);
        let disk = LineForm {
            count: "2".into(),
            ..disk
        };
        cart::put_line(&cx, &view.id, view.version, None, &disk)
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        let source = city.submit(&view).await.unwrap().request;
        let copied = cart::copy(&cx, &source).await.unwrap();
        assert_eq!(copied.notes, []);
        let copy = cart::open(&cx, &copied.cart).await.unwrap();
        assert_eq!(copy.problems, []);
        assert_eq!(copy.lines[1].attached_to, Some((1, "web".into())));
        assert_ne!(copy.lines[0].line.id, view.lines[0].line.id);

        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE item SET offered = FALSE WHERE code = ")
            .bind("S-EVS")
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let copied = cart::copy(&cx, &source).await.unwrap();
        assert_eq!(copied.notes[0].key, "cart.copy.retired");
        let without = cart::open(&cx, &copied.cart).await.unwrap();
        assert_eq!(without.lines.len(), 1);
        // The cart that still holds it says so and can't be submitted.
        let stale = city.submit(&cart::open(&cx, &copy.id).await.unwrap()).await;
        assert!(key(stale).contains("cart.item_retired"));
    }
}

#[tokio::test]
async fn wrong_fields_are_named_each_with_its_message() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let id = cart::create(&cx).await.unwrap();
        let mut form = city.host();
        form.count = "０".into();
        form.name = "Web 1".into();
        form.cell = city.cell_three.replace("/3/", "/2/").replace("zon", "zoo");
        form.typed.insert("vcpus".into(), "９９９".into());
        let wrong = key(cart::put_line(&cx, &id, 1, None, &form).await);
        for field in [
            "vcpus:error.too_large",
            "count:error.too_small",
            "name:error.hostname",
            "cell:",
        ] {
            assert!(wrong.contains(field), "{field} in {wrong}");
        }
        let tried = cart::try_line(&cx, &id, None, &form).await.unwrap();
        assert_eq!(tried.errors.len(), 4);
        let empty = submit::submit(&cx, &id, 1, None, "some-form-id").await;
        let told = key(empty);
        for field in ["system:", "title:", "reason:", "verdict:verdict.empty"] {
            assert!(told.contains(field), "{field} in {told}");
        }
    }
}

#[tokio::test]
async fn a_line_in_no_draft_is_judged_as_in_an_empty_one_and_nothing_is_kept() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let head = HeadForm {
            system: city.system.to_string(),
            ..HeadForm::default()
        };
        let alone = cart::try_alone(&cx, &head, &city.host()).await.unwrap();
        assert_eq!(alone.errors, []);
        assert!(alone.verdict.month > lingbao_model::money::Money::ZERO);
        let drafts = Sql::new("SELECT count(*) FROM request");
        assert_eq!(city.count(drafts).await, 0, "nothing is kept");
        let id = cart::create(&cx).await.unwrap();
        cart::save_head(&cx, &id, 1, &head).await.unwrap();
        let tried = cart::try_line(&cx, &id, None, &city.host()).await.unwrap();
        assert_eq!(alone.verdict, tried.verdict);

        city.only(Dimension::Vcpu, 3).await;
        let short = cart::try_alone(&cx, &head, &city.host()).await.unwrap();
        assert_eq!(short.verdict.shortfalls.len(), 1);

        let stranger = city.cx(&city.stranger);
        let foreign = key(cart::try_alone(&stranger, &head, &city.host()).await);
        assert!(foreign.contains("system:error.not_in_list"), "{foreign}");
        let leader = city.cx(&city.leader);
        let refused = cart::try_alone(&leader, &HeadForm::default(), &city.host()).await;
        assert!(
            matches!(refused, Err(ServiceError::Forbidden)),
            "{refused:?}"
        );
        let nothing = LineForm {
            item: "C-NOTHING".into(),
            ..city.host()
        };
        let unknown = cart::try_alone(&cx, &head, &nothing).await;
        assert!(
            matches!(unknown, Err(ServiceError::NotFound)),
            "{unknown:?}"
        );
    }
}

#[tokio::test]
async fn of_a_thousand_submits_at_once_exactly_those_that_fit_are_made() {
    for city in City::all().await {
        // 4 cores each: 37 of them fit.
        city.only(Dimension::Vcpu, 150).await;
        let carts = city.thousand_drafts().await;
        let mut waiting = tokio::task::JoinSet::new();
        for id in carts {
            let cx = city.cx(&city.clerk);
            waiting.spawn(async move {
                let form = format!("form-{id}");
                loop {
                    // On a slow machine the last of a thousand may wait longer than the database lets
                    // anybody wait: told so, one sends the same form again.
                    match submit::submit(&cx, &id, 1, None, &form).await {
                        Err(ServiceError::Unavailable { .. }) => {}
                        answer => return answer,
                    }
                }
            });
        }
        let (mut made, mut refused) = (0, 0);
        while let Some(result) = waiting.join_next().await {
            match result.unwrap() {
                Ok(_) => made += 1,
                Err(ServiceError::QuotaExceeded(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((made, refused), (37, 963));
        let standing = city.standing(&city.vdc, Dimension::Vcpu).await;
        assert_eq!((standing.held, standing.left()), (148, 2));
        let numbers = Sql::new("SELECT count(DISTINCT number) FROM request");
        assert_eq!(city.count(numbers).await, 37);
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_system_of_level_three_is_not_placed_at_level_two() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let form = lingbao_model::view::system::SystemForm {
            name: "社会保障卡平台".into(),
            level: "3".into(),
            ..Default::default()
        };
        let three = super::super::system::create(&cx, &form).await.unwrap();
        let low = city
            .cart_with(&city.clerk, &three, &city.host(), false)
            .await;
        assert_eq!(low.problems[0].msg.key, "cart.placed_too_low");
        assert_eq!(
            key(city.submit(&low).await),
            "lines[0].cell:cart.placed_too_low "
        );
        let right = LineForm {
            cell: city.cell_three.clone(),
            ..city.host()
        };
        let right = city.cart_with(&city.clerk, &three, &right, false).await;
        assert_eq!(right.problems, []);
        city.submit(&right).await.unwrap();
        // Nor is it called a smaller one under what it has.
        let row = super::super::system::get(&cx, &three).await.unwrap();
        let lower = lingbao_model::view::system::SystemForm {
            level: "2".into(),
            ..form
        };
        let lowered = super::super::system::edit(&cx, &three, row.version, &lower).await;
        assert_eq!(key(lowered), "level:system.level_down ");
    }
}

#[tokio::test]
async fn of_all_cells_the_server_takes_the_legal_ones_and_refuses_every_other_with_the_matrix_word()
{
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let mut rx = cx.db().read().await.unwrap();
        let zones = place::zones(&mut rx).await.unwrap();
        let pools = place::pools(&mut rx).await.unwrap();
        drop(rx);
        let id = cart::create(&cx).await.unwrap();
        let (mut version, mut legal, mut refused) = (1, 0, 0);
        for (zone, pool) in zones.iter().flat_map(|z| pools.iter().map(move |p| (z, p))) {
            for level in Level::ALL {
                let form = LineForm {
                    cell: format!("{}/{level}/{}", zone.id, pool.id),
                    ..city.host()
                };
                let put = cart::put_line(&cx, &id, version, None, &form).await;
                match pool.accepts(zone, *level) {
                    Ok(()) => {
                        version = put.unwrap().version;
                        legal += 1;
                    }
                    Err(why) => {
                        let said = key(put);
                        assert_eq!(said.trim(), format!("cell:{}", why.key), "{}", form.cell);
                        refused += 1;
                    }
                }
            }
        }
        assert!(legal > 0 && refused > 0, "{legal} legal, {refused} refused");
    }
}

#[tokio::test]
async fn what_a_cloud_does_not_make_is_neither_offered_nor_submitted() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let cart = city.cart(1).await;
        let lacks = async |kinds: &[Fulfiller]| {
            let mut tx = city.app.db.begin().await.unwrap();
            cloud::save_lacks(&mut tx, "simulator", kinds)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        lacks(&[Fulfiller::Server, Fulfiller::Backup]).await;
        let offered = async || {
            let offers = catalogue::offers(&cx).await.unwrap();
            let codes = offers.into_iter().map(|o| o.code);
            codes.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(offered().await, "S-EVS N-EIP M-MIG");
        assert!(catalogue::offer(&cx, "D-LB").await.is_err());
        // A draft that is older than the cloud's word is refused with the line's place.
        let refused = city.submit(&cart).await.unwrap_err();
        let ServiceError::Invalid(fields) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(fields[0].field, "lines[0].cell");
        assert_eq!(fields[0].msg.key, "cart.not_made_here");
        lacks(&[]).await;
        assert_eq!(offered().await, "C-ECS S-EVS N-EIP D-LB M-MIG");
        city.submit(&cart).await.unwrap();
    }
}

/// From now on this is made in each pool.
async fn told(city: &City, makes: &Makes) -> Result<(), StorageError> {
    let mut tx = city.app.db.begin().await?;
    for (pool, ..) in place::sites(&mut tx).await? {
        place::save_makes(&mut tx, &pool, Some(makes)).await?;
    }
    tx.commit().await
}

/// Hosts of each architecture and any size from these images, and any disk.
fn of_images(images: &[&str]) -> Makes {
    let hosts = Hosts {
        images: images.iter().map(|code| (*code).to_owned()).collect(),
        sizes: None,
    };
    Makes {
        hosts: [(EACH.to_owned(), hosts)].into(),
        disk_classes: None,
    }
}

/// General hosts of these sizes, and SSDs.
fn of_sizes(sizes: &[(i64, i64)]) -> Makes {
    let mut makes = of_images(&["kylin-v10"]);
    let hosts = makes.hosts.remove(EACH).unwrap_or_default();
    let hosts = Hosts {
        sizes: Some(sizes.to_vec()),
        ..hosts
    };
    makes.hosts.insert(GENERAL.to_owned(), hosts);
    makes.disk_classes = Some(vec!["ssd".to_owned()]);
    makes
}

#[tokio::test]
async fn an_architecture_a_size_and_a_class_that_a_pool_does_not_make_are_refused() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        told(&city, &of_sizes(&[(4, 8), (8, 16)])).await.unwrap();
        let blocks = async |more: &[(&str, &str)], class: &str| {
            let mut host = city.host();
            let more = more.iter();
            host.typed
                .extend(more.map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
            let cart = city
                .cart_with(&city.clerk, &city.system, &host, false)
                .await;
            let mut disk = city.disk(&cart.lines[0].line.id);
            disk.typed.insert("disk_class".into(), class.into());
            let version = cart.version;
            cart::put_line(&cx, &cart.id, version, None, &disk)
                .await
                .unwrap();
            let seen = cart::open(&cx, &cart.id).await.unwrap();
            let keys = seen.verdict.blocks.iter().map(|it| it.key.to_string());
            keys.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(blocks(&[], "ssd").await, "");
        assert_eq!(blocks(&[], "sata").await, "verdict.no_disk_class");
        let other = [("arch", "kunpeng")];
        assert_eq!(blocks(&other, "ssd").await, "verdict.no_arch");
        let other = [("vcpus", "8")];
        assert_eq!(blocks(&other, "ssd").await, "verdict.no_size");
        let other = [("vcpus", "8"), ("memory_gb", "16")];
        assert_eq!(blocks(&other, "ssd").await, "");
    }
}

#[tokio::test]
async fn a_form_offers_the_architectures_sizes_and_classes_that_some_open_pool_makes() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        told(&city, &of_sizes(&[(2, 8), (8, 16), (8, 32), (99, 999)]))
            .await
            .unwrap();
        let choices = |view: &ConfigureView, key: &str| -> String {
            let param = view.offer.content.schema.get(key).unwrap();
            let Kind::Choice { options, .. } = &param.kind else {
                panic!("{:?}", param.kind);
            };
            let values: Vec<&str> = options.iter().map(|it| it.value.as_str()).collect();
            values.join(" ")
        };
        let bounds = |view: &ConfigureView, key: &str| {
            let param = view.offer.content.schema.get(key).unwrap();
            let Kind::Integer { min, max, .. } = &param.kind else {
                panic!("{:?}", param.kind);
            };
            (*min, *max, view.form.typed[key].clone())
        };
        let view = cart::configure(&cx, None, "C-ECS").await.unwrap();
        assert_eq!(choices(&view, "arch"), "general");
        assert_eq!(choices(&view, "image"), "kylin-v10");
        // 4 cores with 8 GB are proposed by the item and made nowhere; what the item does not allow
        // (99 cores) is no bound.
        assert_eq!(bounds(&view, "vcpus"), (2, 8, "8".to_owned()));
        assert_eq!(bounds(&view, "memory_gb"), (8, 32, "16".to_owned()));
        let view = cart::configure(&cx, None, "S-EVS").await.unwrap();
        assert_eq!(choices(&view, "disk_class"), "ssd");
        // A line that is there already keeps what it has.
        let cart = city.cart(1).await;
        told(&city, &of_sizes(&[(8, 16)])).await.unwrap();
        let line = &cart.lines[0].line;
        let view = cart::edit_line(&cx, &cart.id, &line.id).await.unwrap();
        assert_eq!(bounds(&view, "vcpus"), (4, 8, "4".to_owned()));
    }
}

#[tokio::test]
async fn an_image_that_the_pools_cloud_does_not_have_is_refused_before_it_is_submitted() {
    for city in City::all().await {
        let says = async |images: &[&str]| {
            told(&city, &of_images(images)).await.unwrap();
        };
        // A cloud that has not answered yet refuses nothing.
        let cart = city.cart(1).await;
        assert!(cart.verdict.passes(), "{:?}", cart.verdict.blocks);
        says(&["uos-20", "debian-12"]).await;
        let cx = city.cx(&city.clerk);
        let seen = cart::open(&cx, &cart.id).await.unwrap();
        let blocks: Vec<&str> = seen.verdict.blocks.iter().map(|it| &*it.key).collect();
        assert_eq!(blocks, ["verdict.no_image"]);
        let refused = key(city.submit(&cart).await);
        assert_eq!(refused, "verdict:verdict.no_image ");
        says(&["uos-20", "kylin-v10"]).await;
        city.submit(&cart).await.unwrap();
    }
}

#[tokio::test]
async fn an_image_that_no_open_pools_cloud_has_is_not_offered_but_to_the_line_that_has_it() {
    for city in City::all().await {
        let says = async |images: &[&str]| {
            told(&city, &of_images(images)).await.unwrap();
        };
        let offered = |view: &ConfigureView| -> Vec<String> {
            let image = view.offer.content.schema.get("image").unwrap();
            let Kind::Choice { options, default } = &image.kind else {
                panic!("{:?}", image.kind);
            };
            assert!(options.iter().any(|it| it.value == *default));
            options.iter().map(|it| it.value.clone()).collect()
        };
        let cart = city.cart(1).await;
        let cx = city.cx(&city.clerk);
        let fresh = async || cart::configure(&cx, None, "C-ECS").await.unwrap();
        let all = offered(&fresh().await);
        assert!(all.len() > 2, "{all:?}");
        says(&["uos-20", "debian-12"]).await;
        let view = fresh().await;
        let mut images = offered(&view);
        images.sort();
        assert_eq!(images, ["debian-12", "uos-20"]);
        assert_ne!(view.form.typed["image"], "kylin-v10");
        // The cart's line has one that is gone: its form shows it, and the verdict says so.
        let line = &cart.lines[0].line;
        assert_eq!(line.answers.text("image"), Some("kylin-v10"));
        let view = cart::edit_line(&cx, &cart.id, &line.id).await.unwrap();
        assert_eq!(offered(&view).len(), 3);
        assert_eq!(view.form.typed["image"], "kylin-v10");
        // Of a cloud that has none of them all are shown, and none passes.
        says(&["windows"]).await;
        assert_eq!(offered(&fresh().await), all);
    }
}

#[tokio::test]
async fn who_orders_more_disk_than_is_left_is_warned_and_may_submit_what_others_decide_on() {
    for city in City::all().await {
        let pool: PoolId = city.cell.rsplit('/').next().unwrap().parse().unwrap();
        let left = async |gb: Option<i64>| {
            let mut tx = city.app.db.begin().await.unwrap();
            let figure = gb.map(|gb| PoolFigure {
                total: 1_000,
                allocated: 1_000 - gb,
                hosts: None,
            });
            let now = crate::testing::START;
            place::save_capacity(&mut tx, &pool, PoolDimension::DiskGb, figure, now)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        let cx = city.cx(&city.clerk);
        // Two hosts: the leader will be asked.
        let cart = city.cart(2).await;
        let warns = async || {
            let seen = cart::open(&cx, &cart.id).await.unwrap();
            let keys = seen.verdict.warns.iter().map(|it| it.key.to_string());
            keys.filter(|key| key == "verdict.capacity").count()
        };
        // Each takes 40 GB for its system.
        left(Some(80)).await;
        assert_eq!(warns().await, 0);
        left(Some(79)).await;
        assert_eq!(warns().await, 1);
        left(None).await;
        assert_eq!(warns().await, 0);
        left(Some(79)).await;
        city.submit(&cart).await.unwrap();
    }
}

#[tokio::test]
async fn the_quota_of_the_vdc_above_is_told_to_no_applicant() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let cart = city.cart(1).await;
        let fresh = cart::configure(&cx, None, "C-ECS").await.unwrap();
        let line = &cart.lines[0].line;
        let stored = cart::edit_line(&cx, &cart.id, &line.id).await.unwrap();
        for view in [fresh, stored] {
            let around = &view.surroundings;
            assert_eq!(around.above, Above::Untold);
            assert_eq!(serde_json::to_value(around).unwrap()["above"], "untold");
            // Figures can't get out by another way either.
            let above = Above::Known(around.account.clone());
            assert!(serde_json::to_value(&above).is_err());
            // The verdict of the page stays: what the unit above may give is no reason to stop.
            let pool = around.pools[0].id.clone();
            let standing = around.account.standing(&pool, Dimension::Vcpu);
            let short = Shortfall {
                vdc: city.vdc.clone(),
                pool,
                dimension: Dimension::Vcpu,
                standing,
                // One more is missing than an equal account above has left.
                asked: 2 * standing.left() + 1,
            };
            assert!(Above::Untold.gives(&short));
            assert!(!above.gives(&short) && !Above::Top.gives(&short));
        }
    }
}
