//! One round over one backend.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use lingbao_backends::provisioning::{
    ExternalId, Kind, LetIn, Object, Provisioner, ReadError, Refusal, RefusalReason,
};
use lingbao_model::{
    id::{DifferenceId, SnapshotId, UnitId},
    money::Money,
    time::Timestamp,
    view::difference::{Aspect, Closing, DifferenceKind, Said, ThingKind},
};
use serde_json::json;

use super::{
    compare::{self, Verdict},
    networks,
    nobodys::{nobodys, stranger},
    remove::{self, Remove},
    snapshots,
};
use crate::{
    app::{App, Cx},
    audit,
    error::StorageError,
    jobs::Run,
    saga,
    storage::{
        Tx, change,
        difference::{self, About, Found, Ours},
    },
};

/// Our rows are walked so many at a time.
pub(super) const SLICE: i64 = 500;
/// So many differences are written in one transaction: others want to write too.
const CHUNK: usize = 200;
/// So many things are looked at anew at a time.
pub(super) const AT_ONCE: usize = 8;
/// How long a thing may be between two states before it is called stuck.
pub const PATIENCE_MS: i64 = 30 * 60_000;

/// Where a round works: in a job, whose transactions are fenced.
pub enum Desk<'a> {
    /// The job.
    Job(&'a Run),
    /// Without one, for tests of rounds that meet.
    Bare(&'a Arc<App>),
}

impl Desk<'_> {
    fn cx(&self) -> Cx {
        match self {
            Self::Job(run) => run.cx(),
            Self::Bare(app) => app.system(),
        }
    }

    pub(super) fn app(&self) -> &Arc<App> {
        match self {
            Self::Job(run) => run.app(),
            Self::Bare(app) => app,
        }
    }

    async fn begin(&self) -> Result<Tx, StorageError> {
        match self {
            Self::Job(run) => run.begin().await,
            Self::Bare(app) => app.db.begin().await,
        }
    }
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The whole cloud was read and everything written.
    Whole {
        /// Things of the cloud.
        things: i64,
        /// What differs.
        differences: usize,
    },
    /// The cloud did not answer, or not to the end; nothing was written.
    Broken(String),
    /// A younger round was faster.
    Overtaken,
}

/// Why a round breaks off.
pub(super) enum Stop {
    Cloud(String),
    Storage(StorageError),
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Cloud(error.to_string())
    }
}

/// What the list of the cloud came to.
#[derive(Default)]
pub(super) struct Read {
    /// Everything that is there.
    pub(super) seen: HashSet<String>,
    /// Ours that look different or are not there.
    doubtful: Vec<String>,
    /// What no resource of ours names.
    strangers: Vec<Found>,
    /// On what something hangs.
    bearing: HashSet<String>,
    /// What nothing is said about in this round.
    pub(super) left_alone: HashSet<String>,
    /// What comes in to servers beside their presets; `None` where the cloud does not tell.
    rules: Option<BTreeMap<ExternalId, LetIn>>,
}

/// What comes in to a server by the list of all rules.
fn let_in<'a>(
    rules: Option<&'a BTreeMap<ExternalId, LetIn>>,
    server: &ExternalId,
) -> Option<&'a LetIn> {
    static NOTHING: LetIn = LetIn {
        rules: Vec::new(),
        others: Vec::new(),
    };
    Some(rules?.get(server).unwrap_or(&NOTHING))
}

/// Something that differs, with the version of our row that it was held beside.
pub(super) struct Case {
    /// What is written.
    pub(super) found: Found,
    /// The version of our row.
    pub(super) version: Option<i64>,
    /// The snapshot that it is, if it is one of ours.
    pub(super) snapshot: Option<SnapshotId>,
    /// Whether it is a double that may be deleted at its first sight.
    pub(super) sweep: bool,
}

/// Compares one backend with our rows.
///
/// # Errors
/// What the database says. A cloud that does not answer is no error: the next round asks again.
pub async fn round(
    desk: &Desk<'_>,
    backend: &str,
    cloud: &dyn Provisioner,
) -> Result<Ended, StorageError> {
    let begun = desk.cx().now();
    match look(desk, backend, cloud, begun).await {
        Ok((read, cases)) => write(desk, backend, begun, read, cases).await,
        Err(Stop::Storage(error)) => Err(error),
        Err(Stop::Cloud(why)) => {
            tracing::warn!(backend, why, "a cloud could not be compared");
            let mut tx = desk.begin().await?;
            difference::break_round(&mut tx, backend, begun, &why).await?;
            tx.commit().await?;
            Ok(Ended::Broken(why))
        }
    }
}

/// Reads everything and writes nothing.
async fn look(
    desk: &Desk<'_>,
    backend: &str,
    cloud: &dyn Provisioner,
    begun: Timestamp,
) -> Result<(Read, Vec<Case>), Stop> {
    let mut read = read(desk, backend, cloud).await?;
    not_listed(desk, backend, begun, &mut read).await?;
    let mut cases = Vec::new();
    let doubtful = std::mem::take(&mut read.doubtful);
    for some in doubtful.chunks(CHUNK) {
        confirm(desk, backend, cloud, begun, some, &mut read, &mut cases).await?;
    }
    snapshots::lost(desk, backend, cloud, begun, &mut read, &mut cases).await?;
    networks::lacking(desk, backend, cloud, &mut cases).await?;
    let strangers = std::mem::take(&mut read.strangers);
    for some in strangers.chunks(CHUNK) {
        cases.extend(nobodys(desk, backend, begun, &read.bearing, some).await?);
    }
    // Two rounds that meet write in one order.
    cases.sort_by(|a, b| a.found.external_id.cmp(&b.found.external_id));
    Ok((read, cases))
}

/// The list of the cloud to its end, each page beside our rows of it.
async fn read(desk: &Desk<'_>, backend: &str, cloud: &dyn Provisioner) -> Result<Read, Stop> {
    let mut all = Read {
        rules: cloud.all_rules().await?,
        ..Read::default()
    };
    let mut cursor: Option<String> = None;
    loop {
        let page = cloud.list(None, cursor.as_deref()).await?;
        let bearing = page.objects.iter().filter_map(compare::hangs_on);
        all.bearing.extend(bearing.map(|id| id.0.clone()));
        let objects: Vec<&Object> = page
            .objects
            .iter()
            .filter(|object| compare::thing(object).is_some())
            .collect();
        let (copies, objects): (Vec<&Object>, Vec<&Object>) = objects
            .into_iter()
            .partition(|object| matches!(object, Object::Snapshot(_)));
        let mut rx = desk.app().db.read().await?;
        let ids = objects.iter().map(|object| object.id().as_str());
        let ours = difference::ours(&mut rx, backend, ids).await?;
        let ids = copies.iter().map(|object| object.id().as_str());
        let kept = difference::snapshots(&mut rx, backend, ids).await?;
        drop(rx);
        for object in copies {
            let id = object.id().0.clone();
            match kept.get(&id) {
                None => all.strangers.extend(stranger(object)),
                Some(kept) if kept.busy => {
                    all.left_alone.insert(id.clone());
                }
                Some(_) => {}
            }
            all.seen.insert(id);
        }
        for object in objects {
            let id = object.id().0.clone();
            match ours.get(&id) {
                None => all.strangers.extend(stranger(object)),
                Some(ours) if ours.busy => {
                    all.left_alone.insert(id.clone());
                }
                Some(ours) => {
                    let let_in = let_in(all.rules.as_ref(), object.id());
                    if compare::compare(ours, object, let_in) != Verdict::Agrees {
                        all.doubtful.push(id.clone());
                    }
                }
            }
            all.seen.insert(id);
        }
        match page.next {
            Some(next) if cursor.as_ref() == Some(&next) => {
                return Err(Stop::Cloud("its list goes round in a circle".to_owned()));
            }
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// Ours that stood before the round began and that the list does not have.
async fn not_listed(
    desk: &Desk<'_>,
    backend: &str,
    begun: Timestamp,
    read: &mut Read,
) -> Result<(), StorageError> {
    let mut after = String::new();
    loop {
        let mut rx = desk.app().db.read().await?;
        let names = difference::names_after(&mut rx, backend, &after, begun, SLICE).await?;
        drop(rx);
        let Some(last) = names.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let gone = names.into_iter().filter(|id| !read.seen.contains(id));
        read.doubtful.extend(gone);
    }
}

/// Looks at one thing anew. What comes in to a server is asked anew only where the list of all rules
/// says otherwise than our row: that list was told at once, and each question is one more request.
async fn anew(
    cloud: &dyn Provisioner,
    kind: Kind,
    ours: &Ours,
    listed: Option<&LetIn>,
) -> Result<Option<(Object, Option<LetIn>)>, ReadError> {
    let id = ExternalId(ours.external_id.clone());
    let Some(object) = cloud.get(kind, &id).await? else {
        return Ok(None);
    };
    let doubtful = kind == Kind::Server
        && listed.is_some_and(|let_in| compare::lets_in_otherwise(ours, let_in));
    if !doubtful {
        return Ok(Some((object, listed.cloned())));
    }
    match cloud.server_rules(&id).await? {
        Some(let_in) => Ok(Some((object, Some(let_in)))),
        // Gone since it was looked at: the next round says what of it.
        None => Err(ReadError::Refused(Refusal::new(
            RefusalReason::NotFound,
            "it went while it was looked at",
        ))),
    }
}

/// Looks at both sides anew: our row first, then the thing itself. What our row says when the thing
/// is looked at is known only if the row has not moved until the difference is written.
async fn confirm(
    desk: &Desk<'_>,
    backend: &str,
    cloud: &dyn Provisioner,
    begun: Timestamp,
    ids: &[String],
    read: &mut Read,
    cases: &mut Vec<Case>,
) -> Result<(), Stop> {
    let mut rx = desk.app().db.read().await?;
    let ours = difference::ours(&mut rx, backend, ids.iter().map(String::as_str)).await?;
    drop(rx);
    let mut ask = Vec::new();
    for (id, ours) in ours {
        match ThingKind::of(ours.kind) {
            Some(thing) if !ours.busy => ask.push((thing, ours)),
            _ => {
                read.left_alone.insert(id);
            }
        }
    }
    let rules = read.rules.as_ref();
    let answers = stream::iter(ask).map(|(thing, ours)| async move {
        let listed = let_in(rules, &ExternalId(ours.external_id.clone()));
        let kind = compare::kind_of_thing(thing);
        (anew(cloud, kind, &ours, listed).await, thing, ours)
    });
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
    for (answer, thing, ours) in answers {
        let case = |kind, said, patience_ms| case(&ours, thing, kind, said, patience_ms);
        let verdict = match answer {
            Ok(Some((object, let_in))) => compare::compare(&ours, &object, let_in.as_ref()),
            Ok(None) if ours.delivered_at < begun => {
                cases.push(case(DifferenceKind::Missing, compare::missing(&ours), 0));
                continue;
            }
            // It says nothing of this one thing.
            Ok(None) | Err(ReadError::Refused(_)) => {
                read.left_alone.insert(ours.external_id.clone());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match verdict {
            Verdict::Agrees => {}
            Verdict::Moving(said) => {
                cases.push(case(DifferenceKind::Stuck, said, PATIENCE_MS));
            }
            Verdict::Broken(said) => cases.push(case(DifferenceKind::Stuck, said, 0)),
            Verdict::Differs(said) => cases.push(case(DifferenceKind::Changed, said, 0)),
        }
    }
    Ok(())
}

fn case(
    ours: &Ours,
    thing: ThingKind,
    kind: DifferenceKind,
    said: Vec<Said>,
    patience_ms: i64,
) -> Case {
    // Nothing is charged for who comes in.
    let mut differing = said.iter().filter(|said| said.differs());
    let free =
        kind == DifferenceKind::Changed && differing.all(|said| said.aspect == Aspect::Rules);
    let month = if free { Money::ZERO } else { ours.month };
    Case {
        version: Some(ours.version),
        snapshot: None,
        sweep: false,
        found: Found {
            kind,
            thing,
            external_id: ours.external_id.clone(),
            resource: Some((ours.id.clone(), ours.unit.clone())),
            name: ours.name.clone(),
            operation: String::new(),
            said,
            about: About::default(),
            month,
            patience_ms,
        },
    }
}

async fn write(
    desk: &Desk<'_>,
    backend: &str,
    begun: Timestamp,
    mut read: Read,
    cases: Vec<Case>,
) -> Result<Ended, StorageError> {
    let mut found: HashSet<&str> = HashSet::new();
    let mut differences = 0;
    for some in cases.chunks(CHUNK) {
        let cx = desk.cx();
        let mut tx = desk.begin().await?;
        if !difference::claim_round(&mut tx, backend, begun).await? {
            return Ok(Ended::Overtaken);
        }
        let ids = some.iter().map(|case| case.found.external_id.as_str());
        let now: HashMap<String, Ours> = difference::ours(&mut tx, backend, ids.clone()).await?;
        let kept = difference::snapshots(&mut tx, backend, ids).await?;
        let mut news: BTreeSet<&UnitId> = BTreeSet::new();
        for case in some {
            let id = &case.found.external_id;
            let stands = now.get(id).map(|ours| (ours.version, ours.busy));
            let copy = kept.get(id).map(|kept| (&kept.id, kept.busy));
            if stands != case.version.map(|version| (version, false))
                || copy != case.snapshot.as_ref().map(|snapshot| (snapshot, false))
            {
                // Something has happened to it meanwhile: the next round looks again.
                read.left_alone.insert(id.clone());
                continue;
            }
            found.insert(id);
            differences += 1;
            let row: DifferenceId = cx.id();
            if difference::put(&mut tx, &row, backend, &case.found, begun).await? {
                if case.sweep {
                    sweep(&mut tx, &cx, backend, row, &case.found).await?;
                }
                news.extend(case.found.resource.as_ref().map(|(_, unit)| unit));
            }
        }
        tell(&mut tx, &cx, news).await?;
        tx.commit().await?;
    }
    let cx = desk.cx();
    let mut tx = desk.begin().await?;
    if !difference::claim_round(&mut tx, backend, begun).await? {
        return Ok(Ended::Overtaken);
    }
    let unseen = difference::unseen(&mut tx, backend, begun).await?;
    let mut news: BTreeSet<&UnitId> = BTreeSet::new();
    for one in &unseen {
        let id = one.external_id.as_str();
        let how = if one.released {
            Closing::Released
        } else if read.left_alone.contains(id) {
            continue;
        } else if found.contains(id) {
            Closing::Turned
        } else if matches!(one.kind, DifferenceKind::Foreign | DifferenceKind::Double)
            && !read.seen.contains(id)
        {
            Closing::Gone
        } else {
            Closing::Agrees
        };
        if difference::close(&mut tx, &one.id, how, None, cx.now()).await? {
            news.extend(&one.unit);
        }
    }
    let things = i64::try_from(read.seen.len()).unwrap_or(i64::MAX);
    difference::end_round(&mut tx, backend, begun, things).await?;
    tell(&mut tx, &cx, news).await?;
    change::touch(&mut tx, &cx, "clouds").await?;
    if let Desk::Job(run) = desk {
        run.complete(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(Ended::Whole {
        things,
        differences,
    })
}

/// Begins to delete a double; once: what does not go by that waits for an operator.
async fn sweep(
    tx: &mut Tx,
    cx: &Cx,
    backend: &str,
    row: DifferenceId,
    found: &Found,
) -> Result<(), StorageError> {
    tracing::warn!(
        backend,
        id = found.external_id,
        operation = found.operation,
        "a double of what was delivered is deleted"
    );
    let said = json!({ "name": found.name, "external_id": found.external_id, "kind": found.kind });
    let event = audit::Event::new("difference.remove", "difference", &row).detail(said);
    audit::record(tx, cx, event).await?;
    let params = remove::Params {
        difference: row.clone(),
        backend: backend.to_owned(),
        thing: found.thing,
        external_id: found.external_id.clone(),
        name: found.name.clone(),
        actor: None,
    };
    saga::start::<Remove>(tx, cx, row.as_str(), &params).await?;
    Ok(())
}

/// Pages of these units say so.
async fn tell(tx: &mut Tx, cx: &Cx, units: BTreeSet<&UnitId>) -> Result<(), StorageError> {
    for unit in units {
        change::touch(tx, cx, &format!("unit:{unit}")).await?;
    }
    Ok(())
}
