//! The end of a term: reminders before it, and the price of a renewed term from there on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lingbao_model::{
    change::{Change, What},
    id::ResourceId,
    msg::Msg,
    people::Role,
    quota::Dimension,
    resource::{EventKind, ServiceState},
    time::{Timestamp, Zone},
};
use serde::{Deserialize, Serialize};

use super::change::{renewal, term_of};
use crate::{
    app::Cx,
    authz::Scope,
    error::StorageError,
    jobs::{Handler, Job, JobError, Registry, Run},
    service::notice,
    storage::{
        Tx, change, quota,
        resource::{self, Ending},
        resource_action, user as users,
    },
};

const DAY_MS: i64 = 86_400_000;
/// So many days before the end of a term its people are reminded, each once.
pub const REMINDERS: [i64; 4] = [60, 30, 7, 1];
/// Resources of one transaction.
const SLICE: i64 = 100;

/// Reminds of terms that end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemindExpiry {}
impl Job for RemindExpiry {
    const KIND: &'static str = "expiry.remind";
}

/// Lets the price of renewed terms begin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TurnTerms {}
impl Job for TurnTerms {
    const KIND: &'static str = "expiry.turn";
}

/// Adds the handlers and their schedules. Days begin at 8 in the morning in China.
#[must_use]
pub fn wire(registry: Registry) -> Registry {
    registry
        .handle::<RemindExpiry>(Reminder)
        .handle::<TurnTerms>(Turner)
        .every(DAY_MS, RemindExpiry {})
        .every(5 * 60_000, TurnTerms {})
}

/// Which reminder is due: the nearest one whose day has come, if it lies after the moment at which
/// the end was agreed. A job that did not run for a while sends one, not all that it missed.
#[must_use]
pub fn due(ending: &Ending, now: Timestamp) -> Option<i64> {
    let begins = |days: &i64| ending.until.plus_millis(-days * DAY_MS);
    let mut come: Vec<i64> = REMINDERS
        .iter()
        .copied()
        .filter(|d| begins(d) <= now)
        .collect();
    come.sort_unstable();
    let days = come.first().copied()?;
    (ending.until > now && begins(&days) > ending.since).then_some(days)
}

struct Reminder;

#[async_trait]
impl Handler<RemindExpiry> for Reminder {
    async fn run(&self, run: &Run, _: RemindExpiry) -> Result<(), JobError> {
        let mut last: Option<Ending> = None;
        loop {
            let mut tx = run.begin().await?;
            let cx = run.cx();
            let most = REMINDERS.iter().copied().max().unwrap_or(0);
            let span = (cx.now(), cx.now().plus_millis(most * DAY_MS));
            let found = resource::ending(&mut tx, span, last.as_ref(), SLICE).await?;
            for ending in &found {
                remind(&mut tx, &cx, ending).await?;
            }
            tx.commit().await?;
            match found.into_iter().last() {
                Some(end) => last = Some(end),
                None => return Ok(()),
            }
        }
    }
}

async fn remind(tx: &mut Tx, cx: &Cx, ending: &Ending) -> Result<(), StorageError> {
    let Some(days) = due(ending, cx.now()) else {
        return Ok(());
    };
    let Some(found) = resource::get(tx, &system(cx, &ending.id)?, &ending.id).await? else {
        return Ok(());
    };
    if !resource::note_reminder(tx, ending, days, cx.now()).await? {
        return Ok(());
    }
    let msg = Msg::new("notice.expires")
        .with("name", found.name.clone())
        .with("days", days)
        .with("day", Zone::SHANGHAI.date(ending.until));
    let mut people = BTreeSet::new();
    for role in [Role::Applicant, Role::DeptLeader] {
        let holders = users::holders(tx, role, &found.unit).await?;
        people.extend(holders.into_iter().map(|user| (user, role)));
    }
    let mut told = BTreeSet::new();
    for (user, role) in people {
        if !told.insert(user.clone()) {
            continue;
        }
        // A leader orders nothing: the form is the applicant's.
        let to = if role == Role::Applicant {
            renewal(&found.id)
        } else {
            term_of(&found.id)
        };
        notice::send(tx, cx, &user, &msg, &to).await?;
    }
    Ok(())
}

fn system(cx: &Cx, at: &ResourceId) -> Result<Scope, StorageError> {
    Scope::system(cx).map_err(|e| StorageError::inconsistent("job", "actor", at.as_str(), e))
}

struct Turner;

#[async_trait]
impl Handler<TurnTerms> for Turner {
    async fn run(&self, run: &Run, _: TurnTerms) -> Result<(), JobError> {
        loop {
            let cx = run.cx();
            let mut rx = run.app().db.read().await?;
            let found = resource::turning(&mut rx, cx.now(), SLICE).await?;
            drop(rx);
            let mut turned = false;
            // A transaction each: the row, then the quota, as everybody else locks them.
            for id in found {
                let mut tx = run.begin().await?;
                turned |= turn(&mut tx, &cx, &id).await?;
                tx.commit().await?;
            }
            if !turned {
                return Ok(());
            }
        }
    }
}

/// The renewed term of one resource begins: its price holds, and what the old one took of the quota
/// beyond it is given back. `false` if somebody was faster.
async fn turn(tx: &mut Tx, cx: &Cx, id: &ResourceId) -> Result<bool, StorageError> {
    resource_action::lock(tx, id).await?;
    let Some(found) = resource::get(tx, &system(cx, id)?, id).await? else {
        return Ok(false);
    };
    // It was free when it was looked for; whoever began something since has read what it takes.
    let over = matches!(
        found.service,
        ServiceState::Recycled | ServiceState::Released
    );
    if over || resource_action::current(tx, id).await?.is_some() {
        return Ok(false);
    }
    let term = resource::term(tx, id).await?;
    let was = resource::stand(&found, &term);
    let mut will = was.clone();
    let Some(from) = term.next_from.filter(|from| *from <= cx.now()) else {
        return Ok(false);
    };
    if let Some((month, version)) = term.next {
        will.month = month;
        will.price_version = version;
        if found.placement.is_some() {
            will.amounts.0.insert(Dimension::MonthlyFee, month.fen());
            will.amounts.0.retain(|_, n| *n != 0);
        }
    }
    let mut freed = was.amounts.clone();
    freed.add_all(&will.amounts.times(-1));
    if let Some(place) = &found.placement {
        let booking = quota::Booking {
            operation: format!("turn:{id}:{}", from.millis()),
            vdc: found.vdc.clone(),
            request: None,
            demand: [(place.pool.clone(), freed)].into(),
        };
        quota::free(tx, cx, &booking, id).await?;
    }
    resource::turn(tx, &found, &will).await?;
    if will.month != was.month {
        let said = Change {
            what: What::Renew,
            months: 0,
            facts: Vec::new(),
            month_before: was.month,
            month_after: will.month,
            price_from: Some(from),
            price_version: will.price_version,
            until_before: was.until,
            until_after: was.until,
            amounts: Vec::new(),
        };
        let by = ("system", from);
        resource::add_change(tx, &cx.id(), id, EventKind::Repriced, by, &said).await?;
    }
    change::touch(tx, cx, &format!("unit:{}", found.unit)).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lingbao_model::id::{Id, SiteCode};

    fn ending(since: i64, until: i64) -> Ending {
        let at = |days: i64| Timestamp::from_millis(days * DAY_MS);
        Ending {
            id: Id::generate(&SiteCode::default(), Timestamp::default(), 1),
            until: at(until),
            since: at(since),
        }
    }

    #[test]
    fn a_term_has_four_reminders_and_a_short_one_only_those_within_it() {
        let said = |since: i64, until: i64| {
            let one = ending(since, until);
            let days = (since..=until)
                .filter_map(|day| due(&one, Timestamp::from_millis(day * DAY_MS + 1)));
            let mut days: Vec<i64> = days.collect();
            days.dedup();
            days
        };
        assert_eq!(said(1000, 1365), [60, 30, 7, 1]);
        assert_eq!(said(1000, 1031), [30, 7, 1]);
        assert_eq!(said(1000, 1005), [1]);
    }

    #[test]
    fn of_missed_reminders_the_nearest_is_sent() {
        let one = ending(0, 365);
        assert_eq!(due(&one, Timestamp::from_millis(340 * DAY_MS)), Some(30));
        assert_eq!(due(&one, Timestamp::from_millis(365 * DAY_MS)), None);
        assert_eq!(due(&one, Timestamp::from_millis(300 * DAY_MS)), None);
    }
}
