//! A new disk out of a snapshot or a backup: what it would be today, whether it is made at once or asked for, and
//! what was typed of it.

use lingbao_model::{
    catalogue::Fulfiller,
    change::{CopyId, NewDisk, Plan, Stand, What},
    id::ResourceId,
    money::Money,
    msg::FieldError,
    param::{Answer, Answers, Typed},
    placement::Pool,
    price::Quote,
    quota::{Amounts, Dimension},
    text,
    time::Timestamp,
    view::{
        backup::{BackupRow, BackupState},
        resource::{SnapshotRow, SnapshotState},
    },
};

use crate::{
    error::{OrNotFound, ServiceError, StorageError, conflict},
    storage::{
        ReadTx, backup, item, place, request::Request, request_change, resource::Resource, snapshot,
    },
};

/// Longest name of a disk.
pub const NAME_MAX: usize = 40;

/// A copy of a disk, of either kind.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Which.
    pub id: CopyId,
    /// Size of the disk at that moment, GB.
    pub size_gb: i64,
    /// When it was taken.
    pub at: Timestamp,
    /// Whether a disk can be made out of it now.
    pub is_ready: bool,
    /// The backend's name for it, once it is made.
    pub external_id: Option<String>,
    /// What pages show of a snapshot.
    pub snapshot: Option<SnapshotRow>,
    /// What pages show of a backup.
    pub backup: Option<BackupRow>,
}

impl Kept {
    /// A copy of a disk; that of another one is not found.
    ///
    /// # Errors
    /// What the database says.
    pub async fn get(
        rx: &mut ReadTx,
        of: &ResourceId,
        id: &CopyId,
    ) -> Result<Option<Self>, StorageError> {
        Ok(match id {
            CopyId::Snapshot(snap) => snapshot::get(rx, of, snap).await?.map(|it| Self {
                id: id.clone(),
                size_gb: it.row.size_gb,
                at: it.row.at,
                is_ready: it.row.state == SnapshotState::Ready,
                external_id: it.external_id,
                snapshot: Some(it.row),
                backup: None,
            }),
            CopyId::Backup(wanted) => backup::get(rx, of, wanted).await?.map(|it| Self {
                id: id.clone(),
                size_gb: it.row.size_gb.unwrap_or(0),
                at: it.row.at,
                is_ready: it.row.state == BackupState::Kept && it.row.size_gb.is_some(),
                external_id: it.external_id,
                snapshot: None,
                backup: Some(it.row),
            }),
        })
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.snapshot.as_ref().map_or("", |row| row.name.as_str())
    }

    /// That it is made or deleted just now.
    #[must_use]
    pub const fn not_ready(&self) -> &'static str {
        match self.id {
            CopyId::Snapshot(_) => "resource.snapshot_not_ready",
            CopyId::Backup(_) => "resource.backup_not_ready",
        }
    }
}

/// That a copy is there no more.
#[must_use]
pub const fn gone(id: &CopyId) -> &'static str {
    match id {
        CopyId::Snapshot(_) => "resource.snapshot_gone",
        CopyId::Backup(_) => "resource.backup_gone",
    }
}

/// What a disk out of a copy would be.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Its answers.
    pub answers: Answers,
    /// What it costs.
    pub quote: Quote,
    /// By which version of the price.
    pub price_version: i64,
    /// What it takes from the quota, its month price included.
    pub amounts: Amounts,
}

impl Offered {
    /// The same as a plan, that of a disk of this name.
    #[must_use]
    pub fn plan(self, source: &Resource, copy: &Kept, name: String) -> Plan {
        let disk = NewDisk {
            copy: copy.id.clone(),
            copy_name: copy.name().to_owned(),
            taken_at: copy.at,
            name,
        };
        let will = Stand {
            version: source.item_version.clone(),
            price_version: self.price_version,
            answers: self.answers,
            amounts: self.amounts,
            month: self.quote.each,
            next: None,
            until: source.expires_at,
        };
        Plan::restore(disk, will)
    }
}

/// What a disk out of a copy would be, by today's price.
///
/// # Errors
/// [`ServiceError::Conflict`] if such disks are not offered any more.
pub async fn offered(
    rx: &mut ReadTx,
    source: &Resource,
    copy: &Kept,
) -> Result<Offered, ServiceError> {
    let (Some(content), Some(offer)) = (
        item::content(rx, &source.item_version).await?,
        item::offer(rx, &source.code).await?,
    ) else {
        return conflict("resource.item_not_offered");
    };
    let mut answers = source.answers.clone();
    if let Some(attach) = content.attach_param() {
        answers.0.remove(&attach.key);
    }
    let size = Answer::Integer(copy.size_gb);
    answers.0.insert("size_gb".to_owned(), size);
    let quote = offer.price.quote(&answers, 1);
    let mut amounts = content.consumption.amounts(&answers, 1);
    amounts.add(Dimension::MonthlyFee, quote.each.fen());
    Ok(Offered {
        answers,
        quote,
        price_version: offer.price_version,
        amounts,
    })
}

/// Whether nothing new may stand where the disk stands.
#[must_use]
pub fn is_closed(pools: &[Pool], source: &Resource) -> bool {
    let place = source.placement.as_ref();
    place.is_none_or(|place| !pools.iter().any(|p| p.id == place.pool && p.open))
}

/// Whether a disk can be made out of a copy where its source stands.
///
/// # Errors
/// [`ServiceError::Conflict`] that says why not.
pub async fn makable(rx: &mut ReadTx, source: &Resource, copy: &Kept) -> Result<(), ServiceError> {
    if !copy.is_ready || copy.external_id.is_none() {
        return conflict(copy.not_ready());
    }
    if source.kind != Fulfiller::Volume || source.placement.is_none() {
        return conflict("resource.no_disk");
    }
    if is_closed(&place::pools(rx).await?, source) {
        return conflict("resource.pool_closed");
    }
    Ok(())
}

/// What was typed as a plan, with what can't be read, by field. What can't be had any more refuses
/// the form, but not that of a returned request: it shows what was asked for, and why not.
pub(super) async fn plan(
    rx: &mut ReadTx,
    source: &Resource,
    asked: (What, &Typed),
    own: Option<&Request>,
) -> Result<(Plan, Vec<FieldError>), ServiceError> {
    let refused = match today(rx, source, asked).await {
        Err(ServiceError::Conflict(msg)) => msg,
        other => return other,
    };
    let asked = match own {
        Some(own) => request_change::get(rx, &own.id).await?,
        None => None,
    };
    match asked {
        Some((_, plan)) => Ok((plan, vec![FieldError::new("what", refused)])),
        None => Err(ServiceError::Conflict(refused)),
    }
}

async fn today(
    rx: &mut ReadTx,
    source: &Resource,
    (what, typed): (What, &Typed),
) -> Result<(Plan, Vec<FieldError>), ServiceError> {
    let wanted = match what {
        What::RestoreBackup => {
            let id = typed.get("backup").and_then(|id| id.parse().ok());
            id.map(CopyId::Backup)
        }
        _ => {
            let id = typed.get("snapshot").and_then(|id| id.parse().ok());
            id.map(CopyId::Snapshot)
        }
    };
    let wanted = wanted.or_not_found()?;
    let Some(copy) = Kept::get(rx, &source.id, &wanted).await? else {
        let is_gone = match &wanted {
            CopyId::Snapshot(id) => snapshot::is_gone(rx, &source.id, id).await?,
            CopyId::Backup(id) => backup::is_gone(rx, &source.id, id).await?,
        };
        if is_gone {
            return conflict(gone(&wanted));
        }
        return Err(ServiceError::NotFound);
    };
    makable(rx, source, &copy).await?;
    let name = typed.get("name").map_or("", String::as_str);
    let (name, errors) = match text::line("name", name, 1, NAME_MAX) {
        Ok(name) => (name, Vec::new()),
        Err(error) => (name.to_owned(), vec![error]),
    };
    let offered = offered(rx, source, &copy).await?;
    Ok((offered.plan(source, &copy, name), errors))
}

/// Refuses a restore whose price of today is not the one that was shown, as one at once is refused.
/// The price of another change is found when it is submitted.
pub(super) fn same_price(typed: &Typed, plan: &Plan) -> Result<(), ServiceError> {
    if plan.disk.is_none() {
        return Ok(());
    }
    let shown = typed.get("month").and_then(|fen| fen.trim().parse().ok());
    if shown.map(Money::from_fen) == Some(plan.will.month) {
        Ok(())
    } else {
        conflict("resource.price_changed")
    }
}
