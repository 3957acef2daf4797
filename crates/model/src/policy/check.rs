//! What a policy must be before it is written down: whole, and without a part that does nothing.

use std::collections::BTreeSet;

use super::{Facts, Policy, Stage, Test};
use crate::id::ZoneId;
use crate::money::Money;
use crate::msg::{FieldError, Label, Msg};
use crate::people::UnitLevel;
use crate::placement::Level;
use crate::text;

/// Most stages of a policy: a request that takes more is no longer a service.
pub const MOST_STAGES: usize = 10;
/// Most groups of a stage.
const MOST_GROUPS: usize = 6;
/// Longest term of a stage in working days.
pub const MOST_DUE_DAYS: u32 = 30;
/// Most single conditions under one another or side by side.
const MOST_TESTS: usize = 12;
/// Most item codes of one condition.
const MOST_CODES: usize = 40;
/// Most characters of a name.
const MOST_CHARS: usize = 40;
/// Kinds of items up to which every set of them is tried.
const MOST_KINDS: usize = 8;
/// Zones up to which every set of them is tried.
const MOST_ZONES: usize = 4;

impl Policy {
    /// Checks a policy before it is written down.
    ///
    /// # Errors
    /// What is wrong, by the place where it stands (`stages[0].groups[1].when`): no stage, none
    /// that takes part in every case (a request might then pass unseen), a key twice, a role that
    /// does not approve, a term that is none, a condition that can never hold.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Some(test) = &self.automatic {
            // Beyond the quota nothing is approved automatically, so a condition that holds only
            // there does nothing.
            let within = Test::All {
                of: vec![Test::WithinQuota, test.clone()],
            };
            errors.extend(fault(test, &within).map(|msg| FieldError::new("automatic", msg)));
        }
        if self.stages.is_empty() {
            errors.push(FieldError::new("stages", Msg::new("policy.no_stage")));
        } else if !self.has_sure_group() {
            errors.push(FieldError::new("stages", Msg::new("policy.no_sure_stage")));
        }
        if self.stages.len() > MOST_STAGES {
            errors.push(FieldError::new("stages", too_many(MOST_STAGES)));
        }
        let mut keys = BTreeSet::new();
        for (i, stage) in self.stages.iter().enumerate() {
            let path = format!("stages[{i}]");
            if stage.key.is_empty() || !keys.insert(stage.key.as_str()) {
                let msg = Msg::new("policy.key_twice");
                errors.push(FieldError::new(format!("{path}.key"), msg));
            }
            check_stage(&path, stage, &mut errors);
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Whether some group takes part in every request that is not approved automatically.
    fn has_sure_group(&self) -> bool {
        let mut groups = self.stages.iter().flat_map(|stage| &stage.groups);
        groups.any(|group| group.when.is_none())
    }

    /// Codes of all items that conditions name.
    pub fn item_codes(&self) -> BTreeSet<&str> {
        let groups = self.stages.iter().flat_map(|stage| &stage.groups);
        let tests = groups.filter_map(|group| group.when.as_ref());
        let mut codes = BTreeSet::new();
        for test in tests.chain(&self.automatic) {
            test.each(&mut |leaf| {
                if let Test::AnyItem { codes: of } | Test::OnlyItems { codes: of } = leaf {
                    codes.extend(of.iter().map(String::as_str));
                }
            });
        }
        codes
    }
}

fn too_many(most: usize) -> Msg {
    Msg::new("policy.too_many").with("max", i64::try_from(most).unwrap_or(i64::MAX))
}

fn check_name(path: &str, name: &Label, errors: &mut Vec<FieldError>) {
    errors.extend(text::line(path, &name.zh, 1, MOST_CHARS).err());
    errors.extend(text::line(&format!("{path}_en"), &name.en, 0, MOST_CHARS).err());
}

fn check_stage(path: &str, stage: &Stage, errors: &mut Vec<FieldError>) {
    check_name(&format!("{path}.name"), &stage.name, errors);
    if !(1..=MOST_DUE_DAYS).contains(&stage.due_days) {
        let msg = Msg::new("policy.due_days").with("max", i64::from(MOST_DUE_DAYS));
        errors.push(FieldError::new(format!("{path}.due_days"), msg));
    }
    let groups = format!("{path}.groups");
    if stage.groups.is_empty() {
        errors.push(FieldError::new(&*groups, Msg::new("policy.no_group")));
    }
    if stage.groups.len() > MOST_GROUPS {
        errors.push(FieldError::new(&*groups, too_many(MOST_GROUPS)));
    }
    for (j, group) in stage.groups.iter().enumerate() {
        let path = format!("{groups}[{j}]");
        check_name(&format!("{path}.name"), &group.name, errors);
        if !group.role.decides() {
            let msg = Msg::new("policy.role");
            errors.push(FieldError::new(format!("{path}.role"), msg));
        }
        if let Some(test) = &group.when {
            let found = fault(test, test);
            errors.extend(found.map(|msg| FieldError::new(format!("{path}.when"), msg)));
        }
    }
}

/// What is wrong with a condition that does something only where `whole` holds.
fn fault(test: &Test, whole: &Test) -> Option<Msg> {
    let (mut tests, mut empty, mut amount, mut codes) = (0, false, false, 0);
    test.each(&mut |one| {
        tests += 1;
        match one {
            Test::All { of } | Test::Any { of } => empty |= of.is_empty(),
            Test::AnyItem { codes: of } | Test::OnlyItems { codes: of } => {
                empty |= of.is_empty();
                codes += of.len();
            }
            Test::AnyZone { zones } => {
                empty |= zones.is_empty();
                codes += zones.len();
            }
            Test::UnitLevel { levels } => empty |= levels.is_empty(),
            Test::CostAbove { fen } => amount |= *fen < 0 || *fen == i64::MAX,
            _ => {}
        }
    });
    if empty {
        Some(Msg::new("policy.empty"))
    } else if amount {
        Some(Msg::new("policy.amount"))
    } else if tests > MOST_TESTS * 2 || test.leaves() > MOST_TESTS {
        Some(too_many(MOST_TESTS))
    } else if codes > MOST_CODES {
        Some(too_many(MOST_CODES))
    } else if !whole.can_hold() {
        Some(Msg::new("policy.never"))
    } else {
        None
    }
}

impl Test {
    /// Calls `see` with this condition and every one inside it.
    fn each<'a>(&'a self, see: &mut dyn FnMut(&'a Self)) {
        see(self);
        match self {
            Self::All { of } | Self::Any { of } => of.iter().for_each(|one| one.each(see)),
            Self::Not { of } => of.each(see),
            _ => {}
        }
    }

    fn leaves(&self) -> usize {
        let mut n = 0;
        self.each(&mut |one| {
            let inner = matches!(one, Self::All { .. } | Self::Any { .. } | Self::Not { .. });
            n += usize::from(!inner);
        });
        n
    }

    /// Whether there are facts with which it holds. Each kind of fact is tried on both sides of
    /// every bound that the condition names; a condition with more items than can be tried counts
    /// as one that can hold, so that nothing is refused that is not surely useless.
    pub fn can_hold(&self) -> bool {
        let Some(ground) = Ground::of(self) else {
            return true;
        };
        ground.any(&|facts| self.holds(facts))
    }
}

/// Enough facts to try a condition with.
struct Ground {
    fen: Vec<i64>,
    quota: &'static [bool],
    places: Vec<(Option<Level>, bool)>,
    zones: Vec<Vec<ZoneId>>,
    units: &'static [UnitLevel],
    upper: &'static [bool],
    items: Vec<Vec<String>>,
}

impl Ground {
    fn of(test: &Test) -> Option<Self> {
        const BOTH: &[bool] = &[true, false];
        let mut fen = BTreeSet::from([0]);
        let (mut quota, mut upper): (&[bool], &[bool]) = (&[true], &[true]);
        let mut units: &[UnitLevel] = &[UnitLevel::City];
        let mut sets: Vec<&[String]> = Vec::new();
        let mut zones: BTreeSet<&ZoneId> = BTreeSet::new();
        test.each(&mut |one| match one {
            Test::CostAbove { fen: bound } => fen.extend([*bound, bound.saturating_add(1)]),
            Test::WithinQuota => quota = BOTH,
            Test::HasUpper => upper = BOTH,
            Test::UnitLevel { .. } => units = UnitLevel::ALL,
            Test::AnyItem { codes } | Test::OnlyItems { codes } => sets.push(codes),
            Test::AnyZone { zones: of } => zones.extend(of.iter().map(|zone| &zone.id)),
            _ => {}
        });
        // What stands nowhere stands in no zone either.
        let mut places = vec![(None, false)];
        for level in Level::ALL {
            places.extend(BOTH.iter().map(|internet| (Some(*level), *internet)));
        }
        Some(Self {
            fen: fen.into_iter().filter(|fen| *fen >= 0).collect(),
            quota,
            places,
            units,
            upper,
            zones: subsets(&zones)?,
            items: requests(&sets)?,
        })
    }

    /// Of some facts, with every set of zones and every amount. What stands nowhere stands in no zone.
    fn any_rest(&self, facts: &mut Facts, holds: &dyn Fn(&Facts) -> bool) -> bool {
        for zones in &self.zones {
            if facts.level.is_none() && !zones.is_empty() {
                continue;
            }
            facts.zones.clone_from(zones);
            for fen in &self.fen {
                facts.month = Money::from_fen(*fen);
                if holds(facts) {
                    return true;
                }
            }
        }
        false
    }

    fn any(&self, holds: &dyn Fn(&Facts) -> bool) -> bool {
        let mut facts = Facts {
            month: Money::ZERO,
            once: Money::ZERO,
            within_quota: true,
            level: None,
            internet: false,
            zones: Vec::new(),
            items: Vec::new(),
            unit_level: UnitLevel::City,
            has_upper: false,
        };
        for items in &self.items {
            facts.items.clone_from(items);
            for unit in self.units {
                facts.unit_level = *unit;
                for upper in self.upper {
                    facts.has_upper = *upper;
                    for (level, internet) in &self.places {
                        (facts.level, facts.internet) = (*level, *internet);
                        for quota in self.quota {
                            facts.within_quota = *quota;
                            if self.any_rest(&mut facts, holds) {
                                return true;
                            }
                        }
                    }
                }
            }
        }
        false
    }
}

/// Every set of these zones. `None` if there are too many.
fn subsets(zones: &BTreeSet<&ZoneId>) -> Option<Vec<Vec<ZoneId>>> {
    if zones.len() > MOST_ZONES {
        return None;
    }
    let all = 0..1_usize << zones.len();
    Some(
        all.map(|chosen| {
            let among = zones.iter().enumerate();
            let taken = among.filter(|(i, _)| chosen & (1 << i) != 0);
            taken.map(|(_, zone)| (*zone).clone()).collect()
        })
        .collect(),
    )
}

/// Every set of items that could make a difference to conditions on these sets: of items that stand
/// in the same ones, one is as good as all. `None` if there are too many.
fn requests(sets: &[&[String]]) -> Option<Vec<Vec<String>>> {
    // An empty code is an item that no condition names.
    let mut codes: BTreeSet<&str> = sets.iter().flat_map(|set| *set).map(|c| &**c).collect();
    codes.insert("");
    let mut kinds: Vec<(Vec<bool>, &str)> = Vec::new();
    for code in codes {
        let stands: Vec<bool> = sets
            .iter()
            .map(|set| set.iter().any(|one| one == code))
            .collect();
        if !kinds.iter().any(|kind| kind.0 == stands) {
            kinds.push((stands, code));
        }
    }
    if kinds.len() > MOST_KINDS {
        return None;
    }
    let all = 1_usize << kinds.len();
    Some(
        (1..all)
            .map(|chosen| {
                let among = kinds.iter().enumerate();
                let taken = among.filter(|(i, _)| chosen & (1 << i) != 0);
                taken.map(|(_, kind)| kind.1.to_owned()).collect()
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::policy;
    use super::*;
    use crate::people::Role;

    fn faults(policy: &Policy) -> Vec<String> {
        let errors = policy.check().err().unwrap_or_default();
        errors
            .into_iter()
            .map(|e| format!("{} {}", e.field, e.msg.key))
            .collect()
    }
    fn not(of: Test) -> Test {
        Test::Not { of: Box::new(of) }
    }
    fn all(of: impl Into<Vec<Test>>) -> Test {
        Test::All { of: of.into() }
    }
    fn any_item(code: &str) -> Test {
        Test::AnyItem {
            codes: vec![code.to_owned()],
        }
    }

    #[test]
    fn a_policy_that_could_let_a_request_pass_unseen_is_refused() {
        assert_eq!(faults(&policy()), [""; 0]);
        let mut unsure = policy();
        unsure.stages.remove(0);
        assert_eq!(faults(&unsure), ["stages policy.no_sure_stage"]);
        unsure.stages.clear();
        assert_eq!(faults(&unsure), ["stages policy.no_stage"]);
    }

    #[test]
    fn a_step_is_given_to_a_role_that_decides() {
        for role in Role::ALL {
            let mut one = policy();
            one.stages[0].groups[0].role = *role;
            let told = faults(&one);
            let refused = ["stages[0].groups[0].role policy.role"];
            assert_eq!(told == refused, !role.decides(), "{role}: {told:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let mut one = policy();
        one.stages[0].due_days = 0;
        one.stages[1].key = one.stages[0].key.clone();
        one.stages[1].name.zh = " ".into();
        one.stages[2].groups[1].when = Some(Test::Any { of: Vec::new() });
        one.stages[3].groups[0].when = Some(Test::CostAbove { fen: -1 });
        assert_eq!(
            faults(&one),
            [
                "stages[0].due_days policy.due_days",
                "stages[1].key policy.key_twice",
                "stages[1].name error.required",
                "stages[2].groups[1].when policy.empty",
                "stages[3].groups[0].when policy.amount",
            ]
        );
    }

    #[test]
    fn a_condition_that_can_never_hold_is_refused() {
        let above = |yuan: i64| Test::CostAbove { fen: yuan * 100 };
        let level = |level| Test::LevelAtLeast { level };
        let levels = |levels: &[UnitLevel]| Test::UnitLevel {
            levels: levels.to_vec(),
        };
        for never in [
            all([above(500), not(above(500))]),
            all([above(500), not(above(200))]),
            not(Test::Any {
                of: vec![Test::WithinQuota, not(Test::WithinQuota)],
            }),
            all([level(Level::Three), not(level(Level::Two))]),
            all([Test::Internet, not(level(Level::Two))]),
            all([
                any_item("C-ECS"),
                Test::OnlyItems {
                    codes: vec!["S-EVS".into()],
                },
            ]),
            all([levels(&[UnitLevel::City]), levels(&[UnitLevel::County])]),
        ] {
            let mut one = policy();
            one.stages[1].groups[0].when = Some(never.clone());
            let told = faults(&one);
            assert_eq!(told, ["stages[1].groups[0].when policy.never"], "{never:?}");
        }
        for sometimes in [
            all([above(200), not(above(500))]),
            all([any_item("C-ECS"), not(any_item("S-EVS"))]),
            all([any_item("C-ECS"), any_item("S-EVS")]),
            all([level(Level::Two), not(level(Level::Three)), Test::Internet]),
            not(level(Level::Two)),
        ] {
            assert!(sometimes.can_hold(), "{sometimes:?}");
        }
    }

    #[test]
    fn what_is_approved_automatically_beyond_the_quota_alone_is_never() {
        let mut one = policy();
        one.automatic = Some(not(Test::WithinQuota));
        assert_eq!(faults(&one), ["automatic policy.never"]);
    }
}
