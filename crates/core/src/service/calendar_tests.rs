//! The rules of the calendar's rows, each as a test on both engines.

use lingbao_model::{
    calendar::Notice,
    people::{Reach, Role},
    time::DAY_MS,
};

use super::{
    calendar, examine,
    request::fixture::{City, add, give},
};
use crate::{
    error::ServiceError,
    storage::sql::Sql,
    testing::{TestApp, engines},
};

fn notice(year: i32, days: &[(&str, bool)]) -> Notice {
    let days: Vec<_> = days
        .iter()
        .map(|(day, off)| serde_json::json!({ "name": "元旦", "date": day, "isOffDay": off }))
        .collect();
    Notice::read(&serde_json::json!({ "year": year, "days": days }).to_string()).unwrap()
}

#[tokio::test]
async fn a_year_is_entered_once_more_in_the_place_of_what_was_entered_before() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let cx = app.system();
        let end = async |from: &str, days| {
            let known = calendar::known(&cx).await.unwrap();
            known
                .plus_working_days(from.parse().unwrap(), days)
                .to_string()
        };
        assert_eq!(end("2026-12-31", 1).await, "2027-01-01", "a Friday");
        let first = notice(
            2027,
            &[
                ("2027-01-01", true),
                ("2027-01-04", true),
                ("2026-12-27", false),
            ],
        );
        assert_eq!(calendar::enter(&cx, &first).await.unwrap(), 0);
        assert_eq!(end("2026-12-31", 1).await, "2027-01-05");
        assert_eq!(
            end("2026-12-25", 1).await,
            "2026-12-27",
            "a Sunday that is worked"
        );

        // The next year's notice speaks of this year's December; this year's, mended, of its own days.
        let next = notice(2028, &[("2027-12-31", true), ("2028-01-01", true)]);
        assert_eq!(calendar::enter(&cx, &next).await.unwrap(), 0);
        let mended = notice(2027, &[("2027-01-01", true)]);
        assert_eq!(calendar::enter(&cx, &mended).await.unwrap(), 3);
        assert_eq!(end("2026-12-31", 1).await, "2027-01-04");
        assert_eq!(end("2026-12-25", 1).await, "2026-12-28");
        assert_eq!(end("2027-12-30", 1).await, "2028-01-03");

        let events = Sql::new("SELECT count(*) FROM audit_event WHERE action = 'calendar.enter'");
        let mut rx = app.db.read().await.unwrap();
        assert_eq!(events.number(&mut rx).await.unwrap(), 3);
    }
}

#[tokio::test]
async fn the_doctor_misses_a_year_until_its_notice_is_entered() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let missed = async || {
            examine::findings(&app.system())
                .await
                .unwrap()
                .calendar_misses
        };
        while missed().await.is_none() {
            app.clock.advance_ms(30 * DAY_MS);
        }
        assert_eq!(missed().await, Some(2027));
        // The notice of the year after says a day of this one, which does not make it known.
        let after = notice(2028, &[("2027-12-31", true)]);
        calendar::enter(&app.system(), &after).await.unwrap();
        assert_eq!(missed().await, Some(2027));
        let own = notice(2027, &[("2027-01-01", true)]);
        calendar::enter(&app.system(), &own).await.unwrap();
        assert_eq!(missed().await, None);
    }
}

#[tokio::test]
async fn the_program_and_who_operates_the_site_enter_a_year_and_nobody_else() {
    for city in City::all().await {
        let notice = notice(2027, &[("2027-01-01", true)]);
        let refused = calendar::enter(&city.cx(&city.clerk), &notice).await;
        assert!(matches!(refused, Err(ServiceError::Forbidden)));
        let operator = add(&city.app, "operator", &city.bureau).await;
        let (role, reach) = (Role::Operator, Reach::Site);
        give(&city.app, &operator, role, &city.bureau, reach).await;
        calendar::enter(&city.cx(&operator), &notice).await.unwrap();
        for (outcome, times) in [("done", 1), ("refused", 1)] {
            let events =
                "SELECT count(*) FROM audit_event WHERE action = 'calendar.enter' AND outcome = ";
            assert_eq!(city.count(Sql::new(events).bind(outcome)).await, times);
        }
    }
}
