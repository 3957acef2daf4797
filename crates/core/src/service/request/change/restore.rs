//! A new disk out of a snapshot: what it would be today, whether it is made at once or asked for, and
//! what was typed of it.

use lingbao_model::{
    catalogue::Fulfiller,
    change::{NewDisk, Plan, Stand},
    money::Money,
    msg::FieldError,
    param::{Answer, Answers, Typed},
    placement::Pool,
    price::Quote,
    quota::{Amounts, Dimension},
    text,
    view::resource::SnapshotState,
};

use crate::{
    error::{OrNotFound, ServiceError, conflict},
    storage::{
        ReadTx, item, place,
        request::Request,
        request_change,
        resource::Resource,
        snapshot::{self, Snapshot},
    },
};

/// Longest name of a disk.
pub const NAME_MAX: usize = 40;

/// What a disk out of a snapshot would be.
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
    pub fn plan(self, source: &Resource, snap: &Snapshot, name: String) -> Plan {
        let disk = NewDisk {
            snapshot: snap.row.id.clone(),
            snapshot_name: snap.row.name.clone(),
            taken_at: snap.row.at,
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

/// What a disk out of a snapshot would be, by today's price.
///
/// # Errors
/// [`ServiceError::Conflict`] if such disks are not offered any more.
pub async fn offered(
    rx: &mut ReadTx,
    source: &Resource,
    snap: &Snapshot,
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
    let size = Answer::Integer(snap.row.size_gb);
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

/// Whether a disk can be made out of a snapshot where its source stands.
///
/// # Errors
/// [`ServiceError::Conflict`] that says why not.
pub async fn makable(
    rx: &mut ReadTx,
    source: &Resource,
    snap: &Snapshot,
) -> Result<(), ServiceError> {
    if snap.row.state != SnapshotState::Ready || snap.external_id.is_none() {
        return conflict("resource.snapshot_not_ready");
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
    typed: &Typed,
    own: Option<&Request>,
) -> Result<(Plan, Vec<FieldError>), ServiceError> {
    let refused = match today(rx, source, typed).await {
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
    typed: &Typed,
) -> Result<(Plan, Vec<FieldError>), ServiceError> {
    let wanted = typed.get("snapshot").and_then(|id| id.parse().ok());
    let wanted = wanted.or_not_found()?;
    let Some(snap) = snapshot::get(rx, &source.id, &wanted).await? else {
        if snapshot::is_gone(rx, &source.id, &wanted).await? {
            return conflict("resource.snapshot_gone");
        }
        return Err(ServiceError::NotFound);
    };
    makable(rx, source, &snap).await?;
    let name = typed.get("name").map_or("", String::as_str);
    let (name, errors) = match text::line("name", name, 1, NAME_MAX) {
        Ok(name) => (name, Vec::new()),
        Err(error) => (name.to_owned(), vec![error]),
    };
    let offered = offered(rx, source, &snap).await?;
    Ok((offered.plan(source, &snap, name), errors))
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
