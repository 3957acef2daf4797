//! Taking in what stands in a cloud already: what there is, what it could belong to, and the batches.

mod batch;

pub use batch::{
    add_project, add_thing, batches, count, get, insert, mark_undone, of_form, projects, things,
    touched,
};

use std::collections::{HashMap, HashSet};

use lingbao_model::{
    id::{DifferenceId, ResourceId, SystemId, UnitId, VdcId},
    placement::{Level, Placement},
    resource::ServiceState,
    time::Timestamp,
    view::{
        difference::{Aspect, Said},
        import::ForeignThing,
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};

use crate::{
    error::StorageError,
    on,
    storage::{
        ReadTx, Tx,
        difference::About,
        sql::{Cursor, Sql, cut},
    },
};

// ---- what is nobody's

#[derive(sqlx::FromRow)]
struct ForeignRow {
    id: String,
    thing: String,
    backend: String,
    external_id: String,
    name: String,
    said: String,
    about: String,
    first_seen: i64,
    note: String,
}

/// A host, a disk or an address that is nobody's, with what is known of it beyond the list.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// As lists show it; `owner` is not filled in.
    pub row: ForeignThing,
    /// The backend's id of what it hangs on.
    pub host: Option<String>,
    /// Code of its image; empty if the cloud does not say.
    pub image: String,
    /// The cloud's word for where it stands, and the pools that are there; empty if the cloud does not
    /// say or the pool is known.
    pub stands: (String, Vec<String>),
}

const FOREIGN: &str =
    "SELECT d.id, d.thing, d.backend, d.external_id, d.name, d.said, d.about, d.first_seen, d.note
FROM difference d WHERE d.kind = 'foreign' AND d.thing IN ('server', 'volume', 'address') AND d.ripe
  AND d.closed_at IS NULL";

impl TryFrom<ForeignRow> for Foreign {
    type Error = StorageError;
    fn try_from(row: ForeignRow) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("difference", column, at.as_str(), e)
        };
        let said: Vec<Said> = serde_json::from_str(&row.said).map_err(|e| wrong("said", &e))?;
        let about: About = serde_json::from_str(&row.about).map_err(|e| wrong("about", &e))?;
        let mut foreign = Self {
            row: ForeignThing {
                id: row.id.parse().map_err(|e| wrong("id", &e))?,
                thing: row.thing.parse().map_err(|e| wrong("thing", &e))?,
                backend: row.backend,
                external_id: row.external_id,
                name: row.name,
                state: String::new(),
                vcpus: 0,
                memory_gb: 0,
                disk_gb: 0,
                class: None,
                mbps: 0,
                address: None,
                hangs_on: None,
                project: String::new(),
                owner: None,
                pool: String::new(),
                first_seen: Timestamp::from_millis(row.first_seen),
                note: row.note,
            },
            host: None,
            image: String::new(),
            stands: Default::default(),
        };
        foreign.tell(&said, about);
        Ok(foreign)
    }
}

impl Foreign {
    /// What the cloud says of it.
    pub fn tell(&mut self, said: &[Said], about: About) {
        let of = |aspect: Aspect| {
            let one = said.iter().find(|said| said.aspect == aspect)?;
            one.cloud.clone()
        };
        let number = |aspect| of(aspect).and_then(|n| n.parse().ok()).unwrap_or(0);
        let row = &mut self.row;
        let state = of(Aspect::Power).or_else(|| of(Aspect::State));
        row.state = state.unwrap_or_default();
        row.vcpus = number(Aspect::Vcpus);
        row.memory_gb = number(Aspect::Memory);
        row.disk_gb = i64::from(about.disk_gb);
        row.class = of(Aspect::Class);
        row.mbps = i64::from(about.mbps);
        row.address = of(Aspect::Address);
        row.hangs_on = of(Aspect::Target);
        row.project = about.project;
        row.pool = about.pool;
        self.host.clone_from(&row.hangs_on);
        self.image = about.image;
        self.stands = (about.zone, about.pools);
    }
}

/// One page of hosts, disks and addresses that are nobody's, those that were found last first; with
/// `only` that one.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    backend: Option<&str>,
    only: Option<&DifferenceId>,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Page<ForeignThing>, StorageError> {
    let limit = limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let narrowed = |sql: Sql| {
        sql.maybe(" AND d.backend = ", backend)
            .maybe(" AND d.id = ", only.map(DifferenceId::as_str))
    };
    let total = narrowed(Sql::new(
        "SELECT 1 FROM difference d WHERE d.kind = 'foreign' AND d.thing IN ('server', 'volume', 'address') AND d.ripe
           AND d.closed_at IS NULL",
    ))
    .capped_count(rx)
    .await?;
    let mut sql = narrowed(Sql::new(FOREIGN));
    if let Some(at) = after.and_then(Cursor::decode) {
        sql = sql
            .push(" AND (d.first_seen, d.id) < (")
            .bind(at.number())
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<ForeignRow> = sql
        .push(" ORDER BY d.first_seen DESC, d.id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |r| (r.first_seen.to_string(), r.id.clone()));
    let mut rows = rows
        .into_iter()
        .map(|row| Ok(Foreign::try_from(row)?.row))
        .collect::<Result<Vec<ForeignThing>, StorageError>>()?;
    name_all(rx, &mut rows).await?;
    Ok(Page { rows, next, total })
}

/// Says of each whose project it stands in, and calls the host on which it hangs by our name for it. What
/// these are asked by stands in JSON: two statements for a page, whatever its length.
async fn name_all(rx: &mut ReadTx, things: &mut [ForeignThing]) -> Result<(), StorageError> {
    let owners: Vec<(String, String, String)> = Sql::new(
        "SELECT b.backend, b.external_id, u.short_name FROM backend_project b JOIN vdc v ON v.id = b.vdc_id
           JOIN unit u ON u.id = v.unit_id WHERE b.external_id IN ",
    )
    .bind_list(things.iter().map(|thing| thing.project.as_str()))
    .all(rx)
    .await?;
    let hosts: Vec<(String, String, String)> = Sql::new(
        "SELECT r.backend, r.external_id, r.name FROM resource r
         WHERE r.kind = 'server' AND r.service_state <> 'released' AND r.zone_id IS NOT NULL AND r.external_id IN ",
    )
    .bind_list(things.iter().filter_map(|thing| thing.hangs_on.as_deref()))
    .all(rx)
    .await?;
    let by_place = |all: Vec<(String, String, String)>| -> HashMap<(String, String), String> {
        let keyed = |(backend, id, name)| ((backend, id), name);
        all.into_iter().map(keyed).collect()
    };
    let (owners, hosts) = (by_place(owners), by_place(hosts));
    for thing in things {
        let at = |id: &str| (thing.backend.clone(), id.to_owned());
        thing.owner = owners.get(&at(&thing.project)).cloned();
        let ours = thing.hangs_on.as_deref().and_then(|on| hosts.get(&at(on)));
        if let Some(ours) = ours {
            thing.hangs_on = Some(ours.clone());
        }
    }
    Ok(())
}

/// Things of a backend that are nobody's, by the backend's names.
///
/// # Errors
/// What the database says.
pub async fn named<'a>(
    rx: &mut ReadTx,
    backend: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Foreign>, StorageError> {
    let rows: Vec<ForeignRow> = Sql::new(FOREIGN)
        .push(" AND d.backend = ")
        .bind(backend)
        .push(" AND d.external_id IN ")
        .bind_list(ids)
        .push(" ORDER BY d.id")
        .all(rx)
        .await?;
    rows.into_iter().map(Foreign::try_from).collect()
}

/// Things of a backend that are nobody's, by their names there; several may have one name.
///
/// # Errors
/// What the database says.
pub async fn called<'a>(
    rx: &mut ReadTx,
    backend: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Foreign>, StorageError> {
    let rows: Vec<ForeignRow> = Sql::new(FOREIGN)
        .push(" AND d.backend = ")
        .bind(backend)
        .push(" AND d.name IN ")
        .bind_list(names)
        .push(" ORDER BY d.external_id")
        .all(rx)
        .await?;
    rows.into_iter().map(Foreign::try_from).collect()
}

/// Things that are nobody's, by their differences.
///
/// # Errors
/// What the database says.
pub async fn chosen<'a>(
    rx: &mut ReadTx,
    ids: impl IntoIterator<Item = &'a DifferenceId>,
) -> Result<Vec<Foreign>, StorageError> {
    let rows: Vec<ForeignRow> = Sql::new(FOREIGN)
        .push(" AND d.id IN ")
        .bind_list(ids.into_iter().map(DifferenceId::as_str))
        .push(" ORDER BY d.first_seen DESC, d.id DESC")
        .all(rx)
        .await?;
    rows.into_iter().map(Foreign::try_from).collect()
}

// ---- what it could belong to

/// A host on which something hangs.
#[derive(Debug, Clone)]
pub struct Host {
    /// The resource.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Whose quota.
    pub vdc: VdcId,
    /// System.
    pub system: SystemId,
    /// Where it stands.
    pub place: Placement,
    /// Whether nothing is being done to it and nobody gives it back.
    pub calm: bool,
}

#[derive(sqlx::FromRow)]
struct HostRow {
    id: String,
    external_id: String,
    name: String,
    vdc_id: String,
    system_id: String,
    zone_id: String,
    level: i64,
    pool_id: String,
    service_state: String,
    busy: i64,
}

impl TryFrom<HostRow> for Host {
    type Error = StorageError;
    fn try_from(row: HostRow) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("resource", column, at.as_str(), e)
        };
        let does: ServiceState = row
            .service_state
            .parse()
            .map_err(|e| wrong("service_state", &e))?;
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            name: row.name,
            vdc: row.vdc_id.parse().map_err(|e| wrong("vdc_id", &e))?,
            system: row.system_id.parse().map_err(|e| wrong("system_id", &e))?,
            place: Placement {
                zone: row.zone_id.parse().map_err(|e| wrong("zone_id", &e))?,
                level: Level::try_from(row.level).map_err(|e| wrong("level", &e))?,
                pool: row.pool_id.parse().map_err(|e| wrong("pool_id", &e))?,
            },
            calm: matches!(does, ServiceState::Running | ServiceState::Stopped) && row.busy == 0,
        })
    }
}

/// Hosts of ours at a backend, by the backend's names.
///
/// # Errors
/// What the database says.
pub async fn hosts<'a>(
    rx: &mut ReadTx,
    backend: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, Host>, StorageError> {
    let rows: Vec<HostRow> = Sql::new(
        "SELECT r.id, r.external_id, r.name, r.vdc_id, r.system_id, r.zone_id, r.level, r.pool_id, r.service_state,
           (SELECT count(*) FROM resource_action a WHERE a.resource_id = r.id)
             + (SELECT count(*) FROM request_release l JOIN request q ON q.id = l.request_id
                WHERE l.resource_id = r.id AND q.status IN ('in_approval', 'returned', 'approved')) AS busy
         FROM resource r WHERE r.kind = 'server' AND r.service_state <> 'released' AND r.zone_id IS NOT NULL
           AND r.backend = ",
    )
    .bind(backend)
    .push(" AND r.external_id IN ")
    .bind_list(ids)
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.external_id.clone(), Host::try_from(row)?)))
        .collect()
}

/// A unit as a sheet may name it.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Identifier.
    pub id: UnitId,
    /// Full name.
    pub name: String,
    /// Short name.
    pub short_name: String,
    /// The VDC from which it orders: its first one.
    pub vdc: Option<VdcId>,
}

/// Active units.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn units(rx: &mut ReadTx) -> Result<Vec<Unit>, StorageError> {
    let rows: Vec<(String, String, String, Option<String>)> = Sql::new(
        "SELECT u.id, u.name, u.short_name,
           (SELECT v.id FROM vdc v WHERE v.unit_id = u.id ORDER BY v.created_at, v.id LIMIT 1)
         FROM unit u WHERE u.active ORDER BY u.sort_key, u.id",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id, name, short_name, vdc)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("unit", column, id.as_str(), e)
            };
            Ok(Unit {
                vdc: vdc
                    .map(|vdc| vdc.parse())
                    .transpose()
                    .map_err(|e| wrong("vdc", &e))?,
                id: id.parse().map_err(|e| wrong("id", &e))?,
                name,
                short_name,
            })
        })
        .collect()
}

/// A system as a sheet may name it.
#[derive(Debug, Clone)]
pub struct System {
    /// Identifier.
    pub id: SystemId,
    /// Whose.
    pub unit: UnitId,
    /// Name.
    pub name: String,
    /// Short name.
    pub short_name: String,
    /// Protection level.
    pub level: Level,
}

/// Systems of active units, in the order of the units.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn systems(rx: &mut ReadTx) -> Result<Vec<System>, StorageError> {
    let rows: Vec<(String, String, String, String, i64)> = Sql::new(
        "SELECT s.id, s.unit_id, s.name, s.short_name, s.level FROM app_system s JOIN unit u ON u.id = s.unit_id
         WHERE u.active ORDER BY u.sort_key, u.id, s.sort_key, s.id",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id, unit, name, short_name, level)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("app_system", column, id.as_str(), e)
            };
            Ok(System {
                unit: unit.parse().map_err(|e| wrong("unit_id", &e))?,
                level: Level::try_from(level).map_err(|e| wrong("level", &e))?,
                id: id.parse().map_err(|e| wrong("id", &e))?,
                name,
                short_name,
            })
        })
        .collect()
}

/// VDCs for which something is being built: their projects may come into being at any moment.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn building(rx: &mut ReadTx) -> Result<HashSet<VdcId>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT DISTINCT q.vdc_id FROM fulfilment f JOIN request q ON q.id = f.request_id
         WHERE q.status = 'approved' AND f.status IN ('waiting', 'running', 'residue')",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id,)| {
            id.parse()
                .map_err(|e| StorageError::inconsistent("request", "vdc_id", id.as_str(), e))
        })
        .collect()
}

// ---- the things themselves

/// What was given back loses the backend's name for it: the thing is still there and becomes
/// another resource.
///
/// # Errors
/// What the database says.
pub async fn forget_released(
    tx: &mut Tx,
    backend: &str,
    external_id: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE resource SET external_id = NULL, version = version + 1
         WHERE backend = $1 AND external_id = $2 AND service_state = 'released'")
        .bind(backend).bind(external_id).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A resource that has just been written down stood there before: what it does, its name in the
/// cloud where it is another one. It needs no trial, and is charged from this moment on.
///
/// # Errors
/// What the database says.
pub async fn begin(
    tx: &mut Tx,
    resource: &ResourceId,
    state: ServiceState,
    cloud_name: Option<&str>,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE resource SET service_state = $1, cloud_name = $2, billing_state = 'billing', confirmed_at = $3,
           billing_from = $3, version = version + 1 WHERE id = $4")
        .bind(state.as_str()).bind(cloud_name).bind(at.millis()).bind(resource.as_str())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A resource leaves the portal and goes on in the cloud: nobody's name for it any more, and nothing
/// was ever charged.
///
/// # Errors
/// What the database says.
pub async fn leave(tx: &mut Tx, resource: &ResourceId, at: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE resource SET service_state = 'released', billing_state = 'stopped', billing_from = NULL,
           released_at = $1, external_id = NULL, version = version + 1 WHERE id = $2")
        .bind(at.millis()).bind(resource.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What was taken in is foreign again, as it was; a round that has found it since is left alone.
///
/// # Errors
/// What the database says.
pub async fn reopen(
    tx: &mut Tx,
    id: &DifferenceId,
    was: &DifferenceId,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO difference (id, backend, kind, thing, external_id, name, operation, said, month_fen, first_seen,
           last_seen, ripe, about, note, noted_at, noted_by)
         SELECT $1, d.backend, d.kind, d.thing, d.external_id, d.name, d.operation, d.said, 0, d.first_seen,
           CAST($2 AS BIGINT), TRUE, d.about, d.note, d.noted_at, d.noted_by FROM difference d WHERE d.id = $3
         ON CONFLICT (backend, external_id, kind) WHERE closed_at IS NULL DO NOTHING")
        .bind(id.as_str()).bind(at.millis()).bind(was.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}
