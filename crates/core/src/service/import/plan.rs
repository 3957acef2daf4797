//! A sheet thought through: what each row names, what it will become, and what stands in the way.
//! Nothing is written here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use lingbao_backends::provisioning::Object;
use lingbao_model::{
    catalogue::Offer,
    id::{PoolId, ResourceId, UnitId, VdcId},
    money::Money,
    msg::{FieldError, Msg},
    param::Answers,
    placement::{Placement, Pool, Zone},
    price::Charge,
    quota::{Account, Amounts, Demand, Dimension},
    request::{Line, MAX_TERM_MONTHS},
    resource::ServiceState,
    time::{Date, Timestamp, Zone as TimeZone},
    verdict,
    view::{
        difference::ThingKind,
        import::{ImportPlan, ImportQuota, ImportRow},
    },
};

use super::{
    name::{Home, same},
    read, takes_in, today,
};
use crate::{
    app::Cx,
    error::ServiceError,
    fulfil::reconcile::compare,
    storage::{
        ReadTx, difference,
        import::{self, Foreign, Host, System, Unit},
        item, place, project, quota,
    },
};

/// A thing of a cloud: backend, and the backend's name for it.
pub type Key = (String, String);

/// Everything that rows are held beside.
pub struct Ground {
    pub(super) zones: Vec<Zone>,
    pub(super) pools: Vec<Pool>,
    pub(super) sites: Vec<(PoolId, String, String)>,
    offers: Vec<Offer>,
    pub(super) units: Vec<Unit>,
    pub(super) systems: Vec<System>,
    pub(super) things: HashMap<Key, Foreign>,
    /// Ids of what is called so in its cloud.
    pub(super) called: HashMap<Key, Vec<String>>,
    /// What is a resource already, by its name.
    ours: HashMap<Key, String>,
    /// What the cloud does not have any more.
    gone: HashSet<Key>,
    /// Whose a project is.
    pub(super) owners: HashMap<Key, VdcId>,
    pub(super) building: HashSet<VdcId>,
    /// On what things hang: hosts of ours, and those that rows before have become.
    pub(super) hosts: HashMap<Key, Host>,
    accounts: BTreeMap<VdcId, Account>,
    today: Date,
}

/// A row that names everything it must.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The resource that it becomes.
    pub resource: ResourceId,
    /// The host on which it hangs.
    pub host: Option<ResourceId>,
    /// Whose it becomes.
    pub unit: UnitId,
    /// Whose quota.
    pub vdc: VdcId,
    /// The system.
    pub system: lingbao_model::id::SystemId,
    /// Name of the system.
    pub system_name: String,
    /// The line of the request that stands for its order.
    pub line: Line,
    /// What it takes from the quota.
    pub amounts: Amounts,
    /// The thing.
    pub thing: Foreign,
    /// Where it stands.
    pub place: Placement,
    /// End of its term.
    pub expires_at: Timestamp,
    /// As it is shown.
    pub view: ImportPlan,
}

impl Planned {
    /// What it takes, by pool.
    #[must_use]
    pub fn demand(&self) -> Demand {
        [(self.place.pool.clone(), self.amounts.clone())].into()
    }

    /// The host that it becomes, on which others hang.
    fn as_host(&self) -> Host {
        Host {
            id: self.resource.clone(),
            name: self.line.name.clone(),
            vdc: self.vdc.clone(),
            system: self.system.clone(),
            place: self.place.clone(),
            calm: true,
        }
    }

    /// Its backend and the backend's name for it.
    #[must_use]
    pub fn key(&self) -> Key {
        let row = &self.thing.row;
        (row.backend.clone(), row.external_id.clone())
    }
}

/// What came of a row: with errors it can't be taken in; only of what is short of quota is everything
/// else known.
pub struct Outcome {
    /// What it would become.
    pub planned: Option<Planned>,
    /// What stands in the way.
    pub errors: Vec<FieldError>,
}

/// Reads everything that these rows are held beside.
///
/// # Errors
/// What the database says.
pub async fn load(rx: &mut ReadTx, cx: &Cx, rows: &[ImportRow]) -> Result<Ground, ServiceError> {
    let mut offers = item::offers(rx).await?;
    offers.retain(|offer| takes_in(offer.content.fulfiller));
    let mut ground = Ground {
        zones: place::zones(rx).await?,
        pools: place::pools(rx).await?,
        sites: place::sites(rx).await?,
        offers,
        units: import::units(rx).await?,
        systems: import::systems(rx).await?,
        things: HashMap::new(),
        called: HashMap::new(),
        ours: HashMap::new(),
        gone: HashSet::new(),
        owners: HashMap::new(),
        building: import::building(rx).await?,
        hosts: HashMap::new(),
        accounts: BTreeMap::new(),
        today: today(cx),
    };
    let mut asked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let ids = asked.entry(row.cloud.trim()).or_default();
        ids.insert(row.external_id.trim());
    }
    for (cloud, ids) in asked {
        let key = |id: &str| (cloud.to_owned(), id.to_owned());
        for thing in import::named(rx, cloud, ids.iter().copied()).await? {
            ground.things.insert(key(&thing.row.external_id), thing);
        }
        for thing in import::called(rx, cloud, ids.iter().copied()).await? {
            let id = thing.row.external_id.clone();
            let named = ground.called.entry(key(&thing.row.name)).or_default();
            named.push(id.clone());
            ground.things.insert(key(&id), thing);
        }
        for (id, ours) in difference::ours(rx, cloud, ids.iter().copied()).await? {
            ground.ours.insert(key(&id), ours.name);
        }
        for (project, vdc) in project::owners(rx, cloud).await? {
            ground.owners.insert(key(&project), vdc);
        }
        let here = ground.things.values().filter(|it| it.row.backend == cloud);
        let on: BTreeSet<String> = here.filter_map(|it| it.host.clone()).collect();
        for (id, host) in import::hosts(rx, cloud, on.iter().map(String::as_str)).await? {
            ground.hosts.insert(key(&id), host);
        }
    }
    let stand = ground.hosts.values().map(|host| host.vdc.clone());
    let homes: BTreeSet<VdcId> = rows
        .iter()
        .filter_map(|row| ground.home(row).ok().map(|home| home.vdc.clone()))
        .chain(stand)
        .collect();
    for vdc in homes {
        let account = quota::account(rx, &vdc).await?;
        ground.accounts.insert(vdc, account);
    }
    Ok(ground)
}

pub(super) fn wrong(column: &str, key: &'static str) -> FieldError {
    FieldError::new(column, Msg::new(key))
}

fn keep<T>(errors: &mut Vec<FieldError>, result: Result<T, FieldError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

impl Ground {
    /// Whether this is the id of something.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.things.contains_key(key) || self.ours.contains_key(key) || self.gone.contains(key)
    }

    /// The clouds have been asked anew: what they say now holds.
    pub fn refresh(&mut self, said: &HashMap<Key, Option<Object>>) {
        for (key, object) in said {
            let Some(object) = object else {
                self.gone.insert(key.clone());
                continue;
            };
            if let Some(thing) = self.things.get_mut(key) {
                thing.row.name = compare::name(object);
                thing.tell(&compare::foreign(object), compare::about(object));
            }
        }
    }

    /// What comes of each row. Rows are taken in their order, hosts before what hangs on them: what one
    /// takes is not there for the next.
    pub fn plan(&mut self, cx: &Cx, rows: &[ImportRow]) -> Vec<Outcome> {
        let mut seen: HashMap<Key, i64> = HashMap::new();
        let mut left = self.accounts.clone();
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        let rows = rows.iter().enumerate();
        let (last, first): (Vec<_>, Vec<_>) = rows.partition(|(_, row)| self.hangs(row));
        for (at, row) in first.into_iter().chain(last) {
            let outcome = self.outcome(cx, row, &mut seen, &mut left);
            outcomes.insert(at, outcome);
        }
        outcomes.into_values().collect()
    }

    /// Whether what a row names hangs on something.
    fn hangs(&self, row: &ImportRow) -> bool {
        let key = self.key(row).ok();
        let thing = key.and_then(|key| self.things.get(&key));
        thing.is_some_and(|thing| thing.host.is_some())
    }

    fn outcome(
        &mut self,
        cx: &Cx,
        row: &ImportRow,
        seen: &mut HashMap<Key, i64>,
        left: &mut BTreeMap<VdcId, Account>,
    ) -> Outcome {
        let nothing = |errors| Outcome {
            planned: None,
            errors,
        };
        let named = || self.key(row).map_err(|error| vec![error]);
        let key = match read::values(row).and_then(|()| named()) {
            Ok(key) => key,
            Err(errors) => return nothing(errors),
        };
        if let Some(line) = seen.get(&key) {
            let msg = Msg::new("import.twice").with("line", *line);
            return nothing(vec![FieldError::new("external_id", msg)]);
        }
        let planned = match self.row(cx, row, &key) {
            Ok(planned) => planned,
            Err(errors) => return nothing(errors),
        };
        let errors = take(left, &planned, &self.pools);
        if errors.is_empty() {
            let project = (key.0.clone(), planned.thing.row.project.clone());
            self.owners.insert(project, planned.vdc.clone());
            if planned.thing.row.thing == ThingKind::Server {
                self.hosts.insert(key.clone(), planned.as_host());
            }
            // A row that takes nothing in leaves its thing to those below.
            seen.insert(key, row.line);
        }
        Outcome {
            planned: Some(planned),
            errors,
        }
    }

    fn row(&self, cx: &Cx, row: &ImportRow, key: &Key) -> Result<Planned, Vec<FieldError>> {
        let mut errors = Vec::new();
        let thing = keep(&mut errors, self.thing(row, key));
        let state = thing.and_then(|thing| keep(&mut errors, read::state(thing)));
        let host = thing.map_or(Some(None), |thing| keep(&mut errors, self.host(thing)));
        let home = host.and_then(|host| keep(&mut errors, self.home_of(row, host)));
        let offer = thing.and_then(|thing| keep(&mut errors, self.offer(row, thing)));
        let expires = keep(&mut errors, self.expires(row));
        let (Some(thing), Some(home), Some(host)) = (thing, home, host) else {
            return Err(errors);
        };
        let name = keep(&mut errors, read::name(row, thing));
        let place = keep(&mut errors, self.place(row, thing, &home, host));
        let project = keep(&mut errors, self.project(thing, &home));
        let answers = offer.and_then(|offer| match read::answers(row, offer, thing) {
            Ok(answers) => Some(answers),
            Err(more) => {
                errors.extend(more);
                None
            }
        });
        let (Some(state), Some(offer), Some(expires), Some(name), Some(place), Some(project)) =
            (state, offer, expires, name, place, project)
        else {
            return Err(errors);
        };
        let (Some(answers), true) = (answers, errors.is_empty()) else {
            return Err(errors);
        };
        let named = (name, expires);
        let mut planned = self.planned(cx, thing, &home, offer, answers, named, place);
        planned.view.state = state;
        planned.view.project = project;
        planned.view.host = host.map(|host| host.name.clone());
        planned.host = host.map(|host| host.id.clone());
        if row.month.is_some_and(|month| month != planned.view.month) {
            return Err(vec![wrong("month", "import.price_changed")]);
        }
        Ok(planned)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that a row has come to is put together here"
    )]
    fn planned(
        &self,
        cx: &Cx,
        thing: &Foreign,
        home: &Home<'_>,
        offer: &Offer,
        answers: Answers,
        (name, expires): (String, Date),
        place: Placement,
    ) -> Planned {
        let mut quote = offer.price.quote(&answers, 1);
        // What is charged once was paid when it was built.
        quote.lines.retain(|line| line.charge == Charge::Monthly);
        quote.once = Money::ZERO;
        let mut amounts = offer.content.consumption.amounts(&answers, 1);
        amounts.add(Dimension::MonthlyFee, quote.each.fen());
        let zone = self.zones.iter().find(|zone| zone.id == place.zone);
        let pool = self.pools.iter().find(|pool| pool.id == place.pool);
        let view = ImportPlan {
            unit_name: home.unit.short_name.clone(),
            system_name: home.system.name.clone(),
            zone_name: zone.map(|zone| zone.name.clone()).unwrap_or_default(),
            level: place.level,
            pool_name: pool.map(|pool| pool.name.clone()).unwrap_or_default(),
            code: offer.code.clone(),
            item_name: offer.content.name.clone(),
            external_id: thing.row.external_id.clone(),
            name: name.clone(),
            cloud_name: thing.row.name.clone(),
            address: thing.row.address.clone(),
            state: ServiceState::Running,
            facts: offer.content.schema.facts(&answers),
            month: quote.each,
            expires,
            project: None,
            host: None,
        };
        let months = |n: &i64| {
            let n = i32::try_from(*n).unwrap_or(i32::MAX);
            self.today.plus_months(n) >= expires
        };
        Planned {
            resource: cx.id(),
            host: None,
            unit: home.unit.id.clone(),
            vdc: home.vdc.clone(),
            system: home.system.id.clone(),
            system_name: home.system.name.clone(),
            line: Line {
                id: cx.id(),
                position: 1,
                version: offer.version_id.clone(),
                code: offer.code.clone(),
                kind: offer.content.fulfiller,
                item_name: offer.content.name.clone(),
                name,
                placement: Some(place.clone()),
                answers,
                count: 1,
                term_months: (1..=MAX_TERM_MONTHS)
                    .find(months)
                    .unwrap_or(MAX_TERM_MONTHS),
                attach_to: None,
                price_version: offer.price_version,
                quote,
            },
            amounts,
            thing: thing.clone(),
            place,
            expires_at: TimeZone::SHANGHAI.moment(expires, 0),
            view,
        }
    }

    fn thing(&self, row: &ImportRow, key: &Key) -> Result<&Foreign, FieldError> {
        for (column, typed) in [("cloud", &row.cloud), ("external_id", &row.external_id)] {
            if typed.trim().is_empty() {
                return Err(wrong(column, "error.required"));
            }
        }
        if let Some(name) = self.ours.get(key) {
            let msg = Msg::new("import.ours").with("name", name.clone());
            return Err(FieldError::new("external_id", msg));
        }
        if self.gone.contains(key) {
            return Err(wrong("external_id", "import.gone"));
        }
        let found = self.things.get(key);
        found.ok_or_else(|| wrong("external_id", "import.not_foreign"))
    }

    /// The item that a row names, or the first one for things of a kind.
    fn offer(&self, row: &ImportRow, thing: &Foreign) -> Result<&Offer, FieldError> {
        let typed = row.item.trim();
        let fits = |offer: &&Offer| {
            kind_of(offer) == Some(thing.row.thing) && (typed.is_empty() || called(offer, typed))
        };
        let found = self.offers.iter().find(fits);
        found.ok_or_else(|| wrong("item", "import.no_item"))
    }

    /// The kind of thing that a row is about, as far as it says: a name alone means a host.
    pub(super) fn kind_meant(&self, row: &ImportRow) -> ThingKind {
        let typed = row.item.trim();
        let named = self.offers.iter().find(|offer| called(offer, typed));
        named.and_then(kind_of).unwrap_or(ThingKind::Server)
    }

    fn expires(&self, row: &ImportRow) -> Result<Date, FieldError> {
        let max = i32::try_from(MAX_TERM_MONTHS).unwrap_or(12);
        let last = self.today.plus_months(max);
        if row.expires.trim().is_empty() {
            return Ok(last);
        }
        let day = read::day(&row.expires).ok_or_else(|| wrong("expires", "import.no_day"))?;
        if day <= self.today {
            return Err(wrong("expires", "import.day_past"));
        }
        if day > last {
            let msg = Msg::new("import.day_far").with("last", last);
            return Err(FieldError::new("expires", msg));
        }
        Ok(day)
    }

    /// The quotas that a sheet touches, before and with everything that it asks for.
    #[must_use]
    pub fn quotas(&self, outcomes: &[Outcome]) -> Vec<ImportQuota> {
        let mut demands: BTreeMap<&VdcId, Demand> = BTreeMap::new();
        for planned in outcomes.iter().filter_map(|o| o.planned.as_ref()) {
            let demand = demands.entry(&planned.vdc).or_default();
            let amounts = demand.entry(planned.place.pool.clone()).or_default();
            amounts.add_all(&planned.amounts);
        }
        let mut all = Vec::new();
        for (vdc, demand) in demands {
            let unit = self.units.iter().find(|u| u.vdc.as_ref() == Some(vdc));
            let Some(account) = self.accounts.get(vdc) else {
                continue;
            };
            for change in account.changes(&demand) {
                let pool = self.pools.iter().find(|pool| pool.id == change.pool);
                all.push(ImportQuota {
                    unit_name: unit.map(|u| u.short_name.clone()).unwrap_or_default(),
                    pool_name: pool.map(|pool| pool.name.clone()).unwrap_or_default(),
                    change,
                });
            }
        }
        all
    }
}

/// As what a thing of an item is found in a cloud.
const fn kind_of(offer: &Offer) -> Option<ThingKind> {
    ThingKind::of(offer.content.fulfiller)
}

/// Whether an item is called so: its code, or its name in either language.
fn called(offer: &Offer, typed: &str) -> bool {
    let name = &offer.content.name;
    same(&offer.code, typed) || same(&name.zh, typed) || same(&name.en, typed)
}

/// Books in thought: what does not fit is told dimension by dimension, and then nothing is booked.
fn take(left: &mut BTreeMap<VdcId, Account>, planned: &Planned, pools: &[Pool]) -> Vec<FieldError> {
    let Some(account) = left.get_mut(&planned.vdc) else {
        return vec![wrong("unit", "import.no_vdc")];
    };
    let demand = planned.demand();
    let short = account.shortfalls(&demand);
    if short.is_empty() {
        for (pool, dimension, standing) in &mut account.standings {
            let asked = demand
                .get(pool)
                .map_or(0, |amounts| amounts.get(*dimension));
            *standing = standing.with_held(asked);
        }
    }
    let told = |s| {
        FieldError::new(
            "quota",
            verdict::shortfall_msg("verdict.over_quota", s, pools),
        )
    };
    short.iter().map(told).collect()
}
