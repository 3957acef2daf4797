//! What will become of a request, told before it is submitted: price, quota, route, reasons.
//!
//! The very same function runs in the browser while one types and on the server at submit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::change::{Plan, What};
use crate::id::PoolId;
use crate::makes::Makes;
use crate::money::Money;
use crate::msg::{Label, Msg};
use crate::people::UnitLevel;
use crate::placement::{Level, Placement, Pool, Zone, legal};
use crate::policy::{Facts, Policy, Route};
use crate::quota::{
    Account, Change, Consumption, Demand, Dimension, PoolShortfall, Room, Shortfall,
    pool_shortfalls,
};
use crate::request::Line;

/// What is known about the place where the order is placed; sent to the browser with the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Surroundings {
    /// All zones.
    pub zones: Vec<Zone>,
    /// Pools.
    pub pools: Vec<Pool>,
    /// The unit's quota.
    pub account: Account,
    /// What the VDC above can give.
    pub above: Above,
    /// Policy in force.
    pub policy: Policy,
    /// Level of the applicant's unit.
    pub unit_level: UnitLevel,
    /// Whether a unit above examines first.
    pub has_upper: bool,
    /// What the pools can still take, as far as their backends said; absent = unknown.
    pub capacity: Vec<(PoolId, Room)>,
    /// What is made in the pools; of one that is absent nothing is known.
    pub makes: Vec<(PoolId, Makes)>,
    /// Pools whose cloud did not answer when it was last asked: what is known of them may be old.
    pub silent: Vec<PoolId>,
}

impl Surroundings {
    /// What is made in a pool, if anything is known of it.
    pub fn makes_in(&self, pool: &PoolId) -> Option<&Makes> {
        let mut all = self.makes.iter();
        all.find(|(id, _)| id == pool).map(|(_, makes)| makes)
    }

    /// What of it the applicant may read.
    #[must_use]
    pub fn for_the_applicant(mut self) -> Self {
        self.above = self.above.untold();
        self
    }
}

/// The quota of the VDC above, from which a change of quota would be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Above {
    /// There is none.
    Top,
    /// Another unit's figures. They leave the server in no answer: they can't be serialised.
    #[serde(skip)]
    Known(Account),
    /// There is one, and its figures are not told: whoever submits hears whether it can give.
    Untold,
}

impl Above {
    /// Whether what is missing may come from there.
    pub fn gives(&self, short: &Shortfall) -> bool {
        match self {
            Self::Top => false,
            Self::Known(above) => {
                above.standing(&short.pool, short.dimension).left() >= short.missing()
            }
            Self::Untold => true,
        }
    }

    /// The same without another unit's figures.
    fn untold(&self) -> Self {
        match self {
            Self::Top => Self::Top,
            Self::Known(_) | Self::Untold => Self::Untold,
        }
    }
}

/// The answer before the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verdict {
    /// Price of a month.
    pub month: Money,
    /// Charged once.
    pub once: Money,
    /// Price of a year, what is charged once included.
    pub year: Money,
    /// Quota before and after.
    pub changes: Vec<Change>,
    /// What does not fit into the quota.
    pub shortfalls: Vec<Shortfall>,
    /// Why it can't be submitted.
    pub blocks: Vec<Msg>,
    /// What the applicant and the approvers should look at.
    pub warns: Vec<Msg>,
    /// Who will approve.
    pub route: Route,
    /// The facts by which the route was found.
    pub facts: Facts,
}

impl Verdict {
    /// Whether it may be submitted as it stands.
    pub const fn passes(&self) -> bool {
        self.blocks.is_empty()
    }
}

/// What a set of lines takes from the quotas; the monthly fee is a dimension of its own.
pub fn demand(lines: &[Line], consumption: impl Fn(&Line) -> Option<Consumption>) -> Demand {
    let mut demand = Demand::new();
    for line in lines {
        let Some(placement) = &line.placement else {
            continue;
        };
        let amounts = demand.entry(placement.pool.clone()).or_default();
        if let Some(rule) = consumption(line) {
            amounts.add_all(&rule.amounts(&line.answers, line.count));
        }
        amounts.add(Dimension::MonthlyFee, line.quote.month.fen());
    }
    demand
}

/// Judges a set of lines. `with_quota_change` says that the applicant asks for the missing quota in
/// the same request: a shortfall then warns (and routes to the cloud office) as long as the VDC
/// [above](Above) can give it, and blocks otherwise.
pub fn judge(
    lines: &[Line],
    consumption: impl Fn(&Line) -> Option<Consumption>,
    around: &Surroundings,
    with_quota_change: bool,
) -> Verdict {
    let mut blocks = Vec::new();
    let mut warns = Vec::new();
    let (mut level, mut internet, mut stands_in) = (None::<Level>, false, BTreeSet::new());
    let mut built_in = BTreeSet::new();
    if lines.is_empty() {
        blocks.push(Msg::new("verdict.empty"));
    }
    for line in lines {
        let Some(placement) = &line.placement else {
            continue;
        };
        match legal(&around.zones, &around.pools, placement) {
            Ok((zone, pool)) => {
                internet |= zone.internet;
                stands_in.insert(zone.id.clone());
                built_in.insert(&placement.pool);
                level = level.max(Some(placement.level));
                if !pool.xinchuang && placement.level == Level::Three {
                    warns.push(Msg::new("verdict.not_xinchuang").with("line", line.position));
                }
                blocks.extend(not_made(line, pool, around));
            }
            Err(why) => blocks.push(
                Msg::new("verdict.cell")
                    .with("line", line.position)
                    .with("why", why),
            ),
        }
    }
    warns.extend(silent(&built_in, around));
    let demand = demand(lines, consumption);
    let (changes, shortfalls) =
        quota_says(&demand, around, with_quota_change, &mut blocks, &mut warns);
    let month: Money = lines.iter().map(|l| l.quote.month).sum();
    let once: Money = lines.iter().map(|l| l.quote.once).sum();
    let mut items: Vec<String> = lines.iter().map(|l| l.code.clone()).collect();
    items.sort();
    items.dedup();
    let facts = Facts {
        month,
        once,
        within_quota: shortfalls.is_empty(),
        level,
        internet,
        zones: stands_in.into_iter().collect(),
        items,
        unit_level: around.unit_level,
        has_upper: around.has_upper,
    };
    let route = around.policy.route(&facts);
    capacity_says(&demand, around, &route, &mut blocks, &mut warns);
    Verdict {
        month,
        once,
        year: month.year() + once,
        changes,
        shortfalls,
        blocks,
        warns,
        route,
        facts,
    }
}

/// Judges the change of one resource by the same rules: only what it takes beyond what it has must
/// fit. The month is the difference; the route is found by [`Plan::to_agree`].
pub fn judge_change(
    plan: &Plan,
    code: &str,
    placement: Option<&Placement>,
    around: &Surroundings,
) -> Verdict {
    let (mut blocks, mut warns) = (Vec::new(), Vec::new());
    let demand: Demand = placement
        .map(|place| (place.pool.clone(), plan.differences()))
        .into_iter()
        .collect();
    let (changes, shortfalls) = quota_says(&demand, around, false, &mut blocks, &mut warns);
    if let (What::Resize, Some(place)) = (plan.what, placement) {
        let makes = around.makes_in(&place.pool);
        let lack = makes.and_then(|makes| makes.lack_of_resize(&plan.will.answers));
        blocks.extend(lack.map(|msg| msg.with("pool", name_of(&around.pools, &place.pool))));
    }
    // A term is prolonged here alone.
    if let Some(place) = placement.filter(|_| plan.what != What::Renew) {
        warns.extend(silent(&BTreeSet::from([&place.pool]), around));
    }
    let fits = shortfalls.is_empty();
    let facts = facts_of_one(code, placement, around, plan.to_agree(), fits);
    let route = around.policy.route(&facts);
    capacity_says(&demand, around, &route, &mut blocks, &mut warns);
    let month = plan.difference();
    Verdict {
        month,
        once: Money::ZERO,
        year: month.year(),
        changes,
        shortfalls,
        blocks,
        warns,
        route,
        facts,
    }
}

/// What the policy is asked about one thing that takes so much money a month more.
pub fn facts_of_one(
    code: &str,
    placement: Option<&Placement>,
    around: &Surroundings,
    month: Money,
    within_quota: bool,
) -> Facts {
    let zone = placement.and_then(|p| around.zones.iter().find(|z| z.id == p.zone));
    Facts {
        month,
        once: Money::ZERO,
        within_quota,
        level: placement.map(|p| p.level),
        internet: zone.is_some_and(|z| z.internet),
        zones: zone.map(|z| z.id.clone()).into_iter().collect(),
        items: vec![code.to_owned()],
        unit_level: around.unit_level,
        has_upper: around.has_upper,
    }
}

/// What the quotas say to a demand.
fn quota_says(
    demand: &Demand,
    around: &Surroundings,
    with_quota_change: bool,
    blocks: &mut Vec<Msg>,
    warns: &mut Vec<Msg>,
) -> (Vec<Change>, Vec<Shortfall>) {
    let changes = around.account.changes(demand);
    let shortfalls = around.account.shortfalls(demand);
    for short in &shortfalls {
        let named = |key: &'static str| shortfall_msg(key, short, &around.pools);
        if !with_quota_change {
            blocks.push(named("verdict.over_quota"));
        } else if around.above.gives(short) {
            warns.push(named("verdict.quota_change"));
        } else {
            blocks.push(named("verdict.parent_short"));
        }
    }
    for change in changes.iter().filter(|c| c.asked > 0) {
        let percent = change.before.with_held(change.asked).percent();
        let fits = change.asked <= change.before.left();
        if fits && percent >= 90 {
            warns.push(
                Msg::new("verdict.near_limit")
                    .with("dimension", Msg::new(dimension_key(change.dimension)))
                    .with("percent", percent),
            );
        }
    }
    (changes, shortfalls)
}

/// What is built in these pools may wait, and what they have left may be wrong: their cloud is away.
fn silent(pools: &BTreeSet<&PoolId>, around: &Surroundings) -> Vec<Msg> {
    let away = around.silent.iter().filter(|pool| pools.contains(pool));
    away.map(|pool| Msg::new("verdict.silent").with("pool", name_of(&around.pools, pool)))
        .collect()
}

/// Why a line can't be built in a pool whose cloud does not make what it names.
fn not_made(line: &Line, pool: &Pool, around: &Surroundings) -> Option<Msg> {
    let lack = around
        .makes_in(&pool.id)?
        .lack(line.kind, &line.answers)?
        .with("line", line.position)
        .with("pool", pool.name.clone());
    Some(lack)
}

/// What the pools have too little of. Where people will be asked there may be room by then, so it is
/// only a warning; what nobody is asked about takes its room now or is not submitted.
fn capacity_says(
    demand: &Demand,
    around: &Surroundings,
    route: &Route,
    blocks: &mut Vec<Msg>,
    warns: &mut Vec<Msg>,
) {
    let (key, said) = if route.is_automatic() {
        ("verdict.no_room", blocks)
    } else {
        ("verdict.capacity", warns)
    };
    let short = pool_shortfalls(demand, &around.capacity);
    said.extend(
        short
            .iter()
            .map(|one| pool_shortfall_msg(key, one, &around.pools)),
    );
}

/// What a pool has too little of, in words: pool, dimension, asked, left.
pub fn pool_shortfall_msg(key: &'static str, short: &PoolShortfall, pools: &[Pool]) -> Msg {
    Msg::new(key)
        .with("pool", name_of(pools, &short.pool))
        .with(
            "dimension",
            Msg::new(format!("dimension.{}", short.dimension)),
        )
        .with("asked", short.asked)
        .with("left", short.left)
}

fn name_of(pools: &[Pool], id: &PoolId) -> Label {
    let pool = pools.iter().find(|p| p.id == *id);
    pool.map(|p| p.name.clone()).unwrap_or_default()
}

/// Key of a dimension's name in the dictionaries.
pub fn dimension_key(dimension: Dimension) -> String {
    format!("dimension.{dimension}")
}

/// A shortfall in words: dimension, limit, asked, left, missing, and the pool's name. Money reads
/// as money, everything else as a count.
pub fn shortfall_msg(key: &'static str, short: &Shortfall, pools: &[Pool]) -> Msg {
    let amount = |n: i64| -> crate::msg::Arg {
        if short.dimension == Dimension::MonthlyFee {
            Money::from_fen(n).into()
        } else {
            n.into()
        }
    };
    Msg::new(key)
        .with("dimension", Msg::new(dimension_key(short.dimension)))
        .with("pool", name_of(pools, &short.pool))
        .with("limit", amount(short.standing.limit))
        .with("asked", amount(short.asked))
        .with("left", amount(short.standing.left()))
        .with("missing", amount(short.missing()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::quota::{Amounts, PoolDimension};
    use crate::time::Timestamp;

    #[test]
    fn more_disk_than_the_pool_has_left_is_said_and_what_it_does_not_tell_is_not() {
        let site = "nb".to_owned().try_into().unwrap();
        let pool = PoolId::generate(&site, Timestamp::default(), 1);
        let mut asked = Amounts::default();
        asked.add(Dimension::Vcpu, 4);
        asked.add(Dimension::SsdGb, 40);
        asked.add(Dimension::SataGb, 500);
        let demand = Demand::from([(pool.clone(), asked)]);
        let says = |room: &[(PoolDimension, i64)]| {
            let room = Room(room.iter().copied().collect());
            pool_shortfalls(&demand, &[(pool.clone(), room)])
        };
        let short = says(&[(PoolDimension::DiskGb, 539)]);
        assert_eq!(short.len(), 1);
        let said = pool_shortfall_msg("verdict.capacity", &short[0], &[]);
        let wanted = Msg::new("verdict.capacity")
            .with("pool", Label::default())
            .with("dimension", Msg::new("dimension.disk_gb"))
            .with("asked", 540_i64)
            .with("left", 539_i64);
        assert_eq!(said, wanted);
        assert_eq!(says(&[(PoolDimension::DiskGb, 540)]), []);
        assert_eq!(says(&[(PoolDimension::Vcpu, 4)]), []);
        assert_eq!(pool_shortfalls(&demand, &[]), []);
    }
}
