//! One round: the days that are missing, the sums of the last 30, and forgetting.

use std::collections::{BTreeMap, BTreeSet};

use lingbao_backends::usage::{SourceError, UsageSource};
use lingbao_model::{
    id::ResourceId,
    time::{DAY_MS, Date, MINUTE_MS, Timestamp, Zone},
    usage::{Load, Measure, WINDOW_DAYS, load},
};

use super::Metering;
use crate::{
    error::StorageError,
    fulfil::pieces::size,
    jobs::Run,
    storage::{
        change,
        usage::{self, Said, Taken},
    },
};

/// The civil day of the portal.
const ZONE: Zone = Zone::SHANGHAI;
/// A day is asked for so long after its end: the last samples are on their way.
const GRACE_MS: i64 = 30 * MINUTE_MS;
/// A day that told of no host of ours is asked for again after so long: perhaps it was not measured
/// yet, perhaps somebody mends a label.
const EMPTY_MS: i64 = DAY_MS / 4;
/// So many hosts are written in one transaction: others want to write too.
const CHUNK: usize = 200;
const SLICE: i64 = 200;

/// The last day that is over at a moment.
pub(crate) fn last_day(now: Timestamp) -> Date {
    ZONE.date(now.plus_millis(-GRACE_MS)).plus_days(-1)
}

/// Whether a day is to be asked for.
fn is_due(taken: Option<&Taken>, digest: &str, now: Timestamp) -> bool {
    taken.is_none_or(|taken| {
        taken.source != digest || (taken.hosts == 0 && now.since(taken.asked_at) >= EMPTY_MS)
    })
}

/// Takes in what is missing.
///
/// # Errors
/// What the database says. A source that does not answer is no error: the next round asks again.
pub(super) async fn round(run: &Run, metering: &Metering) -> Result<(), StorageError> {
    let cx = run.cx();
    let last = last_day(cx.now());
    let first = last.plus_days(1 - metering.catch_up_days.max(1));
    let taken = usage::taken(&mut cx.db().read().await?, first).await?;
    let mut error = None;
    for back in 0..metering.catch_up_days.max(1) {
        let day = last.plus_days(-back);
        if !is_due(taken.get(&day), metering.source.digest(), cx.now()) {
            continue;
        }
        match ask(&*metering.source, day).await {
            Ok(answer) => write(run, metering.source.digest(), day, answer).await?,
            Err(why) => {
                tracing::warn!(day = %day, error = %why, "utilisation could not be taken in");
                error.get_or_insert_with(|| why.to_string());
                // It would not answer the next question either; a day that is refused or told by half
                // hides no other.
                if matches!(why, SourceError::Unreachable(_)) {
                    break;
                }
            }
        }
    }
    sums(run, last).await?;
    let forgotten = forget(run, last.plus_days(1 - metering.keep_days)).await?;
    let mut tx = run.begin().await?;
    usage::end_round(&mut tx, run.cx().now(), error.as_deref()).await?;
    change::touch(&mut tx, &run.cx(), "usage").await?;
    run.complete(&mut tx).await?;
    tx.commit().await?;
    tracing::debug!(forgotten, "a round over utilisation has ended");
    Ok(())
}

/// What a source says of a day, by its names of the hosts.
#[derive(Default)]
struct Answer {
    hosts: BTreeMap<String, Said>,
    odd: i64,
}

/// All measures of a day, or none.
async fn ask(source: &dyn UsageSource, day: Date) -> Result<Answer, SourceError> {
    let (from, until) = (ZONE.moment(day, 0), ZONE.moment(day, 1440));
    let mut answer = Answer::default();
    for measure in source.measures() {
        let readings = source.read(measure, from, until).await?;
        answer.odd += readings.odd;
        for (host, reading) in readings.servers {
            let said = answer.hosts.entry(host).or_default();
            said.insert(measure, reading);
        }
    }
    Ok(answer)
}

/// Writes a day down and marks it. What was written of it before (under other queries, or by a round that
/// was killed) goes, unless the answer names no host of ours: then it says nothing.
async fn write(run: &Run, digest: &str, day: Date, answer: Answer) -> Result<(), StorageError> {
    let Answer { hosts, odd } = answer;
    let (from, until) = (ZONE.moment(day, 0), ZONE.moment(day, 1440));
    let ours = usage::hosts(&mut run.cx().db().read().await?, from, until).await?;
    let (mut rows, mut unknown): (Vec<(&ResourceId, Said)>, i64) = (Vec::new(), 0);
    for (name, said) in hosts {
        match ours.get(&name) {
            Some(id) => rows.push((id, said)),
            None => unknown += 1,
        }
    }
    for (n, chunk) in rows.chunks(CHUNK).enumerate() {
        let mut tx = run.begin().await?;
        if n == 0 {
            usage::forget(&mut tx, day).await?;
        }
        for (host, said) in chunk {
            usage::put_day(&mut tx, host, day, said).await?;
        }
        tx.commit().await?;
    }
    let mut tx = run.begin().await?;
    let taken = Taken {
        source: digest.to_owned(),
        asked_at: run.cx().now(),
        hosts: i64::try_from(rows.len()).unwrap_or(i64::MAX),
    };
    usage::mark_taken(&mut tx, day, &taken, unknown, odd).await?;
    tx.commit().await
}

/// Forgets the days before one, each in a transaction of its own: others want to write too.
async fn forget(run: &Run, before: Date) -> Result<u64, StorageError> {
    let mut rows = 0;
    loop {
        let mut tx = run.begin().await?;
        let Some(day) = usage::oldest(&mut tx, before).await? else {
            return Ok(rows);
        };
        rows += usage::forget(&mut tx, day).await?;
        tx.commit().await?;
    }
}

/// Makes the rows of the last 30 days anew.
async fn sums(run: &Run, last: Date) -> Result<(), StorageError> {
    let between = (last.plus_days(-WINDOW_DAYS), last);
    let offset_ms = i64::from(ZONE.0) * MINUTE_MS;
    let mut after = String::new();
    loop {
        let mut tx = run.begin().await?;
        let windows = usage::windows(&mut tx, &after, between, offset_ms, SLICE).await?;
        let more = i64::try_from(windows.len()).is_ok_and(|rows| rows >= SLICE);
        let mut written = BTreeSet::new();
        for window in windows.iter().filter(|window| window.days > 0) {
            let said = load(window.get(Measure::Cpu), window.get(Measure::Memory));
            // Days with too few samples were measured all the same.
            let said = if said == Load::NoData {
                Load::Few
            } else {
                said
            };
            usage::put_sum(&mut tx, window, last, size(&window.answers), said).await?;
            written.insert(window.host.as_str());
        }
        let end = windows.last().map(|window| window.host.to_string());
        let upto = end.as_deref().filter(|_| more);
        usage::drop_sums(&mut tx, (&after, upto), written).await?;
        tx.commit().await?;
        match end {
            Some(end) if more => after = end,
            _ => return Ok(()),
        }
    }
}
